"""Public power models against their published values and by hand."""

import math

import numpy as np
import pytest

from thrifty.cost.carbon.operational import powers as p
from thrifty.errors import BadValue


def test_paper_greensku_derating() -> None:
    """The cubic through ten points: .44293 at 40 %, .52963 at 50 %."""
    assert p.greensku_w([0.4, 0.5], 1.0) == pytest.approx([0.44293, 0.52963], abs=5e-6)
    assert p.greensku_w(0.4, 290.0) == pytest.approx(290 * 0.44293, rel=2e-5)


def test_formula_boavizta_curves() -> None:
    assert p.boavizta_families() == ("xeon-platinum", "xeon-gold", "xeon-silver", "xeon-e5", "xeon-e3")
    by_hand = 171.1813 * math.log(0.0354 * (50 + 36.8953)) - 10.1336
    assert p.boavizta_w(0.5, "xeon-platinum") == pytest.approx(by_hand)
    assert p.boavizta_w(1.0, "xeon-silver", memory_bytes=64e9) == pytest.approx(20.7794 * math.log(0.3043 * 108.4241) + 0.8613 + 64 * 0.284)
    for family in p.boavizta_families():
        curve = p.boavizta_w(np.linspace(0, 1, 11), family)
        assert (np.diff(curve) > 0).all() and curve[0] > 0


def test_formula_rules_of_thumb() -> None:
    assert p.linear_w([0, 0.25, 1], 100, 300) == pytest.approx([100, 150, 300])
    assert p.tdp_w(200, dimms=4) == 120
    assert p.green_algorithms_w(0.5, cores=8, core_w=10, memory_bytes=64e9, pue=1.2, runs=2) == pytest.approx((40 + 64 * 0.3725) * 2.4)
    assert p.ccf_w(0.5, vcpus=2, memory_bytes=8e9, ssd_bytes=1e12, hdd_bytes=2e12) == pytest.approx(2 * 2.12 + 8 * 0.392 + 1.2 + 1.3)
    assert p.ccf_network_j(1e9) == pytest.approx(3600)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: p.linear_w(1.2, 1, 2), "utilisation=1.2 is not between 0 and 1. Give a share, e.g. 0.4."),
        (lambda: p.linear_w(0.2, 3, 2), "idle_w=3 is above most_w=2. Exchange them."),
        (lambda: p.boavizta_w(0.2, "epyc"), "CPU family 'epyc' has no curve. Choose from: xeon-platinum, xeon-gold, xeon-silver, xeon-e5, xeon-e3."),
        (lambda: p.tdp_w(-5), "tdp_watts=-5 is not a finite number of at least 0. Mend it."),
        (lambda: p.green_algorithms_w(1, cores=1, core_w=1, memory_bytes=0, pue=0.5), "pue=0.5 is below 1. A building draws at least what its machines draw."),
        (lambda: p.greensku_w(0.5, float("nan")), "rated_w=nan is not a finite number of at least 0. Mend it."),
    ],
)
def test_bad_questions_are_refused(ask, said: str) -> None:
    with pytest.raises(BadValue) as error:
        ask()
    assert str(error.value) == said
