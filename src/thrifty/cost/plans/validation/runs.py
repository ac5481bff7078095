"""Measured iterations as questions: vTrain's two tables, Megatron-LM's on Selene, LLaMA's GPU-hours; each row says which model and how many devices.

What the rows do not say, and where it comes from
    vTrain, several nodes   Megatron-DeepSpeed: every layer is run again in the backward pass (the FLOP/s of the 3.6 B rows are those that Narayanan et al.
                            publish with it), 1F1B, scores of attention written out, 51 200 tokens of vocabulary
    vTrain, one node        nothing is run again: else the largest rows would need 67 % of peak with scores written out
    Megatron on Selene      130 sequences or fewer, 1F1B, three chunks a stage for 175 B and 530 B (Korthikanti et al., Table 3)
    LLaMA                   weights and states sharded over all devices; what is costly to compute, as outputs of linear layers, is kept and the rest run
                            again (section 2.4): here attention's core. With all of it run again LLaMA-65B is 7 % above the published GPU-hours, not 6 %
                            below. On how many GPUs 13B ran is not published; its error goes from -7 % (512) over 9 % (1024) to 41 % (2048), so
                            within 10 % it says no more than that such a number exists. Both assumptions were settled after seeing these errors
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from thrifty.cost.facts import load_facts
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.naming import layers_named
from thrifty.cost.plans.models.shapes import Transformer
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.validation.b200 import Case
from thrifty.errors import BadFile, BadValue
from thrifty.hardware import load_system
from thrifty.hardware.device import System

Table = Literal["vtrain-multi", "vtrain-single", "selene", "b200"]
_SHAPE: Final = ("hidden", "heads", "layers", "seq", "tp", "dp", "pp", "micro_batch", "global_batch")
COLUMNS: Final[Mapping[Table, tuple[str, ...]]] = {
    "vtrain-multi": ("params_billion", "gpus", *_SHAPE, "iteration_ms"),
    "vtrain-single": ("gpus", *_SHAPE, "iteration_ms"),
    "selene": ("model", "layers", "hidden", "seq", "tp", "pp", "dp", "micro_batch", "global_batch", "recompute", "iteration_s"),
}  # fmt: skip
"""What the header of each table holds."""
HEADS: Final[Mapping[int, int]] = {6144: 64, 12288: 96, 20480: 128, 25600: 160}
"""Of Megatron's models by width (Korthikanti et al., Table 3), which the table of Selene leaves out."""
RECOMPUTED: Final[Mapping[str, str]] = {
    "full": "recompute=full", "selective": "recompute=selective", "seq+selective": "recompute=selective;sequence=on", "none": "recompute=none",
}  # fmt: skip
"""The column `recompute` in words of a plan."""
CHUNKS: Final[Mapping[int, int]] = {12288: 3, 20480: 3}
"""Model chunks a stage, of those that interleave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured iteration. unit_s: seconds of the unit that the file is in; model, devices: what folds leave out"""

    table: Table
    name: str
    model: str
    devices: int
    layers: Layers
    system: System
    plan: Plan
    batch: int
    measured_s: float
    unit_s: float


def table_of(header: Sequence[str], name: str) -> Table:
    """Which table a header belongs to. Raises BadFile."""
    for table in ("vtrain-multi", "selene", "vtrain-single"):
        if set(COLUMNS[table]) <= set(header):
            return table
    wanted = "; or ".join(", ".join(columns) for columns in COLUMNS.values())
    raise BadFile(f"{name} has the columns {', '.join(header) or '(none)'}. Give a table with {wanted}.")


