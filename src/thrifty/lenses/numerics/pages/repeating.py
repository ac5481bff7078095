"""The demonstration of repeated maxima as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.report import Block, Cell, Chart, Column, Note, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.training.repeating import RepeatedMaxima

QIU_YAO = Source(
    key="qiu-yao-2025", title="Why low-precision Transformer training fails: an analysis on Flash Attention", publisher="Qiu and Yao, arXiv 2510.04212",
    date="2025", url="https://arxiv.org/abs/2510.04212",
)  # fmt: skip


def repeating_page(found: RepeatedMaxima, *, command: str, generated: str) -> Page:
    """Everything about one demonstration."""
    broken, fixed = found.watched["broken"], found.watched["fixed"]
    word = "shown and fixed" if found.shown else "not shown"
    failed = "Training itself fails" if found.failed else "Training itself does not fail at this size"
    return Page(
        title="Repeated maxima in training",
        summary=(
            f"The mechanism is {word}: errors of attention's output lean to one side by {broken.output.ratio:.3f} of their size, with the fix by "
            f"{fixed.output.ratio:.3f}; the summed error of W_Q's gradient is {broken.gradient.ratio:.3g} times what chance makes of it, with the fix "
            f"{fixed.gradient.ratio:.3g} times. {failed}."
        ),
        sections=[Section("Errors", error_blocks(found), id="errors"), Section("How errors add up", growth_blocks(found), id="growth"),
                  Section("Why", why_blocks(found), id="why")],
        headline={
            "rows with a repeated maximum": Number(value=found.repeated, truth="measured", style="percent"),
            "lean of the output's errors": Number(value=broken.output.ratio, truth="measured"),
            "with the fix": Number(value=fixed.output.ratio, truth="measured"),
        },
        inputs={
            "steps": Number(value=found.steps, truth="given", style="integer"), "seed": Number(value=found.seed, truth="given", style="integer"),
            "format": found.format, "beta": Number(value=found.beta, truth="given"), "policy, broken": broken.hash, "policy, fixed": fixed.hash,
        },
        sources=(QIU_YAO,), command=command, generated=generated,
    )  # fmt: skip


def error_blocks(found: RepeatedMaxima) -> list[Block]:
    rows: list[list[Cell]] = [
        [name, each.output.ratio, each.output.deviations, each.dsum.ratio, each.dsum.deviations, each.gradient.ratio, each.gradient.p_value,
         each.gradient.leading_share, each.loss]
        for name, each in found.watched.items()
    ]  # fmt: skip
    rows.append(["exact", None, None, None, None, None, None, None, found.exact_loss])
    titles = (
        ("o", "Lean of errors of O"), ("o_sure", "in standard errors"), ("d", "Lean of errors of D"), ("d_sure", "in standard errors"),
        ("gradient", "Summed error of W_Q's gradient over chance"), ("p", "Share of chance as large"), ("lead", "Share of one direction"), ("loss", "Loss"),
    )  # fmt: skip
    columns = (Column(key="policy", title="Policy"), *(Column(key=key, title=title, truth="measured") for key, title in titles))
    return [
        Table(columns=columns, rows=rows, caption="Errors against exact attention on the same weights and inputs; loss of a model trained with each"),
        Text("A lean is the mean error over the root mean square: 0 where errors cancel, ±1 where all are alike. Chance: the same errors with random signs."),
    ]


def growth_blocks(found: RepeatedMaxima) -> list[Block]:
    rows: list[list[Cell]] = [
        [step, name, norm] for name, each in found.watched.items() for step, norm in zip(each.gradient.steps, each.gradient.norms, strict=True)
    ]
    columns = (
        Column(key="steps", title="Steps", truth="given", style="integer"), Column(key="policy", title="Policy"),
        Column(key="norm", title="Norm of summed error of W_Q's gradient", truth="measured"),
    )  # fmt: skip
    return [Chart(
        kind="line", title="Summed error of W_Q's gradient", columns=columns, rows=rows, x="steps", y="norm", series="policy", x_log=True, y_log=True,
        alt="Lines of the spectral norm of the summed error of the gradient of the query weights against steps, with and without the fix.",
        caption="Independent errors grow with the square root of steps, coherent ones with steps.",
    )]  # fmt: skip


def why_blocks(found: RepeatedMaxima) -> list[Block]:
    return [
        Text("Where the maximum stands twice, P is exactly 1 there, and PV adds two values of the format. Of one sign, their sum needs a bit more than "
             "the format has, so half of such sums lie on a tie, and the little that other keys add takes all of them off it to the same side. The error in "
             "O has a sign, so has that in D = rowsum(dO·O), and the error in W_Q's gradient points the same way at every step. One tile is enough: it is "
             "no matter of tiling."),
        Text(f"The fix subtracts {found.beta:g} times a repeated maximum if it is positive, and 0 if it is negative (policy option repeated_max)."),
        Note("The model is built so that each row has its maximum twice. The mechanism is that of the published failure of nanoGPT; that failure took "
             "thousands of steps of a far larger model, and this demonstration does not claim it."),
    ]  # fmt: skip
