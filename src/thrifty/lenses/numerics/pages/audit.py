"""An audit as a page: how far outputs lie, which operators make it, every rounding in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.lenses.numerics.pages import deviation as deviations
from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.auditing.finding import AuditFinding

MOST_CALLS: Final = 200
"""Roundings that the page lists; JSON has all."""


def audit_page(found: AuditFinding, *, command: str, generated: str) -> Page:
    """Everything about one audit."""
    worst = found.worst
    headline: dict[str, Number | str] = {"largest deviation": Number(value=worst.optimised.max, truth="measured"), "RMSE": _number(worst.optimised.rmse)}
    if worst.baseline is not None:
        headline["ratio to baseline"] = _number(worst.ratio_to_baseline)
    if found.sites:
        headline["largest contributor"] = found.sites[0].site
    return Page(
        title=f"{found.subject} under {found.policy} in {found.format}", summary=sentence(found), headline=headline, sections=sections_of(found),
        inputs={
            "policy": f"{found.policy}, hash {found.policy_hash}", "working format": found.format, "fused": ", ".join(found.fused) or "nothing",
            "seed": Number(value=found.seed, truth="given", style="integer"), **{f"input {name}": said for name, said in found.inputs.items()},
        },
        sources=[Source(key="golden2024", title="Is Flash Attention Stable? (Golden et al., 2024)", url="https://arxiv.org/abs/2405.02803")],
        command=command, generated=generated,
    )  # fmt: skip


def sentence(found: AuditFinding) -> str:
    """The answer."""
    said = deviations.sentence(found.worst)
    if found.sites:
        first = found.sites[0]
        said += f" The largest contribution is {first.site}'s: {first.share:.0%} of the squares when sites round alone."
    if (call := found.first_nonfinite) is not None:
        said += f" Rounding {call.number} ({call.site}) is the first with {'NaN' if call.nans else 'infinities'}."
    return said


def sections_of(found: AuditFinding) -> list[Section]:
    """Outputs, sites, calls, meaning."""
    made = [
        Section(f"Output {place}" if len(found.outputs) > 1 else "Output",
                [Text(deviations.sentence(each)), *deviations.warnings(each), deviations.measures(each)], id=f"output-{place}")
        for place, each in enumerate(found.outputs)
    ]  # fmt: skip
    if found.sites:
        made.append(Section("Which operator makes it", [sites(found)], id="sites"))
    if found.calls:
        made += [Section("Rounding by rounding", [*_first(found), calls(found)], id="calls"), Section("Along the way", [way(found)], id="calls-chart")]
    made.append(Section("What the numbers mean", [Bullets([
        f"Golden: {found.golden}.",
        "A site alone: this site follows the policy, all others are FP64; shares are of the squares of these deviations, as of independent errors.",
        "Own: what one rounding changed in its own result. Distance: from golden's result of the same call, all earlier roundings included.",
        "The subject's operators are emulated: the order of sums is the policy's, not that of this machine's kernels.",
        *(f"{note[0].upper()}{note[1:]}." for note in found.notes),
    ])], id="meaning"))  # fmt: skip
    return made


def brief_of(found: AuditFinding) -> list[Block]:
    """For an assessment."""
    return [Text(sentence(found)), *([sites(found)] if found.sites else [])]


def sites(found: AuditFinding) -> Table:
    """Every site alone."""
    rows: list[list[Cell]] = [
        [each.site, Number(value=each.calls, truth="given", style="integer"), each.rule, each.accumulator or "–", each.alone_max, each.alone_rms, each.share]
        for each in found.sites
    ]  # fmt: skip
    return Table(
        columns=(
            Column(key="site", title="Site"), Column(key="calls", title="Calls"), Column(key="rule", title="Rule"), Column(key="sum", title="Sum kept"),
            Column(key="alone_max", title="Largest deviation alone", truth="measured"), Column(key="alone_rms", title="RMSE alone", truth="measured"),
            Column(key="share", title="Share", truth="measured", style="percent"),
        ),
        rows=rows, caption="Deviation of the outputs when one site alone follows the policy",
    )  # fmt: skip


def _first(found: AuditFinding) -> list[Block]:
    call = found.first_nonfinite
    if call is None:
        return []
    what = f"{call.nans} NaN and {call.infinities} infinities"
    return [Note(f"Rounding {call.number}, {call.site}, is the first whose result holds {what}.", "warning" if call.nans else "note")]


def calls(found: AuditFinding) -> Table:
    """Every rounding, in order."""
    shown = found.calls[:MOST_CALLS]
    rows: list[list[Cell]] = [
        [Number(value=each.number, truth="given", style="integer"), each.site, " × ".join(map(str, each.shape)) or "one", each.level, each.local_max,
         each.max, each.rms, each.bias_ratio] for each in shown
    ]  # fmt: skip
    rest = f"; the first {MOST_CALLS} of {len(found.calls)}" if len(found.calls) > MOST_CALLS else ""
    return Table(
        columns=(
            Column(key="number", title="No."), Column(key="site", title="Site"), Column(key="shape", title="Shape"),
            Column(key="level", title="Level (RMS)", truth="measured"), Column(key="local_max", title="Own, largest", truth="measured"),
            Column(key="max", title="Distance, largest", truth="measured"), Column(key="rms", title="Distance, RMS", truth="measured"),
            Column(key="bias_ratio", title="Bias: mean over RMS", truth="measured", digits=2),
        ),
        rows=rows, caption=f"Roundings of {found.subject}{rest}",
    )  # fmt: skip


def way(found: AuditFinding) -> Chart:
    """How the distance grows and shrinks, relative to the size of results."""
    rows: list[list[Cell]] = []
    for each in found.calls[:MOST_CALLS]:
        if each.level > 0:
            rows.append([float(each.number), each.local_rms / each.level, "own rounding"])
            rows.append([float(each.number), None if each.rms is None else each.rms / each.level, "distance from golden"])
    return Chart(
        kind="line", title="Relative distance from golden, rounding by rounding",
        columns=(
            Column(key="number", title="Rounding", truth="given"), Column(key="relative", title="RMS over level", truth="measured"),
            Column(key="what", title="What"),
        ),
        rows=rows, x="number", y="relative", series="what", y_log=True,
        alt="Two lines over the roundings in order: the relative size of each own rounding, and the relative distance of each result from golden.",
    )  # fmt: skip


def _number(value: float) -> Number:
    return Number(value=value, truth="measured")
