"""Prices one part by every model that covers it, and says how far they lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from thrifty.cost.carbon.embodied.ensemble import ENSEMBLE, NotCovered, chosen_models, covering, grams_by_model, interval_of, sources_of, with_failing
from thrifty.cost.carbon.embodied.models.tables import node_note, nodes_of, rows
from thrifty.cost.carbon.embodied.models.threed import share_good
from thrifty.cost.carbon.embodied.parts.checking import complete
from thrifty.cost.carbon.embodied.parts.part import Part
from thrifty.cost.carbon.factors import load_pack
from thrifty.footprint.interval import Interval
from thrifty.quantities import G_PER_KG

_NODE_TABLES: Final = {"act": "logic:act.epa", "imec": "logic:imec.cpa", "llmcarbon": "logic:llmcarbon.cpa"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What making a part emitted, all of its `count` together, in kg of CO2e.

    kgco2e       : least, median, most of the models that cover it; of a tree, the sums over its pieces
    by_model     : each model's own answer; of a tree, over the pieces that it covers, which `covers` lists
    single_model : whether fewer than two models cover it (of a tree: any piece), so that the interval is the stated spread of such models
    pieces       : of a device or a package, what it is made of
    """

    part: Part
    kgco2e: Interval
    by_model: Mapping[str, float]
    single_model: bool
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    pieces: tuple[Priced, ...] = ()
    covers: Mapping[str, tuple[str, ...]] | None = None

    @property
    def disagreement(self) -> float | None:
        """How many times the largest model's answer is the smallest; None for fewer than two above 0."""
        values = [value for value in self.by_model.values() if value > 0]
        return max(values) / min(values) if len(values) > 1 else None

    def to_dict(self, total_kg: float | None = None) -> dict[str, Any]:
        """Plain values; `share` is of `total_kg` where that is given."""
        said: dict[str, Any] = {
            "name": self.part.label, "part": self.part.words(), "kind": self.part.kind, "count": self.part.count, "state": self.part.state,
            "life_years": self.part.life_years, "kgco2e": self.kgco2e.to_dict(), "by_model": dict(self.by_model),
            "models": sorted(self.by_model), "single_model": self.single_model, "disagreement": self.disagreement, "notes": list(self.notes),
        }  # fmt: skip
        if total_kg is not None:
            said["share"] = self.kgco2e.mid / total_kg if total_kg else 0.0
        if self.covers is not None:
            said["covers"] = {name: list(pieces) for name, pieces in self.covers.items()}
        if self.pieces:
            said["pieces"] = [piece.to_dict(total_kg) for piece in self.pieces]
        return said


def price(part: Part, models: str | Sequence[str] = ENSEMBLE) -> Priced:
    """Price `part` by "ensemble" (all models that cover it), one model, or several by name.

    Raises UnknownName for a model that is none, NotCovered (a BadValue) where no chosen one covers the part.
    """
    names = chosen_models(models)
    if part.kind == "device":
        from thrifty.cost.carbon.embodied.device import price_device

        found = price_device(part, names)
    elif part.kind == "package":
        from thrifty.cost.carbon.embodied.joined import price_joined

        found = price_joined(part, names)
    else:
        values = complete(part.kind, part.parameters)
        told = with_failing(part.kind, values, names)
        found = priced_from(
            part, grams_by_model(part.kind, values, names), names, _notes(part, values, names), None if told is None else grams_by_model(part.kind, told, names)
        )  # fmt: skip
    return _in_state(found)


def priced_from(
    part: Part, grams: Mapping[str, float], names: Sequence[str], notes: Sequence[str] = (), at_own_yield: Mapping[str, float] | None = None
) -> Priced:  # fmt: skip
    """The answer for all `part.count` from each model's grams of one (and those at a die's own yield). Raises NotCovered where there is none."""
    if not grams:
        who = ", ".join(covering(part.kind)) or "none"
        raise NotCovered(f"{', '.join(names)} does not cover {part.words()}. Models that know such parts: {who}.")
    each = part.count / G_PER_KG
    single = len(grams) < 2
    said = (f"single model: only {next(iter(grams))} answers; widened both ways by the spread of such models",) if single else ()
    span = interval_of(grams, part.kind, at_own_yield) * each
    return Priced(
        part=part, kgco2e=span, by_model={name: value * each for name, value in grams.items()}, single_model=single,
        sources=sources_of(tuple(grams)), notes=(*said, *notes),
    )  # fmt: skip


def priced_tree(part: Part, pieces: Sequence[Priced], missing: Sequence[str] = (), notes: Sequence[str] = ()) -> Priced:
    """The answer for a part that is made of `pieces` (priced for one), `missing` being those that no chosen model covers."""
    covers = {name: tuple(piece.part.label for piece in pieces if name in piece.by_model) for name in dict.fromkeys(n for p in pieces for n in p.by_model)}
    by_model = {name: math.fsum(piece.by_model.get(name, 0.0) for piece in pieces) * part.count for name in covers}
    left_out = (f"not counted, for no chosen model covers it: {', '.join(missing)}",) if missing else ()
    ends = (math.fsum(getattr(piece.kgco2e, end) for piece in pieces) * part.count for end in ("low", "mid", "high"))
    return Priced(
        part=part, kgco2e=Interval(*ends), by_model=by_model, single_model=any(piece.single_model for piece in pieces),
        sources=tuple(dict.fromkeys(source for piece in pieces for source in piece.sources)), notes=(*left_out, *notes), pieces=tuple(pieces), covers=covers,
    )  # fmt: skip


def _in_state(found: Priced) -> Priced:
    if found.part.state == "recycled":
        return replace(found, notes=(*found.notes, "recycled: priced as new; a credit for its material is never netted"))
    if found.part.state == "new":
        return found
    note = f"reused: its making was charged to its first life (cut-off); new it would be {found.kgco2e.mid:.4g} kg"
    return replace(
        found, kgco2e=Interval.exact(0.0), by_model=dict.fromkeys(found.by_model, 0.0), single_model=False, notes=(note,), pieces=(), covers=None,
    )  # fmt: skip


def _lasting() -> frozenset[str]:
    """Places with a newer intensity, and fuels, whose intensity does not age."""
    return frozenset((*rows("fabs:places_2023", "carbon_per_energy"), *rows("fabs:fuels", "carbon_per_energy")))


def _notes(part: Part, values: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if part.kind == "logic":
        node = float(values["node_nm"])
        if "dies" not in part.parameters and values["dies"] > 1:
            notes.append(f"larger than one exposure field: priced as {values['dies']:.0f} equal dies; say dies= to set it")
        notes += [f"{name}: {said}" for name, table in _NODE_TABLES.items() if name in names and (said := node_note(table, node))]
        if with_failing(part.kind, values, names) is not None and {"act", "imec"} & set(names):
            share = float(share_good(values))
            notes.append(f"no yield stated: for the median, act and imec are told the die's own, {share:.0%} by its area, instead of {values['yield']:.1%}")
        if "threed" in names and node not in nodes_of("chiplets:epa"):
            notes.append(f"threed: no factors for {node:g} nm: those of the node nearest in log(node) taken")
    if "year" in values and values["year"] >= 2023 and values["fab"] not in _lasting():
        notes.append(f"no intensity of {values['fab']} from 2023 on: the older one taken")
    if part.kind == "dram" and "act" in names:
        said = load_pack().factor(f"memory:dram.act.{values['row']}").note
        notes += [said] if "stands in" in said else []
    return tuple(notes)
