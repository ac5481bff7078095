"""What the numerics lens saw, as sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.report import Block, Cell, Code, Column, Note, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.finding import NumericsFinding

SCOPE = "Drawn inputs, one head: a comparison of ways to round, not a prediction of a model's outputs, and no proof of stability."


def sections_of(finding: NumericsFinding) -> list[Section]:
    """One section: it is short."""
    return [Section("How far attention drifts", brief_of(finding), id="drift")]


def brief_of(finding: NumericsFinding) -> list[Block]:
    """For an assessment."""
    from thrifty.lenses.numerics.finding import BLOCK_K

    first = finding.shapes[0].shape.cut
    again = (
        f"thrifty numerics attention --format {finding.format} --seq {first.seq_k} --head-dim {first.head_dim} --block-k {BLOCK_K} --policy fa_paper"
        f"{' --causal' if first.causal else ''}"
    )
    return [Text(sentence(finding)), deviations(finding), Note(SCOPE, "note"), Code(again, "One row by itself, with everything that is measured")]


def sentence(finding: NumericsFinding) -> str:
    """What matters, in words."""
    from thrifty.lenses.numerics.finding import MOST_KEYS

    first = finding.shapes[0]
    kernel, stored = (first.deviations[policy, "uniform"] for policy in ("fa2_kernel", "fa_paper"))
    form, floor = finding.format.upper(), ", which is the format's floor" if kernel.at_floor else ""
    said = (
        f"Attention of {first.shape.text} in {form}: a Flash kernel with FP32 state deviates {kernel.ratio_to_baseline:.2g} times as much as attention "
        f"written out in {form} ({kernel.optimised.max:.2g} at most{floor}); with its state in {form} it would be {stored.ratio_to_baseline:.2g} times "
        "(uniform inputs)."
    )
    if any(each.shape.seq_k > MOST_KEYS for each in finding.shapes):
        said += f" Sequences were cut to {MOST_KEYS:,} keys; longer ones deviate more."
    if finding.longest_sum:
        said += f" The longest sum of the model's matrix products has {finding.longest_sum:,} terms: `thrifty numerics accumulate` says how a device keeps it."
    return said


def deviations(finding: NumericsFinding) -> Table:
    """Each shape, inputs and policy."""
    rows: list[list[Cell]] = [
        [each.shape.text, each.share, inputs, policy, found.optimised.max, found.ratio_to_baseline, found.optimised.bias_ratio,
         "yes" if found.at_floor else "no"]
        for each in finding.shapes for (policy, inputs), found in each.deviations.items()
    ]  # fmt: skip
    return Table(
        columns=(
            Column(key="shape", title="Attention"), Column(key="share", title="Of its FLOPs", truth="modelled", style="percent"),
            Column(key="inputs", title="Inputs"), Column(key="policy", title="Policy"),
            Column(key="max", title="Largest deviation", truth="modelled", digits=3),
            Column(key="ratio", title="Over the baseline's", truth="modelled", digits=3),
            Column(key="bias", title="Bias (mean over RMSE)", truth="modelled", digits=2), Column(key="floor", title="At the format's floor"),
        ),
        rows=rows, caption=f"Emulated attention in {finding.format.upper()} against golden in FP64 from the same rounded inputs",
    )  # fmt: skip
