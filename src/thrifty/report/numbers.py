"""Numbers as people read them: a value, a unit, and the ground that it stands on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from thrifty.errors import BadValue
from thrifty.quantities import Truth

Ground = Truth | Literal["given"]
"""The tag of a number. `given` is what the reader chose, and what follows from it exactly (a batch size, a count of operations)."""

Style = Literal["auto", "si", "plain", "integer", "percent"]
"""auto: an SI prefix where the unit takes one, else plain. percent: of a ratio. A plain number has thousands separated."""

GROUNDS: Final[dict[Ground, str]] = {
    "measured": "run on this machine, here and now",
    "modelled": "computed by a named model",
    "literature": "read in a named source",
    "given": "chosen by you, or counted exactly",
}

_PREFIXED: Final = frozenset({"B", "FLOP", "OP", "s", "J", "W", "Wh", "Hz", "gCO2e", "b", "m"})
_PLAIN: Final = frozenset({"FLOP/B"})
"""Units that begin like a prefixed one and are still written plain."""
_SI: Final = (
    (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P"), (1e18, "E"),
)  # fmt: skip
_LONG_TIMES: Final = ((120.0, 60.0, "min"), (7200.0, 3600.0, "h"), (172800.0, 86400.0, "d"), (63115200.0, 31557600.0, "yr"))
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FIGURE_SPACE, _POINT_SPACE = "\u2007", "\u2008"  # as wide as a digit, as wide as a full stop
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number that a reader sees, with its unit and ground.

    low, high : the range in which it may lie, where the ground gives one
    model     : name and published error of the model behind a modelled number
    source    : key of the source behind a literature number; the page must list it
    """

    value: float | None
    unit: str = ""
    truth: Ground
    low: float | None = None
    high: float | None = None
    model: str = ""
    source: str = ""
    style: Style = "auto"
    digits: int = 3

    @property
    def text(self) -> str:
        """The value with its unit, and its range when it has one: ``12.4 gCO2e (3.1 gCO2e to 50 gCO2e)``."""
        return f"{self.value_text} ({self.range_text})" if self.range_text else self.value_text

    @property
    def value_text(self) -> str:
        """The value with its unit."""
        return number_text(self.value, self.unit, self.style, self.digits)

    @property
    def range_text(self) -> str:
        """The range, empty where there is none."""
        if self.low is None or self.high is None or self.value is None:
            return ""
        return " to ".join(number_text(end, self.unit, self.style, self.digits) for end in (self.low, self.high))

    def __str__(self) -> str:
        return f"{self.text} [{self.truth}]"

    def to_dict(self) -> dict[str, Any]:
        """Value, unit and truth, and whatever else is known."""
        result: dict[str, Any] = {"value": finite(self.value), "unit": self.unit, "truth": self.truth}
        extra = {"low": finite(self.low), "high": finite(self.high), "model": self.model or None, "source": self.source or None}
        return result | {name: value for name, value in extra.items() if value is not None}


def finite(value: float | None) -> float | None:
    """`value`, or None where JSON has no word for it (NaN, infinity)."""
    return value if value is not None and math.isfinite(value) else None


def number_text(value: float | None, unit: str = "", style: Style = "auto", digits: int = 3) -> str:
    """`value` with its unit as a reader expects it: ``number_text(0.0123, "s") == "12.3 ms"``, ``number_text(5400, "s") == "90 min"``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    factor, label = scale_of(value, unit, style, digits)
    return join_unit(_digits(value / factor, style, digits), label)


def join_unit(number: str, unit: str) -> str:
    """A no-break space between number and unit, none before a per cent sign's like in a column of per cents."""
    return f"{number}\u00a0{unit}" if unit else number


def scale_of(value: float, unit: str, style: Style = "auto", digits: int = 3) -> tuple[float, str]:
    """The factor to divide by, and the unit to write, so that `value` has one to three digits before the point."""
    if style == "percent":
        return 0.01, "%"
    head = unit.partition("/")[0]
    if style in ("plain", "integer") or (style == "auto" and not takes_prefix(unit)):
        return 1.0, unit
    size = abs(value)
    if unit == "s" and size >= _LONG_TIMES[0][0]:
        _, factor, label = next(entry for entry in reversed(_LONG_TIMES) if size >= entry[0])
        return factor, label
    if head == "gCO2e" and size >= 1e6 * _almost(digits):
        return (1e6, unit.replace("gCO2e", "tCO2e", 1)) if size < 1e9 else (1e9, unit.replace("gCO2e", "ktCO2e", 1))
    if size == 0:
        return 1.0, unit
    factor, prefix = next((entry for entry in reversed(_SI) if size >= entry[0] * _almost(digits)), _SI[0])
    return factor, prefix + unit


def takes_prefix(unit: str) -> bool:
    """Whether `unit` is written with an SI prefix where nothing else is said."""
    return unit.partition("/")[0] in _PREFIXED and unit not in _PLAIN


def _almost(digits: int) -> float:
    return 1 - 0.5 * 10.0**-digits


def _digits(value: float, style: Style, digits: int) -> str:
    if style == "integer":
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent >= 9:
        scaled = value / 10.0**exponent if exponent > -308 else value * 1e300 / 10.0 ** (exponent + 300)  # the power itself would be zero
        mantissa = f"{scaled:.{digits - 1}f}".rstrip("0").rstrip(".")
        return f"{mantissa}×10{str(exponent).translate(_SUPERSCRIPT)}"
    decimals = max(0, digits - 1 - exponent)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def column_texts(values: Sequence[float | None], unit: str = "", style: Style = "auto", digits: int = 3) -> tuple[list[str], str]:
    """The texts of a column's numbers and the unit for its head.

    One unit for the whole column and the points beneath one another, where the values lie within five decades; else every
    text has its own unit and the head has none.
    """
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    if not sizes:
        return [number_text(value, "", style, digits) for value in values], "" if style == "percent" else unit
    if max(sizes) / min(sizes) > 1e5 and scale_of(max(sizes), unit, style, digits) != scale_of(min(sizes), unit, style, digits):
        return [number_text(value, unit, style, digits) for value in values], ""
    factor, label = scale_of(middle(sizes), unit, style, digits)
    texts = [NOTHING if finite(value) is None else _digits(float(value or 0) / factor, style, digits) for value in values]
    return align_points(texts), label


def middle(sizes: Sequence[float]) -> float:
    """The upper median: the size for which a whole column's unit is chosen."""
    return sorted(sizes)[len(sizes) // 2]


def align_points(texts: Sequence[str]) -> list[str]:
    """Pad on the right with spaces as wide as digits, so that right-aligned texts have their points in one line."""
    tails = [len(text.partition(".")[2]) for text in texts]
    longest = max(tails, default=0)
    return [
        text + (_POINT_SPACE if longest and not tail else "") + _FIGURE_SPACE * (longest - tail) for text, tail in zip(texts, tails, strict=True)
    ]


def check_ground(truth: str, where: str) -> None:
    """Raise BadValue for a tag that is none of the four."""
    if truth not in GROUNDS:
        raise BadValue(f"{where} is tagged '{truth}'. Tag it as one of: {', '.join(GROUNDS)}.")
