"""Which row of numbers a tier gets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thrifty.cost.collectives import LINK_FIELDS, link_class, link_parameters, shared_link
from thrifty.cost.collectives.links import NVLINKS, OWN, own_constants
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import Tier, load, load_system

NVLINK = Tier(name="nvlink", count=8, bandwidth_bytes_per_s=450e9, latency_s=8e-6)
FABRIC = Tier(name="infiniband", count=4, bandwidth_bytes_per_s=50e9)


def field(row: np.ndarray, name: str) -> float:
    return float(row[LINK_FIELDS.index(name)])


@pytest.mark.parametrize(
    ("system", "classes"),
    [
        ("dgx-a100", ["nvlink3"]), ("zionex", ["nvlink3", "network"]), ("hgx-h100-128", ["nvlink4", "network"]),
        ("gb200-nvl72", ["nvlink5", "nvlink5"]), ("xeon-8480-plus-2s", ["analytic"]),
    ],
)  # fmt: skip
def test_class_of_every_tier(system: str, classes: list[str]) -> None:
    found = load_system(system)
    assert [link_class(tier, found.device) for tier in found.tiers] == classes


def test_class_of_other_links() -> None:
    assert link_class(NVLINK, None) == "analytic"
    assert link_class(NVLINK, load("v100-sxm2-32gb")) == "nvlink"
    assert link_class(Tier(name="pcie", count=2, bandwidth_bytes_per_s=64e9), load("rtx-pro-6000-server")) == "pcie5"
    assert link_class(Tier(name="pcie", count=2, bandwidth_bytes_per_s=32e9), load("l4")) == "analytic"


def test_formula_rates_follow_the_bandwidth() -> None:
    device = load("h100-sxm5")
    full, half = (link_parameters(Tier(name="nvlink", count=8, bandwidth_bytes_per_s=rate), device) for rate in (450e9, 225e9))
    for name, one, other in zip(LINK_FIELDS, full, half, strict=True):
        assert other == pytest.approx(one / 2 if name == "bandwidth" or (name.endswith("rate") and name != "direct_rate") else one), name


def test_formula_unseen_generation_is_the_geometric_mean() -> None:
    for name in OWN:
        expected = math.prod(own_constants(link)[name] for link in NVLINKS) ** (1 / 3)
        assert own_constants("nvlink")[name] == pytest.approx(expected, rel=1e-12)


def test_network_and_analytic_take_the_latency_of_the_tier_or_of_the_caller() -> None:
    assert field(link_parameters(FABRIC, load("h100-sxm5")), "simple_step") == pytest.approx(10e-6)
    assert field(link_parameters(FABRIC, load("h100-sxm5"), latency_s=3e-6), "ll_step") == pytest.approx(3e-6)
    assert field(link_parameters(FABRIC, load("h100-sxm5"), efficiency=0.5), "simple_rate") == pytest.approx(25e9)
    assert field(link_parameters(NVLINK), "ll_step") == pytest.approx(8e-6)
    assert field(link_parameters(FABRIC), "ll_step") == pytest.approx(0)


def test_formula_shared_link_divides_rates_only() -> None:
    row = link_parameters(NVLINK, load("h100-sxm5"))
    shared = shared_link(row, 4)
    changed = [name for name, one, other in zip(LINK_FIELDS, row, shared, strict=True) if one != other]
    assert changed == ["bandwidth", "ll_rate", "ll128_rate", "simple_rate", "switch_rate"]
    assert field(shared, "simple_rate") == field(row, "simple_rate") / 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "network", "efficiency": 0.0}, "efficiency is 0.0. Give a share of the bandwidth, above 0 and at most 1."),
        ({"link": "network", "latency_s": -1.0}, "latency_s is -1.0. Give a finite number of seconds, 0 or more."),
        ({"link": "analytic", "latency_s": math.nan}, "latency_s is nan. Give a finite number of seconds, 0 or more."),
        ({"link": "nvlink4", "efficiency": 0.5},
         "link class 'nvlink4' has fitted constants of its own. Leave efficiency and latency_s out, or say link='analytic'."),
    ],
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        link_parameters(NVLINK, **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_unknown_class_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"^No link class named 'nvlink6'\. Did you mean 'nvlink[0-9]?'\?"):
        link_parameters(NVLINK, link="nvlink6")
