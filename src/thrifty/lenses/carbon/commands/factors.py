"""`thrifty carbon factors`: the numbers that all else stands on, each with its ground."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import make_table, print_json, print_parts


def factors(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Show factors whose path holds this, e.g. logic:act or hdd.")] = "",
    place: Annotated[str | None, typer.Option(metavar="CODE", help="Instead: a place's yearly mix as installed packages say, e.g. FRA or USA:ohio.")] = None,
    chip: Annotated[str | None, typer.Option(metavar="NAME", help="Instead: a GPU or CPU of an installed catalogue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Factors of the data pack with spread, region, validity, source, licence and hash; other packages' mixes and chips."""
    if sum((bool(word), place is not None, chip is not None)) > 1:
        raise BadValue("WORD, --place and --chip ask for different things. Give one of them.")
    if place is not None:
        _places(place, as_json)
    elif chip is not None:
        _chips(chip, as_json)
    else:
        _pack(word, as_json)


def _pack(word: str, as_json: bool) -> None:
    from thrifty.cost.carbon.factors import load_pack

    pack = load_pack()
    chosen = [factor for path, factor in pack.factors.items() if word.lower() in path.lower()]
    if not chosen:
        raise BadValue(f"no factor's path holds '{word}'. List all with: thrifty carbon factors")
    if as_json:
        print_json({"version": pack.version, "sha256": pack.sha256, "truth": "literature", "factors": [factor.to_dict() for factor in chosen]})
        return
    print_parts(
        make_table("factor", "value", "spread", "region", "valid", "source", "licence", "hash", rows=[
            (
                factor.path, f"{factor.value:g} {factor.unit}", "–" if factor.distribution.kind == "exact" else _spread(factor.distribution.to_dict()),
                factor.region or "any", f"{factor.valid_from or '…'} to {factor.valid_to or '…'}" if factor.valid_from or factor.valid_to else "–",
                factor.source, factor.licence, factor.sha256[:8],
            )
            for factor in chosen
        ]),
        f"{len(chosen)} factors of data pack {pack.version}, all [literature]; --json says where in each source, and when it was read.",
    )  # fmt: skip


def _spread(raw: dict[str, Any]) -> str:
    return f"{raw.pop('kind')} ({', '.join(f'{name} {value:g}' if isinstance(value, float) else f'{len(value)} {name}' for name, value in raw.items())})"


def _places(place: str, as_json: bool) -> None:
    from thrifty.cost.carbon.factors.adapters import find_mixes

    found = find_mixes(place)
    if as_json:
        print_json({"truth": "literature", "mixes": [mix.to_dict() for mix in found]})
        return
    spread = max(mix.g_per_kwh for mix in found) / max(min(mix.g_per_kwh for mix in found), 1e-9)
    print_parts(
        make_table("place", "gCO2e/kWh", "counts", "year", "source", "licence", rows=[
            (mix.title, f"{mix.g_per_kwh:.1f}", mix.boundary, "not stated" if mix.year is None else str(mix.year), mix.source, mix.licence) for mix in found
        ]),
        *([f"They differ by a factor of {spread:.2f}: look at what each counts, and at its year."] if spread > 1.1 else []),
    )  # fmt: skip


def _chips(name: str, as_json: bool) -> None:
    from dataclasses import asdict

    from thrifty.cost.carbon.factors.adapters import find_chip

    found = find_chip(name)
    if as_json:
        print_json({"truth": "literature", **asdict(found)})
        return

    def said(value: float | None, unit: str) -> str:
        return "not stated" if value is None else f"{value:g} {unit}"

    print_parts(make_table("", "", rows=[
        ("name", f"{found.vendor} {found.name}".strip()), ("die", said(found.die_area_mm2, "mm²")), ("node", said(found.node_nm, "nm")),
        ("power", said(found.tdp_w, "W")), ("memory", f"{found.memory_bytes / 1e9:g} GB {found.memory_type}" if found.memory_bytes else "none on the board"),
        ("year", str(found.year or "not stated")), ("source", f"{found.source} ({found.licence})"),
    ]))  # fmt: skip
