"""How one site's results are kept."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.formats import OVERFLOWS, ROUNDINGS, Rounding, float_spec
from thrifty.lenses.numerics.policy.sites import WORKING


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a site's results are kept. overflow: None says "inf" where the format has infinities, else "saturate"; reports say which."""

    format: str = WORKING
    rounding: str = "rne"
    overflow: str | None = None
    flush: bool = False

    @classmethod
    def read(cls, text: str) -> Rule:
        """``bf16``, ``fp16:rz``, ``e4m3:rne:saturate``, ``bf16:rne:inf:flush``; ``dt`` is the working format. Raises UnknownName, BadValue."""
        name, *rest = text.strip().split(":")
        flush = bool(rest) and rest[-1] == "flush"
        rest = rest[:-1] if flush else rest
        if len(rest) > 2:
            raise BadValue(f"rule '{text}' has too many parts. Write format:rounding:overflow:flush, the last three as needed.")
        if name != WORKING:
            float_spec(name)
        rounding, overflow = (*rest, "rne")[0], rest[1] if len(rest) == 2 else None
        if rounding not in ROUNDINGS:
            raise BadValue(f"rule '{text}': '{rounding}' is no rounding mode. Choose: {', '.join(ROUNDINGS)}.")
        if overflow is not None and overflow not in OVERFLOWS:
            raise BadValue(f"rule '{text}': '{overflow}' is no overflow. Choose: {', '.join(OVERFLOWS)}.")
        return cls(format=name, rounding=rounding, overflow=overflow, flush=flush)

    def write(self) -> str:
        """The text that `read` reads."""
        parts = [self.format]
        if self.overflow is not None:
            parts += [self.rounding, self.overflow]
        elif self.rounding != "rne":
            parts.append(self.rounding)
        return ":".join([*parts, *(["flush"] if self.flush else [])])

    def rounding_in(self, working: str, seed: int = 0) -> Rounding:
        """With the working format put in. Raises BadValue where the overflow does not fit the format."""
        spec = float_spec(working if self.format == WORKING else self.format)
        overflow = self.overflow or ("inf" if spec.infinities else "saturate")
        return Rounding.of(spec, rounding=self.rounding, overflow=overflow, flush=self.flush, seed=seed)