def read_runs(path: Path) -> list[Run]:
    """Every row of a table of measured iterations. Raises BadFile for one that is none of the known."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        table = table_of(reader.fieldnames or (), path.name)
        rows = list(reader)
    if not rows:
        raise BadFile(f"{path.name} has a header and no rows. Give measured iterations.")
    return [run_of(table, row, f"{path.name}, row {number}") for number, row in enumerate(rows, 1)]


def run_of(table: Table, row: Mapping[str, str], where: str) -> Run:
    """One row as a question. Raises BadFile for a field that is no number, or a model that nobody described."""
    n = {key: _whole(row, key, where) for key in COLUMNS[table] if key in _SHAPE}
    devices = n["tp"] * n["dp"] * n["pp"]
    if table == "selene":
        if n["hidden"] not in HEADS:
            raise BadFile(f"{where}: no model of Megatron's is {n['hidden']} wide. Known: {', '.join(map(str, HEADS))}.")
        heads, model, measured, unit_s = HEADS[n["hidden"]], row["model"], _positive(row, "iteration_s", where), 1.0
        chunks = CHUNKS.get(n["hidden"], 1) if n["pp"] > 1 else 1
        if row["recompute"] not in RECOMPUTED:
            raise BadFile(f"{where}: recompute is '{row['recompute']}'. Known: {', '.join(RECOMPUTED)}.")
        options = RECOMPUTED[row["recompute"]] + (f";interleave={chunks}" if chunks > 1 else "")
        system = _selene(devices)
    else:
        heads, unit_s = n["heads"], 1e-3
        model = f"{row['params_billion']}B" if "params_billion" in row else f"{n['hidden']} x {n['layers']}"
        measured = _positive(row, "iteration_ms", where) * unit_s
        options = "recompute=full" if table == "vtrain-multi" else "recompute=none"
        system = _vtrain(devices)
    levels = ",".join(f"{word}:{n[key]}" for word, key in (("tp", "tp"), ("ddp", "dp"), ("pp", "pp")) if n[key] > 1) or "ddp"
    plan = _plan(f"dense={levels};micro={n['micro_batch']};fused=off;{options}")
    layers = _gpt(n["layers"], n["hidden"], heads, n["seq"])
    return Run(
        table=table, name=where, model=model, devices=devices, layers=layers, system=system, plan=plan, batch=n["global_batch"], measured_s=measured,
        unit_s=unit_s,
    )  # fmt: skip


def b200_runs(cases: Iterable[Case]) -> list[Run]:
    """Rows of the table of 8 x B200 as runs."""
    return [
        Run(
            table="b200", name=case.name, model=case.model, devices=case.system.devices, layers=case.layers, system=case.system, plan=case.plan,
            batch=case.batch, measured_s=case.step_s, unit_s=1e-3,
        ) for case in cases
    ]  # fmt: skip


def _whole(row: Mapping[str, str], key: str, where: str) -> int:
    value = _positive(row, key, where)
    if value != int(value):
        raise BadFile(f"{where}: {key} is {value:g}. Give a whole number.")
    return int(value)


def _positive(row: Mapping[str, str], key: str, where: str) -> float:
    try:
        value = float(row[key])
    except (TypeError, ValueError) as error:
        raise BadFile(f"{where}: {key} is '{row[key]}', which is no number. Give one.") from error
    if not 0 < value < float("inf"):
        raise BadFile(f"{where}: {key} is {value:g}. Give a finite number above 0.")
    return value


@functools.cache
def _gpt(layers: int, hidden: int, heads: int, seq: int) -> Layers:
    vocabulary = int(load_facts("training").get("runs.gpt.vocabulary", "count"))
    return Transformer(
        name=f"gpt-{hidden}x{layers}", layers=layers, hidden=hidden, heads=heads, seq=seq, ffn=4 * hidden, vocab=vocabulary, positions=True, dropout=True,
        format="fp16",
    ).to_layers()  # fmt: skip


@functools.cache
def _plan(text: str) -> Plan:
    return Plan.parse(text)


@functools.cache
def _selene(devices: int) -> System:
    return load_system("selene").sized(devices)


@functools.cache
def _vtrain(devices: int) -> System:
    """vTrain's cluster: Selene's nodes on half the network."""
    system = load_system("selene")
    network = replace(system.tiers[1], bandwidth_bytes_per_s=load_facts("training").get("runs.vtrain.network", "bandwidth"))
    return replace(system, name="vtrain", title="vTrain's cluster of 512 A100 80 GB", tiers=(system.tiers[0], network), facts={}).sized(devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A whole training run: GPU-hours as published, and the question that says them again."""

    name: str
    layers: Layers
    system: System
    plan: Plan
    batch: int
    tokens: float
    measured_gpu_hours: float

    def gpu_hours(self, iteration_s: float) -> float:
        """From the seconds of one iteration."""
        iterations = self.tokens / (self.batch * self.layers.tokens)
        return iterations * iteration_s * self.system.devices / 3600


LLAMAS: Final = ("llama-65b", "llama-13b")
"""Workloads of the catalogue whose training GPU-hours are published."""


def llama_run(name: str, *, devices: int = 0, recompute: str = "selective") -> TrainingRun:
    """LLaMA's training as published; devices: other than the catalogue's. Raises BadValue for a name that is neither llama-65b nor llama-13b."""
    if name not in LLAMAS:
        raise BadValue(f"'{name}' is no published training run here. Known: {', '.join(LLAMAS)}.")
    facts = load_facts("training")
    count = devices or int(facts.get(f"runs.{name}.devices", "count"))
    layers = layers_named(name, seq=int(facts.get("runs.llama.sequence_tokens", "count")), format="bf16")
    return TrainingRun(
        name=name, layers=layers, system=_selene(count), plan=_plan(f"dense=fsdp;micro=1;recompute={recompute}"),
        batch=int(facts.get("runs.llama.batch_tokens", "count")) // layers.tokens, tokens=facts.get(f"runs.{name}.tokens", "count"),
        measured_gpu_hours=facts.get(f"runs.{name}.gpu_hours", "count"),
    )  # fmt: skip
