"""The repeated-maxima mechanism as a page: causes one by one, a weight's errors over steps, and one attention looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.report import Block, Bullets, Cell, Chart, Code, Column, Note, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.mechanism import Bias, Lean, MechanismFinding, MechanismStudy

SOURCE: Final = Source(
    key="qiu2025", title="Why low-precision transformer training fails: an analysis on Flash Attention (Qiu and Yao, 2025)", url="https://arxiv.org/abs/2510.04212"
)  # fmt: skip
_BIAS: Final = (
    Column(key="mean", title="Mean error", truth="measured", digits=3), Column(key="rms", title="RMS", truth="measured", digits=3),
    Column(key="ratio", title="Mean over RMS", truth="measured", digits=2),
    Column(key="deviations", title="Standard errors", truth="measured", digits=2, meaning="of the mean from zero, rows counted once"),
    Column(key="leans", title="Leans"),
)  # fmt: skip


def study_page(found: MechanismStudy, *, command: str, generated: str) -> Page:
    """The whole page of a study."""
    return Page(
        title="Repeated maxima: why attention in BF16 can fail in training", summary=found.verdict, sections=study_sections(found), sources=[SOURCE],
        command=command, generated=generated,
    )  # fmt: skip


def finding_page(found: MechanismFinding, *, command: str, generated: str) -> Page:
    """The whole page of one attention looked at."""
    return Page(
        title="Repeated maxima in this attention", summary=found.verdict, sections=[finding_section(found)], sources=[SOURCE], command=command,
        generated=generated,
    )  # fmt: skip


def study_sections(found: MechanismStudy) -> list[Section]:
    """In the order in which they should be read."""
    return [
        Section("One cause after the other", [Text(_STORY), _shown(found)], id="causes"),
        Section("What it does to a weight", [_learned(found)], id="weight"),
        Section("Errors of dW_Q over steps", [_chart(found)], id="weight-chart"),
        Section("The cure, and its limits", [Code("option.repeated_max=7", "as a line of a policy"), Bullets(_LIMITS)], id="cure"),
    ]


def finding_section(found: MechanismFinding) -> Section:
    """One attention looked at."""
    repeats = found.repeats
    rows: list[list[Cell]] = []
    for name, lean in (("as it is", found.plain), (f"mended, beta = {found.beta:g}", found.mended)):
        rows += [[f"{name}: {what}", bias.count, *_cells(bias)] for what, bias in _biases(lean)]
    notes: list[Block] = []
    if found.mended.lost > found.plain.lost:
        lost = found.mended.lost - found.plain.lost
        notes.append(Note(f"Mending loses {lost} rows: maxima above {found.safe_top:.3g} make every P of the row 0. Take a smaller beta.", "warning"))
    return Section("Repeated maxima", [
        Text(found.verdict),
        Table(columns=(Column(key="times", title="The maximum stands"), Column(key="rows", title="Rows", truth="measured", style="integer")),
              rows=[[f"{times} times" if times > 1 else "once", count] for times, count in repeats.by_count],
              caption=f"Rows of scores by how often their maximum stands; repeated: {repeats.positive} above 0, {repeats.zero} at 0, {repeats.negative} below"),
        Table(columns=(Column(key="what", title="Errors of"), Column(key="count", title="Numbers", truth="measured", style="integer"), *_BIAS), rows=rows,
              caption="Errors against FP64 of the same rounded inputs; those of outputs are positive where they point away from zero"),
        *notes,
        Text(f"Rows without repeats change by at most {found.elsewhere:.3g} when the maximum is mended; the format's step at the largest output is "
             f"{found.step:.3g}."),
    ], id="repeated-maxima")  # fmt: skip


_STORY: Final = (
    "A row whose largest score stands twice has P = 1 twice. Two values of one sign with 8 bits have a sum of 9; every other such sum is a tie, and a "
    "residual kept in FP32 breaks all ties the same way. Take the residual away, or P = 1, or the rounding of the sum, and the lean is gone; move the maximum "
    "by a fixed amount, and it is not: P then is the same wrong number in every row, or again a power of two."
)
_LIMITS: Final = (
    "A repeated maximum m becomes beta · m above 0 and 0 below it, so P differs from row to row and its roundings cancel. At m = 0 P stays 1.",
    "P of the maximum becomes e^(-(beta - 1) · m): with beta = 7 it is 0 above m = 17 in FP32 and above 2.8 in FP16, and the row is lost.",
    "The baseline divides P first; two or four maxima make it 1/2 or 1/4, which is as exact as 1, so that it leans too, and the factor cancels: no cure there.",
    "D as the row sum of P · dP does not see the output's error: the gradient is cured, the output is not.",
)


def _shown(found: MechanismStudy) -> Table:
    return Table(
        columns=(Column(key="name", title="Set-up"), Column(key="what", title="What it is"), Column(key="policy", title="Policy"), *_BIAS),
        rows=[[each.name, each.what, each.policy, *_cells(each.bias)] for each in found.shown],
        caption=f"Error of PV before it is divided by the row sum, {found.format.upper()}, {found.heads * 16} rows of 64 values between 2 and 4 in size",
    )  # fmt: skip


def _learned(found: MechanismStudy) -> Table:
    return Table(
        columns=(
            Column(key="policy", title="Policy"), Column(key="d", title="D: mean over RMS of its error", truth="measured", digits=2),
            Column(key="exponent", title="Growth: power of steps", truth="measured", digits=2, meaning="0.5 for errors that cancel, 1 for those that agree"),
            Column(key="norm", title="Norm of the sum", truth="measured", digits=3),
            Column(key="ratio", title="Over that of random signs", truth="measured", digits=3),
            Column(key="p_value", title="p", truth="measured", digits=2, meaning="share of draws of random signs with a sum as large"),
            Column(key="coherent", title="Agree"),
        ),
        rows=[
            [each.name, each.d.ratio, each.growth.exponent, each.growth.norms[-1], each.growth.ratio, each.growth.p_value, "yes" if each.growth.coherent
             else "no"] for each in found.learned
        ],
        caption=f"Spectral norm of dW_Q's errors added over {found.steps} steps against FP64, the same tokens for every policy",
    )  # fmt: skip


def _chart(found: MechanismStudy) -> Chart:
    return Chart(
        kind="line", title="Errors of dW_Q, added up",
        columns=(
            Column(key="steps", title="Steps", truth="given", style="integer"), Column(key="norm", title="Spectral norm of the sum", truth="measured"),
            Column(key="policy", title="Policy"),
        ),
        rows=[[step, norm, each.name] for each in found.learned for step, norm in zip(each.growth.steps, each.growth.norms, strict=True)],
        x="steps", y="norm", series="policy", x_log=True, y_log=True,
        alt="Norm of the summed errors against steps, both logarithmic: a line of slope 1 for the mechanism, of slope one half for its cures.",
    )  # fmt: skip


def _biases(lean: Lean) -> list[tuple[str, Bias]]:
    made = [("output, rows with repeats", lean.repeated), ("output, other rows", lean.single)]
    made += [("D from dO · O", lean.d_out)] if lean.d_out is not None else []
    return made + ([("D from P · dP", lean.d_p)] if lean.d_p is not None else [])


def _cells(bias: Bias) -> list[Cell]:
    return [bias.mean, bias.rms, bias.ratio, bias.deviations, "yes" if bias.leans else "no"]
