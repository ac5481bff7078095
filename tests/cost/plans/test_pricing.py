"""Energy, carbon and money of iterations: one by one and in columns, and the published prices of cloud instances."""

import numpy as np
import pytest

from thrifty.cost.plans.answering import evaluate, evaluate_many
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.models.naming import layers_named
from thrifty.cost.plans.models.shapes import Transformer
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.pricing import Rates, costs_of, footprint_of, work_flops
from thrifty.cost.plans.tasks import Task
from thrifty.hardware import load_site, load_system

WORLD = load_site("world")
PLANS = (Plan.parse("dense=fsdp"), Plan.parse("dense=ddp"), Plan.parse("dense=tp:8,ddp"))


@pytest.mark.parametrize("mode", ["compat", "physical"])
def test_formula_columns_are_the_single_answers(mode) -> None:  # type: ignore[no-untyped-def]
    layers = (layers_named("dlrm-a"), layers_named("dlrm-b"))
    systems = (load_system("zionex"), load_system("cloud-h100-a").sized(64))
    asked = Configurations.product(layers, systems, PLANS, [32768, 65536])
    found = evaluate_many(asked, mode)
    costs = costs_of(found, WORLD)
    for index in range(0, len(asked), 5):
        work, system, plan = layers[asked.workload_C[index]], systems[asked.system_C[index]], PLANS[asked.plan_C[index]]
        one = footprint_of(evaluate(work, system, plan, batch=int(asked.batch_C[index]), mode=mode), work, system, plan, WORLD)
        assert costs.time_s_C[index] == pytest.approx(one.time_s, rel=1e-9)
        assert costs.energy_j_C[index] == pytest.approx(one.energy_j, rel=1e-6)
        assert costs.carbon_gco2e_C[index] == pytest.approx(one.carbon_gco2e.mid, rel=1e-6)
        assert one.cost_usd is not None
        assert costs.usd_C[index] == pytest.approx(one.cost_usd, rel=1e-9)


@pytest.mark.parametrize(
    ("system", "hours", "usd", "mwh"),
    [
        ("cloud-v100-16-a", 6.61, 10362, 2.116), ("cloud-a100-40-a", 2.07, 4349, 0.862), ("cloud-h100-a", 1.00, 6287, 0.652),
        ("cloud-a100-40-b", 1.63, 2844, 0.680),
    ],
)  # fmt: skip
def test_paper_power_and_price_of_cloud_instances(system: str, hours: float, usd: float, mwh: float) -> None:
    """MAD-Max's sheet of cloud instances: 512 GPUs for so many hours cost so many dollars and take so many MWh."""
    rented = load_system(system).sized(512)
    rates = Rates.of(rented, WORLD, "fp32")
    assert (rates.tdp_w + rates.host_w) * hours / 1e6 == pytest.approx(mwh, rel=0.01)
    assert rates.usd_per_s is not None
    assert rates.usd_per_s * 3600 * hours == pytest.approx(usd, rel=0.01)


def test_formula_work_of_training() -> None:
    shape = Transformer(name="g", layers=2, hidden=64, heads=4, seq=128, ffn=256, vocab=100)
    layers = shape.to_layers()
    core = 2 * 2.0 * 4 * 128 * 128 * 32 / 2  # two layers, scores and values of four heads of 16, half masked
    products = 2 * (2.0 * 128 * (4 * 64 * 64 + 2 * 64 * 256)) + 2.0 * 128 * 64 * 100
    assert layers.flops == pytest.approx(core + products)
    plain, full, selective = (Plan.parse(f"dense=ddp;recompute={what}") for what in ("none", "full", "selective"))
    assert work_flops(layers, plain, Task()) == pytest.approx(3 * layers.flops)
    assert work_flops(layers, full, Task()) == pytest.approx(4 * layers.flops)
    assert work_flops(layers, selective, Task()) == pytest.approx(3 * layers.flops + core)
    assert work_flops(layers, full, Task(kind="inference")) == pytest.approx(layers.flops)


def test_formula_frozen_weights_need_no_gradient() -> None:
    """Low-rank matrices: every product but one for its weights, attention in full. The last layer alone: the first costs a forward pass."""
    layers = Transformer(name="g", layers=2, hidden=64, heads=4, seq=128, ffn=256, vocab=100).to_layers()
    core = sum(2 * block.core.flops for block in layers.segments[1].blocks if block.core)
    head = layers.segments[-1].blocks[0].flops
    plain, full = Plan.parse("dense=ddp"), Plan.parse("dense=ddp;recompute=full")
    assert work_flops(layers, plain, Task(kind="finetune", lora_rank=4)) == pytest.approx(2 * layers.flops + core)
    late = Task(kind="finetune", frozen=frozenset({"embedding"}), trained_layers=1)
    one = (layers.flops - head) / 2
    assert work_flops(layers, plain, late) == pytest.approx(one + 3 * one + 3 * head)
    assert work_flops(layers, full, late) == pytest.approx(one + 4 * one + 4 * head)


def test_property_energy_lies_between_idle_and_tdp() -> None:
    work, system = layers_named("dlrm-a"), load_system("zionex")
    found = evaluate_many(Configurations.product([work], [system], PLANS, [65536]), "physical")
    costs, rates = costs_of(found, WORLD), Rates.of(system, WORLD, work.format)
    assert np.all(costs.energy_j_C <= (rates.tdp_w + rates.host_w) * costs.time_s_C * (1 + 1e-12))
    assert np.all(costs.energy_j_C >= (rates.static_w + rates.host_w) * costs.time_s_C)
