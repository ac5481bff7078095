"""Building servers: brute force over every count, the mix from a stock, and the command."""

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied.servers import Limits, Server, Use, load_chassis, load_part, load_server, per_core
from thrifty.errors import BadValue, NoRoom, UnknownName
from thrifty.levers.steward.reuse import Needs, Reading, all_designs, append_reading, choose, decide_reuse
from thrifty.levers.steward.reuse.choosing import cover

AT = Use.usual(100.0)
FEW = ("genoa-80c", "bergamo-128c", "ddr5-64gb", "ddr4-32gb-reused", "cxl-controller", "ssd-4tb", "ssd-1tb-reused", "nic-100g")


def needs(cores: int = 10_000, memory: float = 8e9, storage: float = 150e9, **more: object) -> Needs:
    return Needs(**{"cores": cores, "memory_per_core_bytes": memory, "storage_per_core_bytes": storage, "limits": Limits.usual(), **more})  # type: ignore[arg-type]


def every_server(asked: Needs) -> list[tuple[Server, float]]:
    """All counts within the chassis, one by one, priced by themselves: slow and plain."""
    found = []
    for cpu, height in itertools.product(("genoa-80c", "bergamo-128c"), (1, 2)):
        chassis = load_chassis(height)
        far_most = 8 if height == 2 else 0
        for near, far, large, small in itertools.product(range(13), range(far_most + 1), range(chassis.drives + 1), range(chassis.drives + 1)):
            if large + small > chassis.drives:
                continue
            counts = {
                cpu: 1,
                "ddr5-64gb": near,
                "ddr4-32gb-reused": far,
                "cxl-controller": int(far > 0),
                "ssd-4tb": large,
                "ssd-1tb-reused": small,
                "nic-100g": 1,
            }
            cores = load_part(cpu).cores
            if (64 * near + 32 * far) * 1e9 < asked.memory_per_core_bytes * cores or (4 * large + small) * 1e12 < asked.storage_per_core_bytes * cores:
                continue
            server = Server(name="any", chassis=chassis, parts={load_part(name): count for name, count in counts.items() if count})
            try:
                found.append((server, per_core(server, AT, limits=asked.limits).total_g))
            except NoRoom:
                continue
    return found


@pytest.mark.parametrize(
    "asked",
    [
        needs(cores=128, parts=FEW), needs(cores=1000, memory=6.5e9, storage=90e9, parts=FEW),
        needs(cores=1000, parts=FEW, limits=Limits(rack_power_w=8000, rack_units=24, load_provisioned=50)),
    ],
)  # fmt: skip
def test_enumeration_agrees_with_brute_force(asked: Needs) -> None:
    plain = every_server(asked)
    lightest: dict[int, float] = {}
    for server, total in plain:
        lightest[server.cores] = min(lightest.get(server.cores, math.inf), total * server.cores)
    counts = itertools.product(*(range(math.ceil(asked.cores / cores) + 1) for cores in lightest))
    mixes = (list(zip(lightest.items(), count, strict=True)) for count in counts)
    best = min(sum(g * n for (_, g), n in mix) for mix in mixes if sum(cores * n for (cores, _), n in mix) >= asked.cores)
    fleet = choose(all_designs(asked, AT), asked)
    assert fleet.cores >= asked.cores
    assert fleet.carbon_g == pytest.approx(best, rel=1e-12)
    assert fleet.certificate.gap == 0
    assert fleet.certificate.bound >= min(total for _, total in plain) * asked.cores * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(1, 11), st.floats(0.5, 9), min_size=1, max_size=3), st.integers(1, 70), st.sampled_from([1, 16]),
)  # fmt: skip
def test_property_whole_servers_cover_at_least_cost(costs: dict[int, float], wanted: int, unit: int) -> None:
    sized = {size * unit: cost for size, cost in costs.items()}
    counts = cover(wanted * unit, sized)
    assert sum(size * count for size, count in counts.items()) >= wanted * unit
    every = itertools.product(*(range(math.ceil(wanted * unit / size) + 1) for size in sized))
    best = min(sum(c * n for c, n in zip(sized.values(), count, strict=True)) for count in every
               if sum(size * n for size, n in zip(sized, count, strict=True)) >= wanted * unit)  # fmt: skip
    assert sum(sized[size] * count for size, count in counts.items()) == pytest.approx(best)


