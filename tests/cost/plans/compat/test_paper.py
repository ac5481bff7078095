"""What the published model itself answers: every number of its validation and design-space study that was read from its runs, to 0.2 %."""

from __future__ import annotations

import functools

import pytest

from thrifty.cost.plans.compat import evaluate_compat, evaluate_compat_many, every_strategy, published
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.hardware import load_system
from thrifty.hardware.device import System

TOLERANCE = 2e-3
BATCH = {"dlrm": 65536, "llm": 2048}
STRATEGIES = {
    "fsdp": "fsdp", "ddp": "ddp", "tp": "tp", "(tp, ddp)": "tp:{node},ddp", "(fsdp, ddp)": "fsdp:{node},ddp", "(ddp, tp)": "ddp:{node},tp",
    "(fsdp, tp)": "fsdp:{node},tp",
}  # fmt: skip
INFERENCE = Task(kind="inference")


@functools.cache
def zionex(devices: int = 128) -> System:
    return load_system("zionex").sized(devices)


@functools.cache
def cluster() -> System:
    return load_system("dc-a")


def recommender(name: str, dense: str, *, task: Task | None = None, system: System | None = None, rest: str = "") -> Evaluation:
    words = f"embedding=mp;dense={STRATEGIES[dense].format(node=8)}{rest}"
    return evaluate_compat(published(name), system or zionex(), Plan.parse(words), batch=BATCH["dlrm"], task=task)


def language(name: str, body: str, *, system: System | None = None, variant: str = "pre") -> Evaluation:
    plan = Plan.parse(f"embedding=ddp;dense={STRATEGIES[body].format(node=8)}")
    return evaluate_compat(published(name), system or cluster(), plan, batch=BATCH["llm"], variant=variant)  # type: ignore[arg-type]


def near(value: float) -> object:
    return pytest.approx(value, rel=TOLERANCE)


def as_printed(value: float, digits: int) -> object:
    """A number that was read with few digits: within 0.2 % or half of its last digit."""
    return pytest.approx(value, rel=TOLERANCE, abs=0.5001 * 10.0**-digits)


def test_paper_dlrm_a_on_128_devices() -> None:
    found = recommender("dlrm-a", "ddp")
    assert found.iteration_s == near(54.00e-3) and found.exposed_s == near(35.99e-3)
    assert found.exposed_s / sum(found.communication_s.values()) == near(0.7550)
    assert (found.compute_s["gemm"], found.compute_s["embedding"]) == (near(8.91e-3), near(9.10e-3))
    assert (found.communication_s["all_to_all"], found.communication_s["all_reduce"]) == (near(26.40e-3), near(21.27e-3))
    assert sum(found.compute_s.values()) + sum(found.communication_s.values()) == near(65.68e-3)
    assert found.throughput_per_s == near(1.2136e6)


def test_paper_dlrm_a_on_one_node() -> None:
    plan = Plan.parse("embedding=mp;dense=ddp")
    found = evaluate_compat(published("dlrm-a"), zionex(8), plan, batch=4096)
    assert (found.communication_s["all_to_all"], found.communication_s["all_reduce"]) == (near(14.78e-3), near(6.38e-3))
    assert found.iteration_s == near(28.86e-3) and found.throughput_per_s == near(0.142e6)
    assert found.exposed_s / sum(found.communication_s.values()) == near(0.5124)


@pytest.mark.parametrize(
    ("name", "strategy", "mqps"),
    [
        ("dlrm-a", "fsdp", 0.898), ("dlrm-a", "ddp", 1.214), ("dlrm-a", "(tp, ddp)", 1.034), ("dlrm-a", "(fsdp, ddp)", 0.920), ("dlrm-a", "(ddp, tp)", 0.770),
        ("dlrm-a", "(fsdp, tp)", 0.759), ("dlrm-a", "tp", 0.169), ("dlrm-b", "fsdp", 2.752), ("dlrm-b", "ddp", 3.0594), ("dlrm-b", "(tp, ddp)", 2.586),
        ("dlrm-a-moe", "fsdp", 0.2078), ("dlrm-a-moe", "(ddp, tp)", 0.4700),
    ],
)  # fmt: skip
def test_paper_throughput_of_pre_training(name: str, strategy: str, mqps: float) -> None:
    assert recommender(name, strategy).throughput_per_s / 1e6 == near(mqps)


