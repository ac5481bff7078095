"""How a chart is drawn: Altair lays it out, vl-convert writes static SVG, and stand-in colours become the page's variables.

`palette` holds the stand-ins, dashes, shapes and hatches; `axes` the scales and ticks; `placing` finds room for labels; `bars`, `points`,
`lines` and `tiles` each draw their kinds of chart as layers; `svg` joins them. No colour is meant here: the stylesheet has
them, for light, dark and print. Nothing is told by colour alone: series differ in hatch, dash or shape, and points have their names.
"""

from thrifty.report.drawing.svg import chart_svg

__all__ = ["chart_svg"]
