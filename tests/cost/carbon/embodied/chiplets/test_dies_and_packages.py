"""Chiplets: 3D-Carbon's published examples, closed forms, and what yield has to do to costs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied.chiplets import (
    Die,
    Package,
    die_yield,
    dies_per_wafer,
    mean_inverse_yield,
    parse_package,
    price_package,
    stacking_factors,
    threed_die_g,
    wafer_area_mm2,
)  # fmt: skip
from thrifty.cost.carbon.factors import Distribution, load_pack
from thrifty.errors import BadValue

EPYC_7351 = "package:type=mcm,dies=4xzen1(area_mm2=211,node_nm=14,layers=12),package_mm2=4410"


def test_paper_epyc_7351() -> None:
    # 3D-Carbon's own example: made in Taiwan, four dies of 211 mm² with 12 metal layers, a package of 4410 mm².
    priced = price_package(parse_package(EPYC_7351))
    assert priced.dies_g / 1e3 == pytest.approx(16.80, abs=0.005)
    assert priced.package_g / 1e3 == pytest.approx(3.47, abs=0.005)
    assert priced.total_g / 1e3 == pytest.approx(20.27, abs=0.005)


def test_paper_epyc_7452() -> None:
    # zen2: 6.38 kg, package 3.47 kg with 4 dies of 74 mm² in 7 nm with 13 layers; the I/O die's 9.96 kg come out with 11 layers, which the example leaves open.
    assert 4 * threed_die_g(74, 7, layers=13) / 1e3 == pytest.approx(6.38, abs=0.005)
    assert threed_die_g(408, 12, layers=11) / 1e3 == pytest.approx(9.96, abs=0.005)


def test_paper_fan_out_of_thor() -> None:
    # Published for one chip split in two: package 0.84 kg, layers 11.21 kg (chip first) and 12.17 (chip last), dies 73.67 and 48.87 over MCM's 45.04.
    # The area is not published; 445.4 mm² a die gives the layers' 11.21, and then all the others.
    priced = {kind: price_package(parse_package(f"type={kind},dies=2xlogic(area_mm2=445.4,node_nm=5)")) for kind in ("mcm", "info-first", "info-last")}
    assert priced["mcm"].package_g / 1e3 == pytest.approx(0.84, abs=0.005)
    assert priced["info-first"].substrate_g / 1e3 == pytest.approx(11.21, abs=0.005)
    assert priced["info-last"].substrate_g / 1e3 == pytest.approx(12.17, abs=0.01)
    assert priced["info-first"].dies_g / priced["mcm"].dies_g == pytest.approx(73.67 / 45.04, abs=0.001)
    assert priced["info-last"].dies_g / priced["mcm"].dies_g == pytest.approx(48.87 / 45.04, abs=0.001)


def test_formula_yield_and_wafer() -> None:
    assert die_yield(213, 0.001) == pytest.approx((1 + 0.0213) ** -10, rel=1e-12)
    assert die_yield(213, 0.001, clustering=1e9) == pytest.approx(math.exp(-0.213), rel=1e-6)
    assert die_yield(213, 0.0) == 1.0
    assert dies_per_wafer(211) == math.floor(math.pi * 90000 / 844 - math.pi * 300 / math.sqrt(422)) == 289
    assert wafer_area_mm2(211) == pytest.approx(math.pi * 22500 / 289)


def test_formula_one_die_by_hand() -> None:
    energy = 1.2 + (12 - 10) * 0.05
    per_cm2 = 583 * energy + 125 * energy / 1.2 + 500
    assert threed_die_g(211, 14, layers=12) == pytest.approx(per_cm2 * math.pi * 225 / 289 * (1 + 0.0211) ** 10, rel=1e-12)
    assert threed_die_g(211, 14, yield_share=0.5) == pytest.approx(2 * threed_die_g(211, 14, yield_share=1.0))
    assert threed_die_g(211, 14, yield_share=1.0, fab_g_per_kwh=0.0) == pytest.approx((125 + 500) * math.pi * 225 / 289)


@pytest.mark.parametrize(("a", "b"), [(9.0, 1.0), (20.0, 3.0), (2.5, 0.5)])
def test_formula_mean_of_one_over_yield(a: float, b: float) -> None:
    # Midpoints of equal shares of Beta(a, b): their mean of 1/Y goes to the closed form, which lies above 1/E[Y].
    u = (0.5 + np.arange(200_000)) / 200_000
    sampled = float((1 / Distribution("beta", (a, b, 0.0, 1.0)).quantile(u)).mean())
    assert mean_inverse_yield(a, b) == pytest.approx((a + b - 1) / (a - 1))
    assert mean_inverse_yield(a, b) == pytest.approx(sampled, rel=0.02 if a < 3 else 1e-4)
    assert mean_inverse_yield(a, b) > (a + b) / a


@given(st.floats(20, 400), st.sampled_from([3, 5, 7, 8, 10, 12, 14, 20, 28]))
def test_property_twice_the_area_costs_more_than_twice(area_mm2: float, node_nm: float) -> None:
    # Yield raises it smoothly; whole dies on a wafer make steps, of less than one die of the wafer's count.
    smooth = die_yield(area_mm2, load_pack().get(f"chiplets:defects.n{node_nm}", "count_per_area"))
    assert die_yield(2 * area_mm2, load_pack().get(f"chiplets:defects.n{node_nm}", "count_per_area")) < smooth
    assert threed_die_g(2 * area_mm2, node_nm) > 2 * threed_die_g(area_mm2, node_nm)


def test_formula_monolith_and_four_chiplets_cross_once() -> None:
    def gain(area_mm2: float) -> float:
        # Chiplets need a tenth more area for their links, and joining them costs yield.
        one = price_package(Package(type="2d", dies=(Die(area_mm2=area_mm2, node_nm=7),))).total_g
        four = price_package(Package(type="info-last", dies=(Die(area_mm2=1.1 * area_mm2 / 4, node_nm=7, count=4),))).total_g
        return one - four

    assert gain(100) < 0 < gain(800)
    signs = [gain(area) > 0 for area in range(100, 801, 10)]
    assert sum(a != b for a, b in itertools.pairwise(signs)) == 1


def test_formula_stacks_lose_what_a_bad_bond_takes_along() -> None:
    die, energy = Die(area_mm2=100, node_nm=7, yield_share=0.8), 583 / 100
    raw = die.raw_g()
    three = (die, die, die)
    d2w = price_package(Package(type="hybrid", dies=three, box="none"))
    assert d2w.dies_g == pytest.approx(raw / 0.8 * (2 / 0.95**2 + 1 / 0.95))
    bond, via = 0.28 * energy * 100, 0.25 * energy * 100
    assert d2w.bonding_g == pytest.approx(bond * (1 / 0.95**2 + 1 / 0.95) + 2 * via / 0.8 / 0.95**2)
    w2w = price_package(Package(type="hybrid", dies=three, stacking="w2w", box="none"))
    assert w2w.dies_g == pytest.approx(3 * raw / (0.8**3 * 0.97**2))
    assert w2w.bonding_g == pytest.approx((2 * bond + 2 * via) / (0.8**3 * 0.97**2))
    assert price_package(Package(type="monolithic", dies=three, box="none")).total_g == pytest.approx(3 * raw / (0.8**3 * 0.93**2))
    face = price_package(Package(type="hybrid", dies=three, facing="f2f", box="none"))
    assert d2w.bonding_g - face.bonding_g == pytest.approx(via / 0.8 / 0.95**2)
    assert price_package(Package(type="micro-bump", dies=(die, die), box="none")).dies_g == pytest.approx(2 * raw / 0.8 / 0.96)


def test_formula_interposer_and_bridge() -> None:
    dies = (Die(area_mm2=610, node_nm=14), Die(area_mm2=72, node_nm=28, count=4))
    area = 1.1 * (610 + 4 * 72)
    per_cm2 = 583 * 1.2 + 100 + 250
    found = price_package(Package(type="interposer", dies=dies))
    assert found.substrate_g == pytest.approx(per_cm2 * wafer_area_mm2(area) / 100 * (1 + area * 0.0001) ** 6 / 0.96**5)
    bridged = price_package(Package(type="emib", dies=dies, bridge_mm2=10))
    assert bridged.substrate_g == pytest.approx(4 * per_cm2 * wafer_area_mm2(10) / 100 * (1 + 10 * 0.0001) ** 6 / 0.96**5)
    assert bridged.substrate_g < found.substrate_g / 10


def test_factors_of_stacking() -> None:
    assert stacking_factors("micro-bump") == {"delay": 0.837, "power": 0.967}
    assert stacking_factors("monolithic") == {"delay": 1.008, "power": 1.035}
    assert stacking_factors("mcm") == {"delay": 1.0, "power": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=mcm,dies=4xlogic(area_mm2=-10,node_nm=14)", r"area_mm2=-10.0 is not above 0\. Give e\.g\. 213\."),
        ("type=mcm,dies=4xlogic(area_mm2=nan,node_nm=14)", "area_mm2=nan is not above 0"),
        ("type=mcm,dies=4xlogic(area_mm2=211,node_nm=14,yield=1.5)", r"yield=1\.5 is outside \(0, 1\]\. Give a share such as 0\.9\."),
        ("type=mcm,dies=4xlogic(area_mm2=211,node_nm=90)", r"node_nm=90\.0 is no node of 3D-Carbon's tables\. Choose from 3 to 28 nm\."),
        ("type=mcm,dies=4xlogic(area_mm2=211)", "has no node_nm"),
        ("type=mcm,dies=4xlogic(area_mm2=211,node_nm=14", "has a bracket that does not close"),
        ("type=mcm,dies=logic(area_mm2=211,node_nm=14)", "type=mcm has 1 dies. Give two or more, or type=2d"),
        ("type=2d,dies=2xlogic(area_mm2=211,node_nm=14)", "type=2d has 2 dies. Give one"),
        ("type=mcm,dies=0xlogic(area_mm2=211,node_nm=14)", "count=0 of dies is not a whole number of at least 1"),
        ("type=glue,dies=2xlogic(area_mm2=211,node_nm=14)", "package type='glue' is unknown. Choose from: 2d, mcm"),
        ("type=emib,dies=2xlogic(area_mm2=211,node_nm=14)", "Give bridge_mm2 with type=emib, and only there"),
        ("type=mcm,stacking=w2w,dies=2xlogic(area_mm2=211,node_nm=14)", "bonds no dies on top of one another"),
        ("type=mcm,dies=2xlogic(area_mm2=211,node_nm=14),package_mm2=0", r"package_mm2=0\.0 is not above 0"),
        ("type=mcm,dies=2xlogic(area_mm2=211,node_nm=14),fab_g_per_kwh=-1", r"fab_g_per_kwh=-1\.0 is below 0 or not finite"),
        ("type=mcm,dies=2xlogic(area_mm2=big,node_nm=14)", "area_mm2=big is not a number"),
        ("type=mcm,type=mcm,dies=2xlogic(area_mm2=211,node_nm=14)", "says type twice"),
        ("type=mcm", "package has no dies"),
        ("dies=2xlogic(area_mm2=211,node_nm=14)", "package has no type"),
        ("type=mcm,dies=plaster", "'plaster' is no die"),
        ("type=mcm,colour=red", "package has no 'colour=red'"),
    ],
)
def test_bad_packages_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(BadValue, match=message) as caught:
        parse_package(text)
    assert "\n" not in str(caught.value)


def test_bad_dies_are_refused() -> None:
    with pytest.raises(BadValue, match=r"area_mm2=60000 leaves no whole die on a wafer of 300 mm"):
        threed_die_g(60000, 7)
    with pytest.raises(BadValue, match=r"layers=-100 is not above 0"):
        threed_die_g(100, 7, layers=-100)
    with pytest.raises(BadValue, match=r"a=1\.0 gives 1/yield no mean"):
        mean_inverse_yield(1.0, 2.0)
    with pytest.raises(BadValue, match=r"defects_per_mm2=-0\.1 is below 0 or not finite"):
        die_yield(100, -0.1)
