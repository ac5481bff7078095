"""A real kernel beside its emulations, as sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.lenses.numerics.pages.deviation import measures, warnings
from thrifty.report import Block, Bullets, Column, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.sdpa import RealKernelFinding


def sections_of(found: RealKernelFinding) -> list[Section]:
    """In the order in which they should be read."""
    return [
        Section("PyTorch's paths against golden", [Text(sentence(found)), *warnings(found.deviation), measures(found.deviation)], id="kernel"),
        Section("Emulations against the paths", [_emulations(found), _blocks(found), *_exponential(found)], id="emulations"),
    ]


def brief_of(found: RealKernelFinding) -> list[Block]:
    """For an assessment."""
    return [Text(sentence(found)), _emulations(found)]


def sentence(found: RealKernelFinding) -> str:
    """The answer in words."""
    flash, math, near = found.deviation.optimised, found.deviation.baseline, found.likeness("flash")
    assert math is not None
    return (
        f"PyTorch's flash path deviates by at most **{flash.max:.3g}**, its math path by **{math.max:.3g}**; RMSE {flash.rmse:.3g} and {math.rmse:.3g}. "
        f"The emulation ({near.emulation}) gives the flash path's bits at **{near.equal:.3%}** of elements, at most {near.ulps} ulp off elsewhere."
    )


def _emulations(found: RealKernelFinding) -> Table:
    return Table(
        columns=(
            Column(key="path", title="Path"), Column(key="emulation", title="Emulation"),
            Column(key="equal", title="Bit-equal", truth="measured", style="percent", digits=5), Column(key="ulps", title="Most ulps apart", truth="measured"),
            Column(key="max", title="Its own max", truth="measured"), Column(key="rmse", title="Its own RMSE", truth="measured"),
        ),
        rows=[[each.path, each.emulation, each.equal, each.ulps, each.max, each.rmse] for each in found.emulations],
        caption=f"torch {found.settings['torch']}, {found.settings['capability']}, {found.settings['inputs']} inputs",
    )  # fmt: skip


def _blocks(found: RealKernelFinding) -> Table:
    best = max(found.blocks, key=lambda block: found.blocks[block])
    return Table(
        columns=(Column(key="block", title="Keys of a tile"), Column(key="equal", title="Bit-equal", truth="measured", style="percent", digits=5)),
        rows=[[str(block), equal] for block, equal in found.blocks.items()], caption="Which tile the flash path has: the emulation agrees at its own",
        strong_rows=[list(found.blocks).index(best)],
    )  # fmt: skip


def _exponential(found: RealKernelFinding) -> list[Block]:
    held = found.exponential
    if held is None:
        return []
    said = f"Probed from outputs alone, the flash path's e^x errs by up to {held.largest_error:.2g} (FP32's own rounding is 6e-8)"
    if held.is_cubic:
        said += f": it is a cubic of the fraction, {' + '.join(f'{c:.5f}·f^{power}' for power, c in enumerate(held.cubic))}, to {held.cubic_error:.1g}"
    return [Bullets([f"{said}."])]