def test_more_of_a_part_never_comes_to_more() -> None:
    pytest.importorskip("scipy")
    short = needs(cores=10_000, stock={"ddr4-32gb-reused": 1000})
    assert choose(all_designs(needs(cores=10_000), AT), needs(cores=10_000)).carbon_g <= choose(all_designs(short, AT), short).carbon_g * (1 + 1e-9)


def test_a_mix_from_stock_agrees_with_brute_force() -> None:
    asked = needs(cores=384, parts=FEW, stock={"ddr4-32gb-reused": 11, "ssd-1tb-reused": 17})
    cheapest: dict[tuple[int, int, int], float] = {}
    for server, total in every_server(asked):
        counts = server.counts()
        key = (server.cores, counts.get("ddr4-32gb-reused", 0), counts.get("ssd-1tb-reused", 0))
        cheapest[key] = min(cheapest.get(key, math.inf), total * server.cores)
    # 384 cores: at most five servers of either kind; every multiset of them that the stock allows.
    best = math.inf
    layer = {(0, 0, 0): 0.0}
    for _ in range(5):
        grown: dict[tuple[int, int, int], float] = {}
        for (cores, dimms, drives), grams in layer.items():
            for (more, d, s), g in cheapest.items():
                key = (cores + more, dimms + d, drives + s)
                if key[1] <= 11 and key[2] <= 17:
                    grown[key] = min(grown.get(key, math.inf), grams + g)
        layer = grown
        best = min([best, *(grams for (cores, _, _), grams in layer.items() if cores >= 384)])
    fleet = choose(all_designs(asked, AT), asked)
    assert fleet.carbon_g == pytest.approx(best, rel=1e-9)
    assert fleet.certificate.by == "branch and bound (HiGHS)" and fleet.certificate.gap < 1e-6
    used = fleet.used()
    assert used.get("ddr4-32gb-reused", 0) <= 11 and used.get("ssd-1tb-reused", 0) <= 17 and fleet.cores >= 384


def test_less_stock_never_helps_and_none_is_all_new() -> None:
    grams = [choose(all_designs(asked, AT), asked).carbon_g for asked in (needs(stock={"ddr4-32gb-reused": n}) for n in (0, 100, 400, 10_000))]
    assert grams == sorted(grams, reverse=True) and grams[0] > grams[-1]
    none = needs(stock={"ddr4-32gb-reused": 0, "ssd-1tb-reused": 0})
    assert not any(load_part(name).reused for name in choose(all_designs(none, AT), none).used())


def test_what_a_second_life_bears_changes_the_choice() -> None:
    free, half = needs(), needs(rule="50-50")
    cut, shared = (choose(all_designs(asked, AT), asked) for asked in (free, half))
    assert cut.used()["ddr4-32gb-reused"] > 0
    assert shared.carbon_g > cut.carbon_g
    credited = choose(all_designs(needs(rule="avoided-burden"), AT), needs())
    assert credited.carbon_g == pytest.approx(cut.carbon_g), "a credit is never netted"
    assert credited.credit_g > 0 == cut.credit_g
    full = choose(all_designs(needs(rule="value", second_share=1.0), AT), needs())
    assert full.carbon_g >= shared.carbon_g