@pytest.mark.parametrize(
    ("name", "strategy", "mqps"),
    [("dlrm-a", "fsdp", 2.297), ("dlrm-a", "ddp", 3.407), ("dlrm-a", "(fsdp, ddp)", 3.108), ("dlrm-a-moe", "fsdp", 0.604), ("dlrm-a-moe", "ddp", 3.163)],
)
def test_paper_throughput_of_inference(name: str, strategy: str, mqps: float) -> None:
    assert recommender(name, strategy, task=INFERENCE).throughput_per_s / 1e6 == near(mqps)


@pytest.mark.parametrize(
    ("name", "strategy", "task", "gain"),
    [
        ("dlrm-a", "ddp", Task(), 1.351), ("dlrm-a", "(tp, ddp)", Task(), 1.152), ("dlrm-a", "ddp", INFERENCE, 1.48), ("dlrm-b", "ddp", Task(), 1.112),
        ("dlrm-a-moe", "(ddp, tp)", Task(), 2.261), ("dlrm-a-moe", "(fsdp, tp)", Task(), 2.220), ("dlrm-a-moe", "ddp", INFERENCE, 5.234),
        ("dlrm-a-transformer", "ddp", Task(), 1.368),
    ],
)  # fmt: skip
def test_paper_gains_over_fsdp(name: str, strategy: str, task: Task, gain: float) -> None:
    """The headline is a model of experts against a baseline that gathers all sixteen: 2.26 and 5.23 here, 2.24 and 5.27 in the abstract."""
    assert recommender(name, "fsdp", task=task).iteration_s / recommender(name, strategy, task=task).iteration_s == as_printed(gain, 2 if gain == 1.48 else 3)


def test_paper_best_that_fits() -> None:
    """DLRM-A: (tp, ddp) 1.152 times fsdp; with a transformer: (tp, ddp) and (fsdp, ddp), 1.097 times. Of the headline, 39.6 GB and 23.4 GB fit in 40."""
    layers, system = published("dlrm-a"), zionex()
    found = [evaluate_compat(layers, system, plan, batch=65536) for plan in every_strategy(layers, system)]
    best = min((each for each in found if each.fits), key=lambda each: each.iteration_s)
    assert best.plan == "embedding=mp:128;dense=tp:8,ddp:16"
    mixed = recommender("dlrm-a-transformer", "(tp, ddp)", rest=";interaction=fsdp:8,ddp")
    assert recommender("dlrm-a-transformer", "fsdp").iteration_s / mixed.iteration_s == near(1.097)
    # By the same rules (tp, ddp) with a replicated transformer fits as well and is faster yet (1.122); the study does not name it.
    free = recommender("dlrm-a-transformer", "(tp, ddp)", rest=";interaction=ddp")
    assert free.fits and mixed.fits and free.iteration_s < mixed.iteration_s


def test_paper_memory() -> None:
    assert recommender("dlrm-a", "ddp").memory_bytes / 1e9 == near(41.37) and not recommender("dlrm-a", "ddp").fits
    assert recommender("dlrm-a", "fsdp").memory_bytes / 1e9 == near(37.57) and recommender("dlrm-a", "fsdp").fits
    assert recommender("dlrm-a-moe", "(ddp, tp)").memory_bytes / 1e9 == near(39.6) and recommender("dlrm-a-moe", "(ddp, tp)").fits
    assert recommender("dlrm-a-moe", "ddp", task=INFERENCE).memory_bytes / 1e9 == near(23.4)
    assert recommender("dlrm-b", "ddp").fits
    gpt3 = language("gpt3-175b", "(tp, ddp)")
    assert gpt3.memory.weights / 1e9 == near(44.8) and gpt3.memory_bytes == pytest.approx(3 * gpt3.memory.weights) and not gpt3.fits
    assert not language("gpt3-175b", "ddp").fits


def test_paper_tables_replicated_across_nodes_look_fast_and_fit_nowhere() -> None:
    """1.55 MQPS at 604 GB a device: the gradients across are never charged (quirk 1), and the answer says so."""
    plan = Plan.parse("embedding=mp:8,ddp;dense=ddp")
    found = evaluate_compat(published("dlrm-a"), zionex(), plan, batch=65536)
    assert found.throughput_per_s / 1e6 == as_printed(1.55, 2) and found.memory_bytes / 1e9 == near(604) and not found.fits
    assert any(quirk.startswith("1:") for quirk in found.quirks)


@pytest.mark.parametrize(
    ("name", "samples_per_s"), [("gpt3-175b", 125.0), ("llama-65b", 449.9), ("llama2-70b", 281.5), ("llm-moe", 13.9)]
)  # fmt: skip
def test_paper_language_models_under_fsdp(name: str, samples_per_s: float) -> None:
    assert language(name, "fsdp").throughput_per_s == near(samples_per_s)


