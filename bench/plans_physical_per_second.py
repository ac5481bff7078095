"""On one core 1 500 000 plans of DLRM-A and 150 000 of GPT-3 (96 layers) are priced a second, and 100 000 of Megatron's kind, full memory included.

Timed from columns of (workload, system, plan, batch), all different, in random order: encoding, durations, validity and memory. The clock is the process's
own, for the machine is shared. A sample of the answers is checked against the iteration as tasks.

What carries the rate is that many batches are asked of one plan and system: they are sorted together and go side by side as lanes of vectors, while what
the batch does not touch is priced once. `lonely` is the other end, and not claimed: one batch of a plan and system, so that nothing is shared. There a
configuration takes 5 us in the loop, more than when configurations were priced singly (1.7 us), and its share of reading a system as much again.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from _claim import report, spread
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.physical import evaluate_physical_many
from thrifty.cost.plans.physical.graphs import iteration_tasks
from thrifty.cost.plans.plan import Plan
from thrifty.hardware import System, load_system
from thrifty.timeline import schedule

WANTED = {"dlrm-a": 1_500_000, "gpt3-175b": 150_000, "megatron": 100_000}
REPEATS = 7
dlrm = Recommender(name="dlrm-a", bottom=10, top=10, mlp_dim=3994, tables=4096, rows_per_table=2_080_000, dim=94, pooling=15).to_layers()
gpt3 = Transformer(name="gpt3", layers=96, hidden=12288, heads=96, seq=2048, ffn=49152, vocab=50257, positions=True).to_layers()


def varied(system: System, count: int) -> list[System]:
    """The same system with networks of different speed."""
    return [
        replace(system, tiers=tuple(replace(tier, bandwidth_bytes_per_s=tier.bandwidth_bytes_per_s * (1 + i / count)) for tier in system.tiers))
        for i in range(count)
    ]  # fmt: skip


def plans(*texts: str) -> list[Plan]:
    return [Plan.parse(text) for text in texts]


megatron = plans(*(
    f"dense={f'tp:{tp},' if tp > 1 else ''}pp:{pp},ddp;micro={micro};fused=off;recompute={again};sequence={sequence};interleave={chunks}"
    for tp in (1, 2, 4, 8) for pp in (2, 4, 8, 16) for micro in (1, 2, 4) for again in ("none", "selective", "full") for sequence in ("on", "off")
    for chunks in (1, 2, 3)
))  # fmt: skip
two_levels = ("dense=ddp", "dense=fsdp", "dense=tp:8,ddp", "dense=fsdp:8,ddp", "dense=ddp:8,tp:16", "dense=fsdp:8,tp:16", "dense=ddp:8,fsdp:16")
mixes: dict[str, tuple[object, Sequence[System], Sequence[Plan], Sequence[int]]] = {
    "dlrm-a": (dlrm, varied(load_system("zionex").sized(128), 200), plans(*two_levels), [65_536 + 1024 * i for i in range(300)]),
    "gpt3-175b": (gpt3, varied(load_system("selene").sized(2048), 50), plans(*two_levels[:4], "dense=tp:8,fsdp"), [2048 * (1 + i) for i in range(200)]),
    "megatron": (gpt3, varied(load_system("selene").sized(512), 10), megatron, [1536 * (1 + i) for i in range(30)]),
}  # fmt: skip
draw = np.random.default_rng(0)


def shuffled(ordered: Configurations) -> Configurations:
    at = draw.permutation(len(ordered))
    columns = {name: getattr(ordered, name)[at] for name in ("workload_C", "system_C", "plan_C", "batch_C")}
    return replace(ordered, **columns)


asked = {name: shuffled(Configurations.product([workload], systems, chosen, batches)) for name, (workload, systems, chosen, batches) in mixes.items()}  # type: ignore[list-item]
asked["lonely"] = shuffled(Configurations.product([dlrm], varied(load_system("zionex").sized(128), 3000), plans(*two_levels), [65_536]))
rates: dict[str, list[float]] = {name: [] for name in asked}
for turn in range(REPEATS + 1):
    for name, configurations in asked.items():
        start = time.process_time()
        answers = evaluate_physical_many(configurations)
        seconds = time.process_time() - start
        if turn:
            rates[name].append(int(answers.valid_C.sum()) / seconds)
        else:
            for at in draw.choice(np.flatnonzero(answers.valid_C), 12):
                plan, system = configurations.plans[configurations.plan_C[at]], configurations.systems[configurations.system_C[at]]
                if plan.interleave == 1:
                    tasks = iteration_tasks(configurations.workloads[0], system, plan, batch=int(configurations.batch_C[at]))
                    # A pipeline's last stages may outlive its first where reducing takes longest there.
                    assert np.isclose(schedule(tasks).makespan_s_C[0], answers.iteration_s_C[at], rtol=1e-9 if name != "megatron" else 0.02, atol=0.0)
medians = {name: spread(values) for name, values in rates.items()}
holds = all(medians[name]["median"] >= WANTED[name] for name in WANTED)
counts = {name: len(configurations) for name, configurations in asked.items()}
rounded = {name: {key: round(value) for key, value in found.items()} for name, found in medians.items()}
report(__doc__.splitlines()[0], holds, {"configurations": counts, "valid_per_s": rounded, "wanted": WANTED}, "numpy", "numba")
