"""Two pools of devices against the same devices doing both in turn."""

import pytest

from thrifty.errors import BadValue, NoRoom
from thrifty.levers.parallelize import disaggregate


def test_formula_rates_are_those_of_steps_and_the_slower_pool_decides() -> None:
    found = disaggregate("llama3-8b", "dgx-h100", seq=1024, new_tokens=101, ttft_s=1.0, tpot_s=0.1)
    for pool, steps in ((found.prefill, 1), (found.decode, 100)):
        assert pool.rate_per_s == pytest.approx(pool.devices / pool.tensor * pool.batch / (pool.step_s * steps))
    assert found.requests_per_s == min(found.prefill.rate_per_s, found.decode.rate_per_s)
    assert found.prefill.devices + found.decode.devices == 8
    assert found.ttft_s <= 1.0
    assert found.tpot_s <= 0.1


def test_property_tighter_limits_serve_no_more() -> None:
    rates = [disaggregate("llama3-8b", "dgx-h100", seq=1024, tpot_s=limit).requests_per_s for limit in (0.2, 0.05, 0.02)]
    assert rates == sorted(rates, reverse=True)


def test_formula_what_cannot_be_served() -> None:
    with pytest.raises(NoRoom, match="no instance of up to 8 devices holds 'deepseek-v3'"):
        disaggregate("deepseek-v3", "dgx-a100", seq=1024)
    with pytest.raises(BadValue, match="no instance gives a token within"):
        disaggregate("llama3-8b", "dgx-h100", tpot_s=1e-6)
    with pytest.raises(BadValue, match="two pools need two devices"):
        disaggregate("llama3-8b", "dgx-h100", devices=1)
    with pytest.raises(BadValue, match="new_tokens=1"):
        disaggregate("llama3-8b", "dgx-h100", new_tokens=1)
