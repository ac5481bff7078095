"""What is seen of the mechanism in one attention: repeats of maxima, lean of the output's error, two ways to D, and all of it again with the maximum mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.lenses.numerics.mechanism.bias import Bias
from thrifty.lenses.numerics.mechanism.repeats import Repeats
from thrifty.report import Block, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Lean:
    """Errors of one policy's output against golden.

    repeated, single : of rows whose maximum repeats, and of all others; an error counts as positive where it points away from zero
    d_out, d_p : of D as the row sum of dO · O, and of P · dP; None without a gradient of the output
    lost    : rows that see a key and whose row sum is nevertheless 0, so that their output is
    """

    policy: str
    hash: str
    repeated: Bias
    single: Bias
    d_out: Bias | None
    d_p: Bias | None
    lost: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy, "hash": self.hash, "repeated": self.repeated.to_dict(), "single": self.single.to_dict(),
            "d_out": self.d_out and self.d_out.to_dict(), "d_p": self.d_p and self.d_p.to_dict(), "lost": self.lost,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismFinding:
    """The mechanism in one attention (Qiu and Yao 2025).

    repeats     : of scores as they are stored
    plain, mended : with the policy as it is, and with a repeated maximum multiplied by beta
    elsewhere   : largest change of the output that the mending makes in rows without repeats
    step        : spacing of the output's format at its largest number, for comparison
    safe_top    : a repeated maximum above this makes P, mended, smaller than its format holds: the row is lost
    """

    format: str
    shape: tuple[int, ...]
    beta: float
    repeats: Repeats
    plain: Lean
    mended: Lean
    elsewhere: float
    step: float
    safe_top: float

    @property
    def present(self) -> bool:
        """Rows with repeats have errors that lean to one side."""
        return self.repeats.repeated > 0 and self.plain.repeated.leans

    @property
    def cured(self) -> bool:
        """Present, and gone with the maximum mended, no row lost."""
        return self.present and not self.mended.repeated.leans and self.mended.lost <= self.plain.lost

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.repeats.repeated:
            return "No row holds its largest score more than once, so the mechanism has nothing to work on."
        said = f"{self.repeats.repeated} of {self.repeats.rows} rows repeat their maximum"
        if self.present:
            said += f", and their errors lean (mean over RMS {self.plain.repeated.ratio:+.2f}); with the maximum mended they "
            said += f"still do ({self.mended.repeated.ratio:+.2f})" if self.mended.repeated.leans else "do not"
        else:
            said += "; their errors lean to neither side"
        if self.mended.lost > self.plain.lost:
            said += f"; mending loses {self.mended.lost - self.plain.lost} rows, whose P becomes 0: take a smaller beta"
        return f"{said}."

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "thrifty.numerics.mechanism/1", "format": self.format, "shape": list(self.shape), "beta": self.beta, "repeats": self.repeats.to_dict(),
            "plain": self.plain.to_dict(), "mended": self.mended.to_dict(), "elsewhere": self.elsewhere, "step": self.step, "safe_top": self.safe_top,
            "present": self.present, "cured": self.cured, "verdict": self.verdict,
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        """For a page of its own."""
        from thrifty.lenses.numerics.pages.mechanism import finding_section

        return (finding_section(self),)

    def brief(self) -> Sequence[Block]:
        """For an assessment."""
        from thrifty.report import Text

        return (Text(self.verdict),)
