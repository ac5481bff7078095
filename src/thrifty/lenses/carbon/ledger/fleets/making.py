"""What making an asset emitted: a device of the catalogue, a part in words, or grams that the description states."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.cost.carbon.embodied import Embodied
from thrifty.cost.carbon.factors import load_pack
from thrifty.footprint import Interval
from thrifty.hardware import load
from thrifty.lenses.carbon.ledger.fleets.description import Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Of one machine. truth, source: what the ledger says of it."""

    gco2e: Interval
    truth: str
    source: str
    notes: tuple[str, ...] = ()


def making_of(asset: Asset) -> Making:
    """Price what was made. Raises UnknownName for a device that the catalogue does not have, BadValue for a part that none is."""
    if asset.embodied_g is not None:
        return Making(gco2e=Interval.exact(asset.embodied_g), truth="given", source="description of the fleet")
    if asset.part:
        from thrifty.cost.carbon.embodied import parse_part, price

        priced = price(parse_part(asset.part))
        return Making(
            gco2e=priced.kgco2e * 1e3, truth="modelled", source=f"ensemble of {', '.join(priced.by_model)}", notes=tuple(priced.notes)
        )  # fmt: skip
    if asset.device:
        found = Embodied.of(load(asset.device))
        names = sorted({name for part in found.models.values() for name in part})
        return Making(gco2e=found.total_gco2e, truth="modelled", source=f"ensemble of {', '.join(names)}", notes=found.notes)
    return Making(gco2e=Interval.exact(0.0), truth="given", source="", notes=(f"making of '{asset.name}' is not stated, so it is not counted",))


def life_s_of(asset: Asset) -> tuple[float, str]:
    """(seconds, a note where the description states no life)."""
    if asset.life_s is not None:
        return asset.life_s, ""
    life_s = load_pack().get("embodied:life.mid", "time")
    return life_s, f"life of '{asset.name}' is not stated: {life_s / 31_557_600:g} years taken"
