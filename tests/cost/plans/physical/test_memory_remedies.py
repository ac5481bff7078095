"""Fit, shortfall, and the smallest change that fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.physical.memory_remedies import Fit, smallest_change_that_fits
from thrifty.cost.plans.placing import place
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.hardware import load_system

SYSTEM = load_system("selene")
SEVEN = Transformer(name="7b", layers=32, hidden=4096, heads=32, seq=4096, ffn=11008, vocab=32000, gated=True, biases=False, tied=False)


def fit(plan: str, model: Transformer = SEVEN, batch: int = 8, task: Task | None = None) -> Fit:
    return smallest_change_that_fits(place(Plan.parse(plan), model.to_layers(), SYSTEM.sized(8), batch=batch, task=task))


def check(found: Fit, batch: int = 8, model: Transformer = SEVEN) -> None:
    """What is promised holds: the plan named needs what is said, and that fits."""
    assert found.plan is not None
    assert account(place(found.plan, model.to_layers(), SYSTEM.sized(8), batch=batch)).total_bytes == found.least_bytes <= found.capacity_bytes


def test_formula_what_fits_is_left_alone() -> None:
    found = fit("dense=fsdp:8")
    assert found.fits
    assert (found.plan, found.changes, found.shortfall_bytes) == (None, (), 0.0)
    assert found.text.endswith("fits")


@pytest.mark.parametrize(("plan", "batch", "changes"), [
    ("dense=ddp:8;micro=1", 8, ("zero1 instead of copies",)),  # 18 bytes a weight are 121 GB, 6 + 12/8 are 51
    ("dense=fsdp:8;micro=8", 64, ("micro=2",)),
    ("dense=fsdp:8;micro=1;fused=off", 8, ("fused=on",)),
    ("dense=fsdp:8;micro=7", 56, ("recompute=full",)),
])  # fmt: skip
def test_formula_one_change_is_enough(plan: str, batch: int, changes: tuple[str, ...]) -> None:
    found = fit(plan, batch=batch)
    assert found.shortfall_bytes == found.needed_bytes - found.capacity_bytes > 0
    assert found.changes == changes
    check(found, batch)
    assert changes[0] in found.text


def test_formula_several_changes_and_none_too_many() -> None:
    large = replace(SEVEN, layers=40, hidden=5120, heads=40, ffn=13824)
    found = fit("dense=ddp:8;micro=4;fused=off", large, batch=32)
    check(found, 32, large)
    assert len(found.changes) > 1
    without = [word for word in found.changes if word != found.changes[0]]
    assert without
    assert str(Plan.parse(str(found.plan))) == str(found.plan)  # a plan that can be written down and read back


def test_formula_nothing_helps() -> None:
    huge = replace(SEVEN, layers=96, hidden=16384, heads=128, ffn=53248)
    found = fit("dense=ddp:8", huge)
    assert found.plan is None
    assert found.capacity_bytes < found.least_bytes < found.needed_bytes
    assert "Use more devices" in found.text


def test_formula_serving_shards_what_it_reads() -> None:
    seventy = replace(SEVEN, layers=80, hidden=8192, heads=64, kv_heads=8, ffn=28672)
    found = fit("dense=ddp:8", seventy, task=Task(kind="inference", phase="decode", context=4096))
    assert found.changes
    assert found.changes[0] in ("fsdp instead of copies", "2 times the tp")


def test_formula_tables_move_apart() -> None:
    layers = Recommender(name="r", bottom=2, top=2, mlp_dim=64, tables=512, rows_per_table=1_000_000, dim=128, pooling=4).to_layers()
    found = smallest_change_that_fits(place(Plan.parse("embedding=ddp;dense=ddp"), layers, SYSTEM.sized(8), batch=64))
    assert found.changes == ("embedding=mp",)
