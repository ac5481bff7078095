"""`thrifty carbon embodied`: what making a part, a device or a whole bill of materials emitted, by several public models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts

if TYPE_CHECKING:
    from thrifty.cost.carbon.embodied import PricedAssembly


def embodied(
    parts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]...", help='Such as "logic:area_mm2=826,node_nm=7", "12*dram:gb=32,type=ddr4", "ssd:gb=1000", a100-80gb or epyc-9654.'),
    ] = None,
    bom: Annotated[str, typer.Option("--bom", metavar="FILE", help="Instead: a bill of materials, .toml or .json, or one that comes along by name.")] = "",
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="One model, several with commas, or ensemble: all that cover the part.")] = "ensemble",
    kinds: Annotated[bool, typer.Option("--kinds", help="List kinds of parts with their keys, places of fabs, bills and models.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Carbon of making parts, devices by name, or a bill of materials: the span of public models, and who says what."""
    if kinds:
        _kinds(as_json)
        return
    from thrifty.cost.carbon.embodied import Assembly, parse_part, price_assembly, read_assembly
    from thrifty.lenses.carbon.pages.embodied import embodied_page
    from thrifty.report import give, made_now

    if bool(parts) == bool(bom):
        raise BadValue("parts are needed, once. Give PART... or --bom FILE; list kinds with: thrifty carbon embodied --kinds")
    if parts:
        found = tuple(parse_part(text) for text in parts)
        assembly = Assembly(name=found[0].label if len(found) == 1 else f"{len(found)} parts", parts=found)
    else:
        assembly = read_assembly(bom)
    names = [name.strip().lower() for name in model.split(",")]
    if "ensemble" in names and len(names) > 1:
        raise BadValue(f"model='{model}' names ensemble beside others, and it is all of them. Name it alone, or leave it out.")
    priced = price_assembly(assembly, names[0] if len(names) == 1 else names)
    command = command_line("thrifty", "carbon", "embodied", *(parts or ()), bom=bom, model=model if model != "ensemble" else "")
    give(lambda: embodied_page(priced, model=model, command=command, generated=made_now()), lambda: _said(priced, model), out, as_json)


def _said(priced: PricedAssembly, model: str) -> dict[str, Any]:
    """The contract's JSON."""
    from thrifty.cost.carbon.factors import load_pack

    pack = load_pack()
    ground = [{"key": key, "title": pack.sources[key].title, "url": pack.sources[key].url, "licence": pack.sources[key].licence} for key in priced.sources]
    return {**priced.to_dict(), "model": model, "sources": ground, "data_pack": pack.version}


def _kinds(as_json: bool) -> None:
    from thrifty.cost.carbon.embodied import KINDS, MODELS, example_names

    covering = {kind: [name for name, parts in MODELS.items() if kind in parts] for kind in KINDS}
    if as_json:
        print_json({
            "kinds": {
                kind: {"keys": {name: {"example": key.example, "needed": key.default is None, "choices": list(key.choices() if key.choices else ())}
                                for name, key in keys.items()}, "models": covering[kind]}
                for kind, keys in KINDS.items()
            },
            "models": list(MODELS), "bills": list(example_names()),
        })  # fmt: skip
        return
    rows = [
        (kind, ", ".join(f"{name}={key.example}" if key.default is None else f"[{name}]" for name, key in keys.items()) or "–", ", ".join(covering[kind]))
        for kind, keys in KINDS.items()
    ]
    rows.append(("package", "type=mcm, dies=4xlogic(area_mm2=211,node_nm=14), [stacking], [facing], [box], [package_mm2]", "threed, act, imec, llmcarbon"))
    choices = [f"{kind} {name}: {', '.join(key.choices())}" for kind, keys in KINDS.items() for name, key in keys.items() if key.choices and kind != "passive"]
    print_parts(
        make_table("kind", "keys; those in brackets may be left out", "models", rows=rows), *choices,
        "any kind: count, name, state (new, reused, recycled), life (years); sizes of memory also as gib, tb, tib",
        f"bills that come along: {', '.join(example_names())}", f"models: ensemble, {', '.join(MODELS)}",
    )  # fmt: skip
