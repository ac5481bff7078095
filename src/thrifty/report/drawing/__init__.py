"""How a chart is drawn: Altair lays it out, vl-convert writes static SVG, and stand-in colours become the page's variables.

`palette` holds the stand-ins, dashes, shapes and hatches; `axes` the scales and ticks; `placing` finds room for labels; `bars`, `points`,
`lines`, `tiles` and `timelines` each draw their kinds of chart as layers, `timelines` after `condensing` has joined what is too narrow to be
seen; `svg` joins the layers. No colour is meant here: the stylesheet has them, for light, dark and print. Nothing is told by colour alone:
series differ in hatch, dash or shape, and points have their names.
"""

from thrifty.report.drawing.svg import Drawing, chart_svg, draw

__all__ = ["Drawing", "chart_svg", "draw"]
