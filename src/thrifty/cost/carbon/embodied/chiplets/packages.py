"""Packages of one or more dies: what joins them, and what is lost when joining fails.

Beside one another (2.5D), n dies:
    mcm        : on an organic substrate, nothing but dies and package
    info-first : dies first, redistribution layers over them: a bad layer costs its dies, so that both are over the layers' yield
    info-last  : layers first, known good dies then bonded, each with the yield of a bump: dies and layers over its n-th power
    interposer : the same on a silicon interposer, which has its own wafer and yield
    emib       : the same on silicon bridges in the substrate, of `bridge_mm2` each, one between neighbours
On top of one another (3D), from the package upward:
    micro-bump, hybrid : d2w: known good dies, bonded one by one; what is already in the stack is lost with a bad bond.
                         w2w: whole wafers, so that a bad die costs the whole stack
    monolithic         : tiers grown on the same wafer: all yields multiply, no bond and no via costs energy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from thrifty.cost.carbon.embodied.chiplets.dies import MM2_PER_CM2, Die, fab_intensity, number
from thrifty.cost.carbon.embodied.chiplets.yields import die_yield, positive, wafer_area_mm2
from thrifty.errors import BadValue

Integration = Literal["2d", "mcm", "info-first", "info-last", "interposer", "emib", "micro-bump", "hybrid", "monolithic"]
INTEGRATIONS: Final = get_args(Integration)
STACKED: Final = ("micro-bump", "hybrid", "monolithic")
BOXES: Final = ("fcbga", "wlcsp", "tssop", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Dies and how they are joined.

    dies        : beside one another in any order; stacked from the package upward, `count` of each on top of one another
    stacking    : d2w (die on wafer) or w2w (wafer on wafer); facing: f2b or f2f, which spares the vias between the two lowest dies
    box         : fcbga, wlcsp, tssop or none; package_mm2: its area, None for 1.2 times the dies beneath
    bridge_mm2  : silicon of one bridge, of emib only
    """

    type: Integration
    dies: tuple[Die, ...]
    stacking: Literal["d2w", "w2w"] = "d2w"
    facing: Literal["f2b", "f2f"] = "f2b"
    box: str = "fcbga"
    package_mm2: float | None = None
    bridge_mm2: float | None = None
    fab_g_per_kwh: float | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("type", self.type, INTEGRATIONS), ("stacking", self.stacking, ("d2w", "w2w")), ("facing", self.facing, ("f2b", "f2f")), ("box", self.box, BOXES),
        ):  # fmt: skip
            if value not in known:
                raise BadValue(f"package {name}='{value}' is unknown. Choose from: {', '.join(known)}.")
        count = len(self.each)
        if count < 1 or (self.type == "2d") != (count == 1):
            raise BadValue(f"package type={self.type} has {count} dies. Give {'one' if self.type == '2d' else 'two or more, or type=2d'}.")
        if self.type not in ("micro-bump", "hybrid") and (self.stacking, self.facing) != ("d2w", "f2b"):
            raise BadValue(f"package type={self.type} bonds no dies on top of one another. Leave stacking and facing out, or choose micro-bump or hybrid.")
        if self.package_mm2 is not None:
            positive("package_mm2", self.package_mm2, "4410")
        if (self.type == "emib") != (self.bridge_mm2 is not None):
            raise BadValue(f"package type={self.type} and bridge_mm2={self.bridge_mm2} do not go together. Give bridge_mm2 with type=emib, and only there.")
        if self.bridge_mm2 is not None:
            positive("bridge_mm2", self.bridge_mm2, "10")
        fab_intensity(self.fab_g_per_kwh)

    @property
    def each(self) -> tuple[Die, ...]:
        """Every die by itself."""
        return tuple(die for die in self.dies for _ in range(die.count))

    @property
    def footprint_mm2(self) -> float:
        """Area beneath the dies: their sum, or the largest of a stack."""
        areas = [die.area_mm2 for die in self.each]
        return max(areas) if self.type in STACKED else sum(areas)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCarbon:
    """Grams of CO2e of one good package: its dies with what is lost of them, bonds and vias, what lies beneath, and the package itself."""

    dies_g: float
    bonding_g: float
    substrate_g: float
    package_g: float
    notes: tuple[str, ...] = ()

    @property
    def total_g(self) -> float:
        return self.dies_g + self.bonding_g + self.substrate_g + self.package_g

    def to_dict(self) -> dict[str, float]:
        return {"dies_g": self.dies_g, "bonding_g": self.bonding_g, "substrate_g": self.substrate_g, "package_g": self.package_g, "total_g": self.total_g}


