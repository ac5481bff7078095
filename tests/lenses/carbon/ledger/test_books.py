"""What is billed against what a decision can change; how making is charged over a life; seals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.carbon.ledger import BillingLedger, DecisionLedger, Ledger, least_carbon, life_share, seal


def machine(name: str, made_g: float, running_g: float) -> list[dict[str, Any]]:
    return [
        {"asset": name, "phase": "manufacture", "scope": 3, "carbon_gco2e": made_g},
        {"asset": name, "phase": "use", "scope": 2, "method": "location", "carbon_gco2e": running_g},
    ]


@given(st.floats(min_value=0.0, max_value=1e6), st.floats(min_value=0.0, max_value=1e6))
def test_property_placement_depends_on_operation_only(old_made_g: float, new_made_g: float) -> None:
    """Pitfall 13: two machines that stand already, the old one inefficient; whatever making them emitted, the work goes to the new one."""
    ledger = Ledger.of([*machine("old", old_made_g, 500.0), *machine("new", new_made_g, 300.0)])
    assert least_carbon(DecisionLedger.of(ledger)) == "new"


def test_formula_a_bill_would_place_work_on_the_old_machine() -> None:
    ledger = Ledger.of([*machine("old", 0.0, 500.0), *machine("new", 900.0, 300.0)])
    bill = ledger.by("asset")
    assert min(bill, key=bill.get) == "old"  # type: ignore[arg-type]
    with pytest.raises(BadValue, match=r"work is placed by a DecisionLedger, not a BillingLedger"):
        least_carbon(BillingLedger(ledger))  # type: ignore[arg-type]


def test_formula_a_machine_yet_to_be_bought_counts_with_its_making() -> None:
    ledger = Ledger.of([*machine("old", 5000.0, 500.0), *machine("new", 900.0, 300.0)])
    decision = DecisionLedger.of(ledger, to_buy=["new"])
    assert decision.ledger.by("asset") == {"old": 500.0, "new": 1200.0}
    assert least_carbon(decision) == "old"
    with pytest.raises(UnknownName, match=r"No asset in this ledger named 'newer'"):
        DecisionLedger.of(ledger, to_buy=["newer"])
    with pytest.raises(BadValue, match=r"is spent whatever one decides"):
        DecisionLedger(ledger, frozenset(["old"]))


@given(
    st.lists(st.floats(min_value=-1e4, max_value=1e5), min_size=2, max_size=20), st.floats(min_value=1.0, max_value=8e4),
    st.sampled_from(["linear", "front-loaded"]),
)  # fmt: skip
def test_property_ages_that_follow_each_other_add_up(ages: list[float], life_h: float, depreciation: str) -> None:
    edges = np.sort(ages)
    parts = life_share(edges[:-1], edges[1:], life_h, depreciation)
    assert (parts >= 0).all()
    assert parts.sum() == pytest.approx(float(life_share(edges[0], edges[-1], life_h, depreciation)), abs=1e-12)
    assert float(life_share(-1.0, life_h + 1, life_h, depreciation)) == pytest.approx(1.0)


def test_formula_front_loaded_charges_three_quarters_in_the_first_half() -> None:
    assert life_share([0.0, 50.0], [50.0, 100.0], 100.0, "front-loaded").tolist() == [0.75, 0.25]
    assert life_share([0.0, 50.0], [50.0, 100.0], 100.0).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("life", [0.0, -1.0, float("nan"), float("inf")])
def test_a_life_that_none_is(life: float) -> None:
    with pytest.raises(BadValue, match=r"is not above 0. Give how long the machine serves"):
        life_share(0.0, 1.0, life)


def test_depreciations_that_there_are_not() -> None:
    with pytest.raises(BadValue, match=r"'double' is no depreciation. Choose from: linear, front-loaded"):
        life_share(0.0, 1.0, 10.0, "double")
    with pytest.raises(BadValue, match=r"an age runs backwards"):
        life_share(2.0, 1.0, 10.0)


def test_a_seal_names_the_rows_that_were_changed() -> None:
    def made(changed: int | None) -> Ledger:
        rows = [{"asset": f"a{n}", "phase": "use", "scope": 1, "carbon_gco2e": 1.0 + (n == changed)} for n in range(3000)]
        return Ledger.of(rows)

    whole = seal(made(None))
    whole.check(made(None))
    assert len(whole.hashes) == 3
    with pytest.raises(BadValue, match=r"rows 1024 to 2047 of the ledger are not those that were sealed"):
        whole.check(made(1500))
    with pytest.raises(BadValue, match=r"the ledger has 10 rows, and 3000 were sealed"):
        whole.check(made(None).taken(np.arange(10)))
    later = Ledger.of([{"asset": "z", "phase": "use", "scope": 1, "carbon_gco2e": 1.0}])
    assert seal(later, whole.head).head != seal(later).head  # what follows depends on what came before
