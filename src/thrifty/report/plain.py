"""A page as plain values for JSON: what a program reads instead of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from thrifty.report.blocks import Block, Bullets, Code, Facts, Note, Page, Text
from thrifty.report.charts import ROLES, Chart
from thrifty.report.numbers import Number, finite
from thrifty.report.tables import Cell, Column, Table

SCHEMA: Final = "thrifty.page/1"


def to_json(page: Page) -> dict[str, Any]:
    """The page as dicts, lists, texts and finite numbers (what is no number is None), ready for `json.dumps`."""
    return {
        "schema": SCHEMA, "title": page.title, "summary": page.summary, "headline": _facts(page.headline), "inputs": _facts(page.inputs),
        "sections": [{"title": s.title, "id": s.anchor, "blocks": [_block(block) for block in s.blocks]} for s in page.sections],
        "sources": [asdict(source) for source in page.sources], "generated": page.generated, "command": page.command,
    }  # fmt: skip


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Text(text=text):
            return {"block": "text", "text": text}
        case Bullets(items=items, ordered=ordered):
            return {"block": "bullets", "items": list(items), "ordered": ordered}
        case Note(text=text, kind=kind):
            return {"block": kind, "text": text}
        case Code(text=text, caption=caption):
            return {"block": "code", "text": text, "caption": caption}
        case Facts(items=items, caption=caption):
            return {"block": "facts", "items": _facts(items), "caption": caption}
        case Table():
            return {"block": "table", "caption": block.caption, **_rows(block)}
        case Chart():
            return {
                "block": "chart", "kind": block.kind, "title": block.title, "caption": block.caption, "alt": block.alt, **_rows(block.table),
                "axes": {role: key for role in ROLES if (key := getattr(block, role))},
                "logarithmic": {"x": block.logarithmic[0], "y": block.logarithmic[1]}, "roofs": [asdict(roof) for roof in block.roofs],
            }  # fmt: skip


def _rows(table: Table) -> dict[str, Any]:
    return {
        "columns": [_column(column) for column in table.columns],
        "rows": [{column.key: _cell(cell) for column, cell in zip(table.columns, row, strict=True)} for row in table.rows],
    }


def _column(column: Column) -> dict[str, Any]:
    known = {"key": column.key, "title": column.title, "unit": column.unit, "truth": column.truth, "meaning": column.meaning}
    return {name: value for name, value in known.items() if value}


def _cell(cell: Cell) -> Any:
    if isinstance(cell, Number):
        return cell.to_dict()
    return finite(cell) if isinstance(cell, float) else cell


def _facts(items: Mapping[str, Number | str]) -> dict[str, Any]:
    return {name: value.to_dict() if isinstance(value, Number) else value for name, value in items.items()}
