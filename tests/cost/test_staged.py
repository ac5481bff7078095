"""Sweeps of pipelines equal the price of each table, stage by stage."""

from __future__ import annotations

import pytest

from thrifty.cost import price, sweep
from thrifty.errors import BadValue
from thrifty.hardware import load
from thrifty.workload import load as load_workload

DEVICES = [load("a100-80gb"), load("l4")]


@pytest.mark.parametrize(
    ("name", "points", "near"),
    [
        ("sd-1.5@tiny", {"image": [64, 128], "batch": [1, 3], "steps": [4, 9], "guidance": [1, 2]}, 1e-9),
        ("parti-20b@tiny", {"image": [64, 32], "batch": [2, 1], "text": [8, 4]}, 1e-3),  # a context that grows is priced at five lengths
    ],
)  # fmt: skip
def test_formula_a_sweep_is_the_price_of_every_point(name: str, points: dict[str, list[int]], near: float) -> None:
    work = load_workload(name)
    found = sweep(work, DEVICES, points)
    for place in range(2):
        at = work.at({symbol: values[place] for symbol, values in points.items()})
        for row, device in enumerate(DEVICES):
            priced = price(at, device)
            assert found.time_s_DP[row, place] == pytest.approx(priced.time_s, rel=near)
            assert found.energy_j_DP[row, place] == pytest.approx(priced.footprint.energy_j, rel=near)
        # A table's last piece stands at its middle, half a piece before the fullest cache; a sweep is priced at the last step.
        assert at.table.peak()[0] <= found.memory_bytes_P[place] <= at.table.peak()[0] * (1 + 10 * near)


def test_sizes_outside_their_range_are_refused() -> None:
    work = load_workload("sd-1.5@tiny")
    with pytest.raises(BadValue, match=r"^steps=0 is below 1\. Choose a whole number from 1 up\.$"):
        sweep(work, DEVICES, {"steps": [1, 0]})
    with pytest.raises(BadValue, match=r"^'sd-1.5@tiny' is a pipeline, whose stages have polynomials each\. Ask its source for totals, or sweep it\.$"):
        work.polynomials.totals({})
