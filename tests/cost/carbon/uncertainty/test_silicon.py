"""Dies and chiplets with their uncertainty: the published anchors, yield's part in them, an independent loop."""

import numpy as np
import pytest

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.uncertainty.silicon import die_carbon, die_inputs, good_share
from thrifty.errors import BadValue, UnknownName


def test_paper_carbonclaritys_anchors_lie_within_what_dies_of_usual_sizes_give_at_7_nm() -> None:
    pack = load_pack()
    ratio, saved = (pack.get(f"uncertainty:carbonclarity.{key}", "ratio") for key in ("p95_over_mean", "chiplets_cut_p95"))
    small, middle, large = (die_carbon(area, 7, chiplets=4) for area in (100.0, 300.0, 600.0))
    assert small.p95_over_mean < middle.p95_over_mean < ratio < large.p95_over_mean
    assert middle.p95_saved < saved < large.p95_saved
    assert small.p95_saved < 0  # a small die loses more by bonding than it wins by yield


def test_property_twice_the_area_is_more_than_twice_the_carbon() -> None:
    assert die_carbon(600.0, 7).whole.mean > 2.1 * die_carbon(300.0, 7).whole.mean


def test_formula_an_independent_loop_finds_the_same() -> None:
    inputs, draw = die_inputs(7), np.random.default_rng(0)
    u = {v.name: v.distribution.quantile(draw.uniform(1e-12, 1, 200_000)) for v in inputs.variables}
    cpa = (u["intensity"] * u["energy"] + u["gas"] + u["materials"]) / good_share(400.0, u["defects"], 10.0)
    found = die_carbon(400.0, 7, chiplets=1)
    assert found.per_cm2.mean == pytest.approx(cpa.mean(), rel=0.01)
    assert found.per_cm2.p95 == pytest.approx(np.quantile(cpa, 0.95), rel=0.01)
    assert found.cut.mean == pytest.approx(found.whole.mean)  # one chiplet is the die


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: die_carbon(-1.0, 7), "area_mm2=-1 is not above 0"),
        (lambda: die_carbon(float("nan"), 7), "area_mm2=nan is not above 0"),
        (lambda: die_carbon(100.0, 0), "node_nm=0 is not above 0"),
        (lambda: die_carbon(100.0, 7, chiplets=0), "chiplets=0 is below 1"),
        (lambda: die_carbon(100.0, 7, links=-0.1), "links=-0.1 is below 0"),
    ],
)
def test_what_is_no_die_is_refused(ask, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        ask()
    with pytest.raises(UnknownName, match="No node named 'n2'"):
        die_carbon(100.0, 2)
