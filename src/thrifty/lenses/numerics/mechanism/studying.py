"""The mechanism shown from its causes to a weight: what `thrifty numerics mechanism` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.formats import float_spec
from thrifty.lenses.numerics.mechanism.demonstration import Shown, demonstrate
from thrifty.lenses.numerics.mechanism.learning import Learned, learn
from thrifty.progress import Progress
from thrifty.report import Block, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismStudy:
    """What was shown in one attention, and what was learned over steps."""

    format: str
    heads: int
    steps: int
    seed: int
    shown: tuple[Shown, ...]
    learned: tuple[Learned, ...]

    @property
    def verdict(self) -> str:
        """One sentence."""
        lean, mended = self.shown[0].bias, next(each.bias for each in self.shown if each.name == "mended")
        ill, well = self.learned[0].growth, self.learned[1].growth
        return (
            f"Where a row's maximum stands twice, errors of PV in {self.format.upper()} have a mean of {lean.ratio:+.2f} times their RMS "
            f"({mended.ratio:+.2f} with the maximum mended), and errors of dW_Q grow over {self.steps} steps with their number to the power {ill.exponent:.2f} "
            f"({well.exponent:.2f})."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "thrifty.numerics.mechanism_study/1", "format": self.format, "heads": self.heads, "steps": self.steps, "seed": self.seed,
            "verdict": self.verdict, "shown": [each.to_dict() for each in self.shown], "learned": [each.to_dict() for each in self.learned],
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        """For a page."""
        from thrifty.lenses.numerics.pages.mechanism import study_sections

        return study_sections(self)

    def brief(self) -> Sequence[Block]:
        """For an assessment."""
        from thrifty.report import Text

        return (Text(self.verdict),)


def show_mechanism(
    *, format: str = "bf16", heads: int = 32, steps: int = 64, seed: int = 0, progress: Progress = lambda what, share: None
) -> MechanismStudy:
    """Set-ups of `heads` · 16 rows, and `steps` steps of a gradient. Raises BadValue, UnknownName."""
    name = float_spec(format).name
    learned = learn(steps=steps, format=format, seed=seed, progress=lambda what, share: progress(what, 0.7 * share))
    progress("mechanism: set-ups", 0.7)
    return MechanismStudy(
        format=name, heads=heads, steps=steps, seed=seed, shown=demonstrate(format=format, heads=heads, seed=seed), learned=learned,
    )  # fmt: skip
