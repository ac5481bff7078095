"""Fused and spelled-out attention: the same work, other traffic; what torch really runs spelled out is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from thrifty.errors import BadValue
from thrifty.workload import Kind, OperatorTable, capture, load
from thrifty.workload.attention_forms import fused, in_form, is_fused, spelled_out
from thrifty.workload.table import Phase


class Heads(nn.Module):
    """One attention without projections."""

    def __init__(self, *, eager: bool) -> None:
        super().__init__()
        self.eager = eager

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        if not self.eager:
            return F.scaled_dot_product_attention(q, k, v)
        scale = q.shape[-1] ** -0.5
        a, b, s, d = q.shape
        empty = torch.empty(a * b, s, k.shape[2], device=q.device)
        scores = torch.baddbmm(empty, q.reshape(a * b, s, d), k.reshape(a * b, -1, d).transpose(1, 2), beta=0, alpha=scale)
        out = torch.bmm(scores.softmax(-1), v.reshape(a * b, -1, v.shape[-1]))
        return out.reshape(a, b, s, -1)


def attention_sums(table: OperatorTable, name: str) -> int:
    return int(table.rows[name][table.rows["kind"] == Kind.ATTENTION].sum())


@pytest.mark.parametrize("keys", [6, 11])
def test_formula_three_kernels(keys: int) -> None:
    b, h, s, d, e = 2, 3, 6, 8, 4
    q, k, v = torch.zeros(b, h, s, d), torch.zeros(b, h, keys, d), torch.zeros(b, h, keys, d)
    rows = spelled_out(capture(Heads(eager=False), q, k, v).table).rows
    assert rows["flops_matrix"].tolist() == [2 * b * h * s * keys * d, 0, 2 * b * h * s * keys * d]
    scores = b * h * s * keys * e
    size_q, size_k = b * h * s * d * e, b * h * keys * d * e
    assert rows["bytes_read"].tolist() == [size_q + size_k, scores, scores + size_k]
    assert rows["bytes_written"].tolist() == [scores, scores, size_q]
    assert rows[["batch", "m", "n", "k"]].tolist() == [(b * h, s, keys, d), (1, b * h * s, keys, 0), (b * h, s, d, keys)]


@pytest.mark.parametrize("keys", [6, 11])
def test_what_torch_runs_spelled_out_is_what_is_modelled(keys: int) -> None:
    shapes = torch.zeros(2, 3, 6, 8), torch.zeros(2, 3, keys, 8), torch.zeros(2, 3, keys, 8)
    ours, theirs = spelled_out(capture(Heads(eager=False), *shapes).table), capture(Heads(eager=True), *shapes).table
    for name in ("flops_matrix", "bytes_written"):
        assert attention_sums(ours, name) == attention_sums(theirs, name)
    # baddbmm is given an empty tensor of scores, which it does not read (beta = 0) but names
    assert attention_sums(theirs, "bytes_read") - attention_sums(ours, "bytes_read") in (0, 2 * 3 * 6 * keys * 4)
    back = fused(theirs)
    assert int(is_fused(back.rows).sum()) == 1 and attention_sums(back, "flops_matrix") == attention_sums(theirs, "flops_matrix")


@pytest.mark.parametrize(
    ("name", "phase"),
    [("llama2-7b", "prefill"), ("llama2-7b", "decode"), ("bert-base", "forward"), ("vit-b", "forward"), ("smollm2-135m", "training")],
)
def test_there_and_back(name: str, phase: str) -> None:
    table = load(name, phase=phase).table  # type: ignore[arg-type]
    eager = spelled_out(table)
    assert not is_fused(eager.rows).any() and eager.unknown() == {}
    before, after = table.totals(), eager.totals()
    assert after["flops_matrix"] == before["flops_matrix"] and after["bytes_weight"] == before["bytes_weight"]
    assert after["bytes_read"] >= before["bytes_read"] and after["bytes_written"] >= before["bytes_written"]
    if phase != "training":
        again = fused(eager)
        assert again.totals() == before
        assert np.array_equal(again.live_bytes(), table.live_bytes())
        assert again.rows["op"].shape == table.rows["op"].shape
    assert spelled_out(eager) is eager and fused(table) is table
    steps = {phase.label: int((eager.rows["kind"] == Kind.ATTENTION)[eager.rows["phase"] == phase].sum()) for phase in (Phase.FORWARD, Phase.BACKWARD)}
    fused_steps = {phase.label: int(is_fused(table.rows)[table.rows["phase"] == phase].sum()) for phase in (Phase.FORWARD, Phase.BACKWARD)}
    assert steps == {"forward": 3 * fused_steps["forward"], "backward": 5 * fused_steps["backward"]}


def test_scores_are_held_while_they_are_needed() -> None:
    work = load("bert-base", batch=8, seq=512)
    eager = spelled_out(work.table)
    scores = 8 * 12 * 512 * 512 * 4
    softmax = np.flatnonzero([op == "attention.softmax" for op in eager.ops()])
    assert (eager.live_bytes()[softmax] >= 2 * scores).all()  # S and P
    own = work.table.live_bytes()[is_fused(work.table.rows)]
    assert (eager.live_bytes()[softmax] > own).all()


def test_formula_a_softmax_in_fp32_moves_four_bytes_a_score() -> None:
    work = load("vit-b", format="fp16")
    narrow, wide = (in_form(work.table, form) for form in ("eager", "eager-fp32"))
    scores = 12 * 12 * 197 * 197
    for name in ("bytes_read", "bytes_written"):
        assert wide.totals()[name] - narrow.totals()[name] == 2 * scores
    assert wide.totals()["flops_matrix"] == narrow.totals()["flops_matrix"]
    exact = load("vit-b", format="fp32").table
    assert in_form(exact, "eager").totals() == in_form(exact, "eager-fp32").totals()


def test_another_form_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^attention='flash' is none of eager, eager-fp32, fused\. Choose one of them\.$"):
        in_form(load("bert-base").table, "flash")
