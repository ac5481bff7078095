"""Megatron-LM on 8 x B200: step time and peak of allocated memory, published with SimuMax; each row becomes a question that plans answer.

Names of cases tell the plan (tp, cp, ep, pp, dp), layers (l) and tokens (seq, 4096 where unnamed); micro-batches are those of one replica, of one sequence.
bf16, fp32 main gradients and Adam, states cut over replicas and context ranks, fused attention, untied embeddings.

What was read off the rows, so that these rows are no test of it: 405B runs with 16 KV heads (as first released; with 8 its memory is 0.8 % too low); of four
DeepSeek layers the first is dense; ring attention keeps queries once more (`llama3-70b`, 131 072 less 32 768 tokens); 70 MiB of workspaces (`FITTED`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.shapes import LatentAttention, Transformer
from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.physical.memory_states import constants
from thrifty.cost.plans.placing import place
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadFile, unknown_name
from thrifty.hardware import load_system
from thrifty.hardware.device import System

COLUMNS: Final = ("case", "model", "layers", "microbatches", "step_ms", "peak_allocated_gib")
FITTED: Final = "llama3_70b_l12_tp1_cp8_pp1_dp1_seq32768_mbc4"
"""The one row behind the workspace of libraries in plan_memory.toml."""

_LATENT: Final = LatentAttention(q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, value_dim=128)
_LLAMA: Final = Transformer(name="llama", layers=1, hidden=1, heads=1, seq=4096, ffn=1, vocab=128256, kv_heads=8, gated=True, biases=False, tied=False)
_DEEPSEEK: Final = replace(_LLAMA, kv_heads=0, heads=128, latent=_LATENT, first_dense=1)
MODELS: Final[Mapping[str, Transformer]] = {
    "llama3-8b": replace(_LLAMA, name="llama3-8b", hidden=4096, heads=32, ffn=14336),
    "llama3-70b": replace(_LLAMA, name="llama3-70b", hidden=8192, heads=64, ffn=28672),
    "llama3-405b": replace(_LLAMA, name="llama3-405b", hidden=16384, heads=128, kv_heads=16, ffn=53248),
    "deepseekv2": replace(
        _DEEPSEEK, name="deepseekv2", hidden=5120, ffn=12288, vocab=102400, experts=160, active_experts=6, expert_ffn=1536, shared_experts=2,
    ),
    "deepseekv3": replace(
        _DEEPSEEK, name="deepseekv3", hidden=7168, ffn=18432, vocab=129280, experts=256, active_experts=8, expert_ffn=2048, shared_experts=1,
    ),
    "mixtral-8x7b": replace(_LLAMA, name="mixtral-8x7b", hidden=4096, heads=32, ffn=14336, vocab=32000, experts=8, active_experts=2, expert_ffn=14336),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row as a question, with what was measured. step_s: seconds; peak_bytes: most that torch's allocator held on any device"""

    name: str
    model: str
    layers: Layers
    system: System
    plan: Plan
    batch: int
    step_s: float
    peak_bytes: float

    @property
    def is_fitted(self) -> bool:
        return self.name == FITTED


def read_cases(path: Path) -> list[Case]:
    """Every row of the table at `path`. Raises BadFile for columns that are not there, UnknownName for a model whose sizes nobody told."""
    with path.open(encoding="utf-8", newline="") as stream:
        return cases_of(list(csv.DictReader(stream)), path.name)


def cases_of(rows: Sequence[Mapping[str, str]], name: str) -> list[Case]:
    """Rows of the table as questions."""
    missing = [column for column in COLUMNS if rows and column not in rows[0]]
    if not rows or missing:
        raise BadFile(f"{name} has no {'rows' if not rows else 'column ' + missing[0]}. Give a table with {', '.join(COLUMNS)}.")
    return [_case(row) for row in rows]


def _case(row: Mapping[str, str]) -> Case:
    name, model = row["case"], row["model"]
    if model not in MODELS:
        raise unknown_name("model of the B200 table", model, MODELS, "thrifty parallelize validate --help")
    said = {key: int(value) for key, value in re.findall(r"_(tp|cp|ep|pp|dp|seq)(\d+)", name)}
    tp, cp, ep, pp, dp = (said.get(key, 1) for key in ("tp", "cp", "ep", "pp", "dp"))
    shape = replace(MODELS[model], layers=int(_number(row, "layers")), seq=said.get("seq", 4096))
    text = f"dense={_levels(tp=tp, cp=cp, zero1=dp, pp=pp)}"
    if shape.experts:  # experts are spread over what others replicate
        text += f";experts={_levels(tp=1, ep=ep, zero1=tp * cp * dp // ep, pp=pp)}"
    text += ";micro=1" + (";sequence=on" if tp > 1 else "") + (";recompute=full" if "full" in name else ";recompute=selective" if "selective" in name else "")
    devices = tp * cp * dp * pp
    return Case(
        name=name, model=model, layers=shape.to_layers(), system=load_system("hgx-b200").sized(devices), plan=Plan.parse(text),
        batch=int(_number(row, "microbatches")) * dp, step_s=_number(row, "step_ms") / 1e3, peak_bytes=_number(row, "peak_allocated_gib") * 2**30,
    )  # fmt: skip


def _number(row: Mapping[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError) as error:
        raise BadFile(f"{row['case']}: {column} is '{row[column]}', which is no number. Give one.") from error
    if not 0 < value < float("inf") or (column in ("layers", "microbatches") and value != int(value)):
        raise BadFile(f"{row['case']}: {column} is {value:g}. Give a finite number above 0, a whole one for layers and microbatches.")
    return value


def _levels(**degrees: int) -> str:
    return ",".join(f"{name}:{degree}" for name, degree in degrees.items() if degree > 1) or "ddp"


def allocated_bytes(case: Case) -> float:
    """What the account says of a case, without what lies outside of torch's allocator."""
    placed = place(case.plan, case.layers, case.system, batch=case.batch)
    return account(placed).total_bytes - constants().nccl_bytes


def memory_errors(cases: Iterable[Case]) -> dict[str, float]:
    """Relative error of the peak of every case that no constant was fitted to: predicted / measured - 1."""
    return {case.name: allocated_bytes(case) / case.peak_bytes - 1 for case in cases if not case.is_fitted}
