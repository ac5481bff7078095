"""Two implementations of one model: events listed and scheduled, and layers walked in a compiled loop. They agree on every legal combination."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cost.plans.compat import drawn

from thrifty.cost.plans.compat import evaluate_compat, evaluate_compat_many, every_strategy, published, why
from thrifty.cost.plans.compat.events import Variant
from thrifty.cost.plans.compat.rates import PublishedRates
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.shapes import Transformer
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue, ThriftyError
from thrifty.hardware import load_system
from thrifty.hardware.device import System

ZIONEX, CLUSTER = load_system("zionex"), load_system("dc-a")
VARIANTS: tuple[Variant, ...] = ("pre", "post")


def numbers(one: Evaluation) -> list[float]:
    return [one.iteration_s, one.exposed_s, one.overlapped_s, *one.compute_s.values(), *one.communication_s.values()]


def assert_same(one: Evaluation, found: Evaluations, index: int) -> None:
    columns = [found.iteration_s_C, found.exposed_s_C, found.overlapped_s_C, *found.compute_s.values(), *found.communication_s.values()]
    assert found.valid_C[index]
    assert [column[index] for column in columns] == pytest.approx(numbers(one), rel=1e-9, abs=1e-9 * one.iteration_s)
    assert found.memory_bytes_C[index] == pytest.approx(one.memory_bytes, rel=1e-12) and found.fits_C[index] == one.fits


def compare(asked: Configurations, indices: Iterator[int] | range, variant: Variant | None = None, rates: PublishedRates | None = None) -> int:
    """Checks the configurations at `indices`; how many of them had an answer."""
    found = evaluate_compat_many(asked, variant=variant) if rates is None else evaluate_compat_many(asked, variant=variant, rates_of=lambda _: rates)
    answered = 0
    for index in indices:
        layers, system, plan = asked.workloads[asked.workload_C[index]], asked.systems[asked.system_C[index]], asked.plans[asked.plan_C[index]]
        try:
            one = evaluate_compat(layers, system, plan, batch=int(asked.batch_C[index]), task=asked.task, variant=variant, rates=rates)
        except ThriftyError as error:
            assert not found.valid_C[index] and np.isnan(found.iteration_s_C[index]) and not found.fits_C[index]
            assert found.extra["reasons"][found.extra["reason_C"][index]]
            if rates is None:
                assert why(found, index) == str(error)
            continue
        assert_same(one, found, index)
        answered += 1
    return answered


@settings(max_examples=150)
@given(
    drawn.models(), drawn.rates(), st.lists(drawn.plans(), min_size=1, max_size=6), st.sampled_from([64, 96, 100, 0]), drawn.tasks(), st.sampled_from(VARIANTS)
)  # fmt: skip
def test_property_any_model_on_any_system(layers: Layers, rates: PublishedRates, plans: list[Plan], batch: int, task: Task, variant: Variant) -> None:
    asked = Configurations.product([layers], [ZIONEX], plans, [batch], task)
    compare(asked, range(len(asked)), variant, rates)


@settings(max_examples=25)
@given(drawn.models(), st.integers(0, 3), st.data())
def test_property_every_strategy_is_legal(layers: Layers, size: int, data: st.DataObject) -> None:
    system = ZIONEX.sized((1, 8, 16, 128)[size])
    plans = every_strategy(layers, system, pipeline=data.draw(st.booleans()))
    asked = Configurations.product([layers], [system], plans, [1024])
    assert plans and compare(asked, range(len(plans))) == len(plans)


@pytest.mark.parametrize("name", ["dlrm-a", "dlrm-b", "dlrm-a-moe", "dlrm-b-transformer", "llama-65b", "llm-moe", "vit-l"])
def test_property_published_models_by_every_strategy(name: str) -> None:
    """Pre-training, inference, fine-tuning of parts; one node, sixteen, a cluster, slow and fast hardware."""
    layers = published(name)
    base = ZIONEX if layers.is_recommender else CLUSTER
    systems = (base, base.sized(8), base.scaled(compute=0.05), base.scaled(compute=20.0, links={base.tiers[1].name: 0.01}))
    plans = (*every_strategy(layers, base), *every_strategy(layers, base.sized(8)))
    part = "top" if layers.is_recommender else "attention"
    tasks = (Task(), Task(kind="inference"), Task(kind="finetune", frozen=frozenset({part})), Task(kind="finetune", frozen=frozenset({"embedding", "bottom"})))
    for task, variant in itertools.product(tasks, VARIANTS):
        asked = Configurations.product([layers], systems, plans, [65536], task)
        step = max(1, len(asked) * layers.body_layers // 900)
        assert compare(asked, range(0, len(asked), step), variant) >= 1


def long(layers: int, experts: int = 0) -> Layers:
    return Transformer(
        name="long", layers=layers, hidden=4096, heads=32, seq=1024, ffn=16384, vocab=50000, experts=experts, active_experts=2 if experts else 0, format="fp16"
    ).to_layers()  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("experts", [0, 8])
def test_property_identical_layers_are_jumped_over(variant: Variant, experts: int) -> None:
    """Ten times as many layers are no more work: the sublayers walked are counted, and the answers are those of walking all of them."""
    walked = []
    for layers in (96, 960):
        model = long(layers, experts)
        asked = Configurations.product([model], [CLUSTER, CLUSTER.scaled(compute=0.1), CLUSTER.scaled(compute=30.0)], every_strategy(model, CLUSTER), [65536])
        jumping, walking = (evaluate_compat_many(asked, variant=variant, jump=jump) for jump in (True, False))
        assert jumping.iteration_s_C == pytest.approx(walking.iteration_s_C, rel=1e-11)
        assert walking.extra["walked"] == len(asked) * layers * 2 * 2
        walked.append(jumping.extra["walked"])
    assert walked[1] == walked[0] <= 12 * 2 * 2 * len(asked)


def test_property_without_numba_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.cost.plans.compat import kernel, many

    layers = published("dlrm-a-moe")
    asked = Configurations.product([layers], [ZIONEX], every_strategy(layers, ZIONEX), [65536, 65537])
    compiled = evaluate_compat_many(asked)
    monkeypatch.setattr(many, "walk", lambda: kernel._walk)
    plain = evaluate_compat_many(asked)
    assert (plain.valid_C == compiled.valid_C).all() and not plain.valid_C.all() and plain.valid_C.any()
    assert plain.iteration_s_C == pytest.approx(compiled.iteration_s_C, rel=1e-13, nan_ok=True)


def test_property_mixed_columns_and_tuples_agree() -> None:
    names = ("dlrm-a", "gpt3-175b", "dlrm-b-moe")
    models = [published(name) for name in names]
    plans = [Plan.parse(text) for text in ("dense=fsdp", "dense=ddp", "dense=tp:8,ddp", "embedding=mp;dense=hsdp", "dense=cp")]
    asked = Configurations.product(models, [ZIONEX, CLUSTER], plans, [65536, 2048, 100])
    order = np.random.default_rng(0).permutation(len(asked))
    tuples = [(asked.workloads[asked.workload_C[i]], asked.systems[asked.system_C[i]], asked.plans[asked.plan_C[i]], int(asked.batch_C[i])) for i in order]
    one, other = evaluate_compat_many(asked), evaluate_compat_many(Configurations.of(tuples))
    assert other.iteration_s_C == pytest.approx(one.iteration_s_C[order], rel=1e-13, nan_ok=True)
    assert (other.extra["reason_C"] == one.extra["reason_C"][order]).all()


def test_property_columns_of_tuples_are_the_tuples() -> None:
    """More than one slice of them, more objects than a small table of hashes holds."""
    draw, layers = np.random.default_rng(1), published("dlrm-a")
    systems, plans = [ZIONEX.scaled(compute=1.0 + i / 999) for i in range(1500)], every_strategy(layers, ZIONEX)
    tuples = [(layers, systems[i], plans[j], int(k)) for i, j, k in zip(*(draw.integers(0, top, 20000) for top in (1500, 28, 10**6)), strict=True)]
    asked = Configurations.of(tuples)
    assert len(asked.workloads) == 1 and len(asked.plans) == 28 and len(asked.systems) == len({id(row[1]) for row in tuples}) > 1024
    for i, (_, system, plan, batch) in enumerate(tuples):
        assert asked.systems[asked.system_C[i]] is system and asked.plans[asked.plan_C[i]] is plan and asked.batch_C[i] == batch
    with pytest.raises(BadValue, match="are not of four parts"):
        Configurations.of([*tuples, (layers, ZIONEX, plans[0])])  # type: ignore[list-item]


def test_property_no_configurations_no_answers() -> None:
    assert len(evaluate_compat_many(Configurations.of([])).iteration_s_C) == 0


def test_a_system_of_one_device_has_no_communication() -> None:
    system: System = ZIONEX.sized(1)
    one = evaluate_compat(published("dlrm-a"), system, Plan.parse("dense=fsdp"), batch=16)
    assert sum(one.communication_s.values()) == 0.0 and one.exposed_s == pytest.approx(0.0, abs=1e-15)