def test_the_decision_is_before_and_after_by_the_same_accounts() -> None:
    found = decide_reuse(load_server("baseline"), needs(), AT)
    said = found.decision.to_dict()
    before = per_core(load_server("baseline"), AT)
    assert said["before"]["carbon_gco2e"]["mid"] == pytest.approx(before.total_g * 80 * 125)
    rows = said["plan"]["fleet"]["servers"]
    assert said["after"]["carbon_gco2e"]["mid"] == pytest.approx(sum(row["per_core"]["total_g"] * row["cores"] * row["count"] for row in rows))
    # 79 servers of 128 cores would be 112 cores too many: one of fewer cores stands among them.
    assert sum(row["cores"] * row["count"] for row in rows) < 79 * 128
    assert said["certificate"]["gap"] == 0
    assert all(row["memory_bytes"] / row["cores"] >= 8e9 and row["storage_bytes"] / row["cores"] >= 150e9 for row in rows)
    assert said["plan"]["saved_per_core"] > 0.25
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"cores": 0}, BadValue, "cores=0 is not a whole number of at least 1"),
        ({"memory": math.nan}, BadValue, "memory_per_core_bytes=nan is below 0 or not finite"),
        ({"stock": {"abacus": 3}}, UnknownName, "No server part named 'abacus'"),
        ({"stock": {"ssd-2tb": -3}}, BadValue, "stock ssd-2tb=-3 is not a whole number"),
        ({"parts": ("abacus",)}, UnknownName, "No server part named 'abacus'"),
        ({"rule": "fair"}, BadValue, "allocation='fair' is unknown"),
        ({"rule": "value"}, BadValue, "Give the share with value, and only there"),
        ({"rule": "value", "second_share": 1.5}, BadValue, "second_share=1.5 is outside 0 to 1"),
    ],
)  # fmt: skip
def test_bad_needs_are_refused(more: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        needs(**more)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_what_cannot_be_built_says_so() -> None:
    with pytest.raises(NoRoom, match=r"no server of these parts holds 100 GB of memory and 150 GB of storage a core\. Ask for less"):
        all_designs(needs(memory=100e9), AT)
    with pytest.raises(NoRoom, match="fits the power of a rack"):
        all_designs(needs(limits=Limits(rack_power_w=700, rack_units=42, load_provisioned=50)), AT)
    short = needs(stock={"ddr5-64gb": 4, "ddr5-96gb": 4})
    with pytest.raises(NoRoom, match="10000 cores cannot be built from this stock"):
        choose(all_designs(short, AT), short)


def run(*words: str) -> tuple[int, str]:
    import contextlib
    import io

    from thrifty.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(["steward", "reuse", *words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return int(code or 0), said.getvalue()


def test_the_command_gives_json_and_a_page(tmp_path: Path) -> None:
    page = tmp_path / "reuse.html"
    code, text = run("--cores", "1000", "--intensity", "100 gCO2e/kWh", "--memory-per-core", "8 GB", "--json", "--out", str(page))
    assert code == 0, text
    said = json.loads(text)
    assert {"before", "after", "plan", "certificate"} <= set(said) and said["certificate"]["gap"] < 0.05
    assert "Carbon per core" in page.read_text() and "<svg" in page.read_text()
    code, text = run("--cores", "1000", "--intensity", "100 gCO2e/kWh", "--memory-per-core", "8 GB")
    assert code == 0 and "less carbon per core than 'baseline'" in text and "modelled" in text


def test_worn_parts_are_the_stock(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    for number in range(30):
        append_reading(file, Reading(
            serial=f"D{number}", part="ssd-1tb-reused", at="2026-01-01T00:00:00+00:00", power_on_hours=17532, written_bytes=1e14 if number < 20 else 1.8e15
        ))  # fmt: skip
    code, text = run("--cores", "640", "--intensity", "100 gCO2e/kWh", "--memory-per-core", "8 GB", "--wear", str(file), "--json")
    assert code == 0, text
    said = json.loads(text)
    assert said["plan"]["wear"]["ssd-1tb-reused"]["usable"] == 20
    assert said["plan"]["stock"]["ssd-1tb-reused"] == 19
    assert said["plan"]["fleet"]["parts"].get("ssd-1tb-reused", 0) <= 19


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--intensity", "0.1"], "intensity '0.1' has no unit. Write a number and a unit, e.g. '100 gCO2e/kWh'."),
        (["--intensity", "nan gCO2e/kWh"], "'nan gCO2e/kWh' is not finite"),
        (["--intensity", "100 g/kWh"], "unit 'g/kWh' has the wrong dimension"),
        (["--intensity=-5 gCO2e/kWh"], "intensity=-5.0 gCO2e/kWh is below 0"),
        (["--site", "world", "--intensity", "1 gCO2e/kWh"], "both state the grid"),
        (["--cores", "0"], "cores=0 is not a whole number"),
        (["--years", "0"], "life_years=0.0 is not above 0"),
        (["--pue", "0"], "pue=0.0 is below 1"),
        (["--rack-power=-5 kW"], "rack_power_w=-5000.0 is not above 0"),
        (["--stock", "ssd-2tb"], "stock 'ssd-2tb' is no count of a part"),
        (["--allocation", "value", "--second-share", "2"], "second_share=2.0 is outside 0 to 1"),
        (["--baseline", "nothing"], "No server named 'nothing'"),
    ],
)
def test_the_command_refuses_in_one_line(words: list[str], message: str) -> None:
    code, text = run(*words)
    assert code == 2
    assert message in text
