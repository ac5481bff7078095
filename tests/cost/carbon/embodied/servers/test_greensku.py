"""GreenSKU's servers: its fit, its racks, its published savings by both accounts, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied.servers import (
    SCENARIOS,
    Limits,
    Saving,
    Server,
    ServerPart,
    Use,
    all_parts,
    derate,
    fair_co2_node,
    load_chassis,
    load_part,
    load_server,
    per_core,
    published_grid_g_per_kwh,
    published_savings,
    racks_per_building,
    repairs_per_100_server_years,
    saving,
    server_power_w,
    servers_per_rack,
)  # fmt: skip
from thrifty.errors import BadFile, BadValue, NoRoom, UnknownName

AT = published_grid_g_per_kwh()
"""gCO2e/kWh: 0.10 kg/kWh."""


def within(ours: Saving, published: Saving, points: float) -> None:
    for what in ("operational", "embodied", "total"):
        assert getattr(ours, what) == pytest.approx(getattr(published, what), abs=points / 100), what


def test_paper_derates() -> None:
    assert derate(40) == pytest.approx(0.44293, abs=5e-6)
    assert derate(50) == pytest.approx(0.52963, abs=5e-6)


def test_formula_derate_is_the_least_squares_cubic() -> None:
    loads = np.arange(10.0, 101, 10)
    shares = np.array([0.2, 0.28, 0.36, 0.44, 0.53, 0.62, 0.7, 0.79, 0.88, 0.95])
    solved, *_ = np.linalg.lstsq(np.vander(loads / 100, 4), shares, rcond=None)
    assert [derate(float(load)) for load in loads] == pytest.approx(list(np.vander(loads / 100, 4) @ solved), abs=1e-9)


def test_paper_servers_per_rack() -> None:
    assert servers_per_rack(load_server("baseline")) == 32
    assert servers_per_rack(load_server("full")) == 16


def test_formula_power_by_hand() -> None:
    load = 0.4429254079
    parts = (290 * 1.05 + 12 * 23.68 + 6 * 11.2 + 19) * load
    still = parts + 35
    assert server_power_w(load_server("baseline"), 40) == pytest.approx(still + (75 + 0.17869227 * (still - 250)) * load, rel=1e-9)


def test_formula_per_core_by_hand() -> None:
    watts = server_power_w(load_server("full"), 40) + 500 / 16
    found = per_core(load_server("full"), Use.usual(AT))
    assert found.operational_g == pytest.approx(watts / 1000 * AT * 720 * 72 * 1.12 * 0.66 / 128, rel=1e-9)
    assert found.parts_g == pytest.approx((28.3 + 12 * 105.4 + 2.47 + 2 * 69.3 + 58.09) * 1e3 / 128)
    assert found.chassis_g == pytest.approx((375 + 1.5897) * 1e3 / 128)
    assert found.rack_g == pytest.approx(500e3 / 16 / 128)
    assert found.building_g == pytest.approx(9e9 * 6 / 20 / 2500 / 16 / 128)
    assert found.energy_j / 3.6e6 * AT == pytest.approx(found.operational_g)
    assert per_core(load_server("full"), Use.usual(AT), boundary="rack").building_g == 0.0


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "baseline"])
def test_paper_savings_within_a_point(name: str) -> None:
    # By our accounts table V comes out, by those of the published program (which scales making by PUE and power factor) table VIII.
    published, use = published_savings(), Use.usual(AT)
    within(saving(load_server(name), load_server("baseline"), use), published["table_v"][name], 1.0)
    program = saving(load_server(name), load_server("baseline"), use, accounts="published-program")
    within(program, published["table_viii"][name], 1.0)


def test_paper_full_at_two_intensities() -> None:
    ours, program = ([saving(load_server("full"), load_server("baseline"), Use.usual(grid), accounts=accounts) for grid in (100, 350)]
                     for accounts in ("thrifty", "published-program"))  # fmt: skip
    for found in (*ours, *program):
        assert found.operational == pytest.approx(0.137, abs=0.002)
    assert program[0].embodied == pytest.approx(0.379, abs=0.001)
    assert [found.total for found in program] == pytest.approx([0.260, 0.192], abs=0.001)
    # The defect shows: our embodied saving and both totals lie higher.
    assert ours[0].embodied == pytest.approx(0.384, abs=0.001)
    assert [found.total for found in ours] == pytest.approx([0.277, 0.204], abs=0.001)


def test_our_embodied_carbon_knows_nothing_of_use() -> None:
    server = load_server("full")
    first, other = per_core(server, Use.usual(AT)), per_core(server, Use.usual(900.0, pue=1.5))
    assert first.embodied_g == other.embodied_g
    assert per_core(server, Use.usual(AT), accounts="published-program").parts_g != first.parts_g
    assert (
        per_core(server, Use.usual(AT, pue=1.4), accounts="published-program").parts_g > per_core(server, Use.usual(AT), accounts="published-program").parts_g
    )


def test_racks_by_power_and_by_space() -> None:
    server = load_server("baseline")
    tight = Limits(rack_power_w=5000, rack_units=42, load_provisioned=50)
    assert servers_per_rack(server, tight) == int(4500 // (server_power_w(server, 50) * 1.05)) < 32
    assert racks_per_building(server, tight) == 2500
    low = Limits(rack_power_w=30000, rack_units=12, load_provisioned=50)
    assert servers_per_rack(server, low) == 2
    assert racks_per_building(load_server("bergamo")) < 2500
    with pytest.raises(NoRoom, match=r"not one 'baseline' fits the power of a rack of 600 W and 42 units\. Give the rack more\."):
        servers_per_rack(server, Limits(rack_power_w=600, rack_units=42, load_provisioned=50))
    with pytest.raises(NoRoom, match="fits the space of a rack"):
        servers_per_rack(server, Limits(rack_power_w=30000, rack_units=10, load_provisioned=50))


def test_formula_repairs() -> None:
    assert repairs_per_100_server_years(load_server("baseline"), fail_in_place=False) == pytest.approx(12 * 0.1 + 6 * 0.2 + 2.4)
    assert repairs_per_100_server_years(load_server("full"), fail_in_place=False) == pytest.approx(20 * 0.1 + 14 * 0.2 + 2.4)
    assert repairs_per_100_server_years(load_server("full")) == pytest.approx(0.25 * (20 * 0.1 + 14 * 0.2) + 2.4)


def test_formula_fair_co2_node() -> None:
    imec, act = fair_co2_node(), fair_co2_node("act")
    assert sum(imec.values()) / 1e3 == pytest.approx(2 * 20.54 + 24.21 + 146.875 + 0.16 * 480 + 109.67 + 34.30 + 59.17 + 30.016)
    assert (imec["cpu"] - act["cpu"]) / 1e3 == pytest.approx(2 * (20.54 - 18.53))
    with pytest.raises(BadValue, match="silicon='sand' is unknown"):
        fair_co2_node("sand")


@given(st.permutations(sorted(all_parts())), st.integers(1, 5))
def test_property_order_of_parts_does_not_matter(names: list[str], count: int) -> None:
    chassis = load_chassis(2)
    one = Server(name="a", chassis=chassis, parts={load_part(name): count for name in names})
    other = Server(name="b", chassis=chassis, parts={load_part(name): count for name in sorted(names)})
    assert per_core(one, Use.usual(AT)).total_g == pytest.approx(per_core(other, Use.usual(AT)).total_g, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: load_server("fulll"), UnknownName, "No server named 'fulll'. Did you mean 'full'"),
        (lambda: load_part("ddr6"), UnknownName, "No server part named 'ddr6'"),
        (lambda: load_chassis(4), BadValue, "height=4 units is no chassis of the sheet. Choose from: 1, 2."),
        (lambda: Server(name="x", chassis=load_chassis(1), parts={load_part("nic-100g"): 1}), BadValue, "server 'x' has 0 cores"),
        (lambda: Server(name="x", chassis=load_chassis(1), parts={load_part("genoa-80c"): -1}), BadValue, "has -1 of 'genoa-80c'"),
        (lambda: ServerPart(name="x", power_w=-3.0, carbon_g=1.0), BadValue, "part 'x' has power_w=-3.0, below 0 or not finite"),
        (lambda: ServerPart(name="x", power_w=float("nan"), carbon_g=1.0), BadValue, "part 'x' has power_w=nan"),
        (lambda: Use.usual(float("nan")), BadValue, "intensity=nan gCO2e/kWh is below 0 or not finite"),
        (lambda: Use.usual(100, life_years=0), BadValue, "life_years=0 is not above 0"),
        (lambda: Use.usual(100, pue=0.9), BadValue, "pue=0.9 is below 1"),
        (lambda: derate(5), BadValue, "load=5 % lies outside the table"),
        (lambda: per_core(load_server("full"), Use.usual(100), boundary="planet"), BadValue, "boundary='planet' is unknown"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_bad_values_are_refused_in_one_line(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_servers_of_your_own(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "mine.toml"
    file.write_text("height = 2\ngenoa-80c = 2\nddr5-64gb = 12\nnic-100g = 1\n")
    mine = load_server(str(file))
    assert (mine.name, mine.cores, mine.chassis.units, mine.memory_bytes) == ("mine", 160, 2, 768e9)
    file.write_text("genoa-80c = 1.5\n")
    with pytest.raises(BadFile, match=r"genoa-80c = 1\.5 is no whole number"):
        load_server(str(file))
    with pytest.raises(BadFile, match="cannot be read"):
        load_server(str(file.with_name("none.toml")))
