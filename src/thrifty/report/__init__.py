"""Building blocks of a page, and three ways to show it. Knows nothing of models or devices.

A room turns its result into a `Page`: sections of texts, facts, tables, charts, notes and code. Every number on it has a unit and a tag
(measured, modelled, literature; `given` for what the reader chose or what was counted exactly), and what is read in a source names it.
The page is then printed on a terminal (`to_terminal`), handed to a program (`to_json`) or written as one HTML file that opens
offline, in light and dark, on paper, by keyboard and by screen reader, with no script (`write_html`).

In order: `numbers` writes numbers as people read them, `tables` and `charts` hold them, `blocks` are what a page is made of, `grids` turns
tables into texts, `crowds` puts charts of thousands of marks into few words, `drawing` turns charts into SVG (Altair, imported only then),
`html`, `terminal` and `plain` show a page, `notebook` lets a result show itself, `giving` is how every command gives its answer.
"""

from thrifty.report.blocks import Block, Bullets, Code, Facts, Note, Page, Section, Source, Text
from thrifty.report.charts import Chart, ChartKind, Roof
from thrifty.report.crowds.calendars import calendar_chart
from thrifty.report.giving import give, made_now
from thrifty.report.html import to_fragment, to_html, write_html
from thrifty.report.notebook import ShownAsPage
from thrifty.report.numbers import Ground, Number, Style, number_text
from thrifty.report.plain import to_json
from thrifty.report.tables import Cell, Column, Table
from thrifty.report.terminal import to_terminal

__all__ = [
    "Block", "Bullets", "Cell", "Chart", "ChartKind", "Code", "Column", "Facts", "Ground", "Note", "Number", "Page", "Roof", "Section", "ShownAsPage",
    "Source", "Style", "Table", "Text", "calendar_chart", "give", "made_now", "number_text", "to_fragment", "to_html", "to_json", "to_terminal", "write_html",
]  # fmt: skip
