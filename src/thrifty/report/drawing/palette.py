"""Stand-in colours, and what they become: variables of the stylesheet, and hatches over them."""

from __future__ import annotations

import re
from typing import Final

SERIES: Final = 8
"""Colours that the stylesheet has; further series repeat them under another hatch, dash and shape."""
STEPS: Final = 7
"""Steps of a heat map, from pale to full."""

INK, MUTED, GRID, PAPER = "#00000a", "#00000b", "#00000c", "#00000d"
_NAMES: Final = {"0a": "ink", "0b": "muted", "0c": "grid", "0d": "paper"}

SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left", "triangle-right")
DASHES: Final = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2], [1, 2], [6, 2, 1, 2, 1, 2])


def plain_colour(index: int) -> str:
    """The stand-in of series `index` for lines, points and text."""
    return f"#0000{0x10 + index % SERIES:02x}"


def hatched_colour(index: int) -> str:
    """The stand-in of series `index` for areas: its colour under the hatch of that index."""
    return f"#0001{index:02x}"


def step_colour(step: int) -> str:
    """The stand-in of a heat map's step, 0 (pale) to STEPS - 1."""
    return f"#0000{0x30 + step:02x}"


_TILES: Final = (
    "",  # solid
    '<path d="M-2,2l4,-4M0,8l8,-8M6,10l4,-4"/>',
    '<path d="M2,2h.01M6,6h.01" stroke-width="2.2" stroke-linecap="round"/>',
    '<path d="M0,4h8"/>',
    '<path d="M-2,6l4,4M0,0l8,8M6,-2l4,4"/>',
    '<path d="M4,0v8"/>',
    '<path d="M0,0l8,8M0,8l8,-8"/>',
    '<path d="M0,4h8M4,0v8"/>',
)


def recolour(svg: str, prefix: str) -> str:
    """Put the stylesheet's variables for the stand-ins of `svg`, and the hatches that it uses before its first element.

    `prefix` makes the hatches' ids unique on the page.
    """
    hatches: dict[int, str] = {}

    def area(match: re.Match[str]) -> str:
        index = int(match[1], 16)
        tile = _TILES[(index + index // SERIES) % len(_TILES)]
        if not tile:
            return f"var(--s{index % SERIES + 1})"
        hatches[index] = (
            f'<pattern id="{prefix}-h{index}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="var(--s{index % SERIES + 1})"/>'
            f'<g fill="none" stroke="var(--paper)" stroke-width="1.3" opacity=".55">{tile}</g></pattern>'
        )
        return f"url(#{prefix}-h{index})"

    svg = re.sub(r"#0001([0-9a-f]{2})", area, svg)
    svg = re.sub(r"#0000([0-9a-f]{2})", lambda match: f"var(--{_variable(match[1])})", svg)
    if hatches:
        svg = svg.replace(">", f"><defs>{''.join(hatches[index] for index in sorted(hatches))}</defs>", 1)
    return svg


def _variable(code: str) -> str:
    if code in _NAMES:
        return _NAMES[code]
    number = int(code, 16)
    return f"h{number - 0x30 + 1}" if number >= 0x30 else f"s{number - 0x10 + 1}"