def test_paper_language_models_by_strategy() -> None:
    base = language("gpt3-175b", "fsdp").iteration_s
    assert base / language("gpt3-175b", "ddp").iteration_s == as_printed(1.68, 2)
    assert base / language("gpt3-175b", "(tp, ddp)").iteration_s == as_printed(1.34, 2)
    for name in ("gpt3-175b", "llama-65b", "llama2-70b"):
        for strategy in ("tp", "(ddp, tp)", "(fsdp, tp)"):
            assert language(name, "fsdp").iteration_s / language(name, strategy).iteration_s <= 0.19
    # The model of experts keeps 0.24 with (ddp, tp) and (fsdp, tp) by the rules that give its 13.9; over all devices it collapses like the others.
    assert language("llm-moe", "fsdp").iteration_s / language("llm-moe", "tp").iteration_s <= 0.19


def test_paper_days_of_llama_65b() -> None:
    """1.4 T tokens of 2048 each on 2048 devices."""
    days = {variant: 1.4e12 / 2048 / language("llama-65b", "fsdp", variant=variant).throughput_per_s / 86400 for variant in ("pre", "post")}
    assert days == {"pre": near(17.59), "post": near(11.77)}


@pytest.mark.parametrize(
    ("trained", "frozen", "milliseconds"),
    [
        ("top", {"bottom", "embedding"}, (42.1, 30.2, 36.3)), ("bottom", {"top", "embedding"}, (47.5, 33.1, 40.9)),
        ("embedding", {"top", "bottom"}, (51.9, 40.0, 46.1)),
    ],
)  # fmt: skip
def test_paper_fine_tuning(trained: str, frozen: set[str], milliseconds: tuple[float, ...]) -> None:
    task = Task(kind="finetune", frozen=frozenset(frozen))
    found = [recommender("dlrm-a", strategy, task=task).iteration_s * 1e3 for strategy in ("fsdp", "ddp", "(tp, ddp)")]
    assert found == [as_printed(each, 1) for each in milliseconds]


RESOURCES = {
    "compute": {"compute": 10.0}, "hbm": {"bandwidth": 10.0}, "nvlink": {"links": {"nvlink": 10.0}}, "nic": {"links": {"network": 10.0}},
    "all": {"compute": 10.0, "bandwidth": 10.0, "links": {"nvlink": 10.0, "network": 10.0}},
}  # fmt: skip


def ten_times(system: System, what: str) -> System:
    network = system.tiers[1].name
    factors = dict(RESOURCES[what])
    if "links" in factors:
        factors["links"] = {network if name == "network" else name: factor for name, factor in factors["links"].items()}  # type: ignore[attr-defined]
    return system.scaled(**factors)  # type: ignore[arg-type]


@pytest.mark.parametrize(("what", "gain"), [("compute", 1.05), ("hbm", 1.10), ("nvlink", 1.43), ("nic", 1.99), ("all", 10.0)])
def test_paper_ten_times_the_hardware_dlrm_a(what: str, gain: float) -> None:
    found = recommender("dlrm-a", "(tp, ddp)").iteration_s / recommender("dlrm-a", "(tp, ddp)", system=ten_times(zionex(), what)).iteration_s
    assert found == as_printed(gain, 2)


@pytest.mark.parametrize(("what", "gain"), [("compute", 1.69), ("hbm", 1.00), ("nvlink", 1.53), ("nic", 1.21), ("all", 10.0)])
def test_paper_ten_times_the_hardware_llama_65b(what: str, gain: float) -> None:
    found = language("llama-65b", "fsdp").iteration_s / language("llama-65b", "fsdp", system=ten_times(cluster(), what)).iteration_s
    assert found == as_printed(gain, 2)


@pytest.mark.parametrize("name", ["dlrm-a", "dlrm-b", "dlrm-a-moe", "dlrm-a-transformer", "llm-moe"])
def test_paper_ten_times_everything_takes_a_tenth(name: str) -> None:
    layers, system = published(name), zionex() if name.startswith("dlrm") else cluster()
    asked = Configurations.product([layers], [system, ten_times(system, "all")], every_strategy(layers, system), [65536])
    found = evaluate_compat_many(asked)
    before, after = found.iteration_s_C.reshape(2, -1)
    assert found.valid_C.all() and before == pytest.approx(10 * after, rel=1e-13)