def price_package(package: Package) -> PackageCarbon:
    """Grams of making one good package. Raises BadValue where a die or an interposer does not fit a wafer."""
    fab = fab_intensity(package.fab_g_per_kwh)
    dies, bonding, substrate = _stacked(package, fab) if package.type in STACKED else _beside(package, fab)
    box = 0.0
    if package.box != "none":
        area = package.package_mm2 or package.footprint_mm2 * number("area_factor.package", "ratio")
        box = _energy_mm2(f"package_energy.{package.box}") * area * fab
    return PackageCarbon(dies_g=dies, bonding_g=bonding, substrate_g=substrate, package_g=box)


def stacking_factors(integration: str) -> Mapping[str, float]:
    """Delay and power of a stack over the same circuit on one die (3D-Carbon); both 1 for what is not stacked."""
    if integration not in INTEGRATIONS:
        raise BadValue(f"package type='{integration}' is unknown. Choose from: {', '.join(INTEGRATIONS)}.")
    return {what: number(f"{what}_factor.{integration}", "ratio") if integration in STACKED else 1.0 for what in ("delay", "power")}


def _energy_mm2(path: str) -> float:
    return number(path, "energy_per_area") / MM2_PER_CM2


def _silicon_g(area_mm2: float, fab: float) -> float:
    """An interposer or a bridge: its share of a wafer over its yield."""
    per_cm2 = fab * number("interposer.epa", "energy_per_area") + number("interposer.gpa", "carbon_per_area") + number("interposer.mpa", "carbon_per_area")
    good = die_yield(area_mm2, number("defects.interposer", "count_per_area"), number("clustering.interposer", "ratio"))
    return per_cm2 * wafer_area_mm2(area_mm2, number("fab.wafer", "length")) / MM2_PER_CM2 / good


def _beside(package: Package, fab: float) -> tuple[float, float, float]:
    dies = sum(die.raw_g(fab) / die.good for die in package.each)
    if package.type in ("2d", "mcm"):
        return dies, 0.0, 0.0
    if package.type in ("info-first", "info-last"):
        area = package.footprint_mm2 * number("area_factor.rdl", "ratio")
        good = die_yield(area, number("defects.rdl", "count_per_area"), number("clustering.rdl", "ratio"))
        layers = _energy_mm2("bonding_energy.rdl") * area * fab / good
        if package.type == "info-first":
            return dies / good, 0.0, layers
    elif package.type == "interposer":
        layers = _silicon_g(package.footprint_mm2 * number("area_factor.interposer", "ratio"), fab)
    else:
        layers = (len(package.each) - 1) * _silicon_g(package.bridge_mm2 or 0.0, fab)
    joined = number("bonding_yield.bump_d2w", "ratio") ** len(package.each)
    return dies / joined, 0.0, layers / joined


def _stacked(package: Package, fab: float) -> tuple[float, float, float]:
    each = package.each
    count = len(each)
    raw = [die.raw_g(fab) for die in each]
    all_good = 1.0
    for die in each:
        all_good *= die.good
    if package.type == "monolithic":
        return sum(raw) / (all_good * number("bonding_yield.monolithic", "ratio") ** (count - 1)), 0.0, 0.0
    kind = "bump" if package.type == "micro-bump" else "hybrid"
    bond = number(f"bonding_yield.{kind}_{package.stacking}", "ratio")
    bond_energy = _energy_mm2("bonding_energy.tcb" if kind == "bump" else "bonding_energy.hybrid")
    via_energy = _energy_mm2("bonding_energy.tsv")
    # Each die but the topmost leads its neighbours' signals through; two dies face to face need no vias between them.
    vias = [fab * via_energy * die.area_mm2 if place < count - 1 and not (package.facing == "f2f" and place == 0) else 0.0 for place, die in enumerate(each)]
    # Bond number k joins die k to what lies beneath; its energy is spent over the upper die.
    bonds = [0.0, *(fab * bond_energy * die.area_mm2 for die in each[1:])]
    if package.stacking == "w2w":
        good = all_good * bond ** (count - 1)
        return sum(raw) / good, (sum(vias) + sum(bonds)) / good, 0.0
    # Die k has to outlive its own bond and all later ones; the lowest all of them. Vias are made on the wafer, before a die is known to be good.
    outlived = [bond ** (count - max(place, 1)) for place in range(count)]
    dies = sum(g / die.good / left for g, die, left in zip(raw, each, outlived, strict=True))
    joins = sum(via / die.good / left + made / left for via, made, die, left in zip(vias, bonds, each, outlived, strict=True))
    return dies, joins, 0.0
