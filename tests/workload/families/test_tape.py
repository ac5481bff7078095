"""The tape: gradients in reverse, added where two meet; what is held until when; narrow weights; checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Tape, activation_format
from thrifty.workload.table import Kind, OperatorTable, Phase, Role


def two_layers(*, keep: bool = True) -> OperatorTable:
    """x → a → relu → b, and the relu's input added to b's result: two gradients meet in a's output."""
    t = Tape([("a", (6, 4)), ("b", (6, 6))], "fp32", keep=keep)
    x = t.input(8, "fp32", "x")
    t.enter("first")
    h = ops.linear(t, x, t.weights["a"], 2, 6, 4)
    t.enter("act")
    r = ops.activation(t, h, "relu")
    t.enter("second")
    y = ops.linear(t, r, t.weights["b"], 2, 6, 6)
    t.enter("sum")
    out = ops.add(t, y, h)
    if keep:
        out.grad = ops.move(t, "aten.ones_like", (out,), out.count)
        t.backward()
        t.optimizer_step()
    return t.build()


def test_formula_rows_of_a_step() -> None:
    table = two_layers()
    rows = [(Phase(r["phase"]).label, table.op(i), table.module(i), int(r["m"]), int(r["n"]), int(r["k"])) for i, r in enumerate(table.rows)]
    assert rows == [
        ("forward", "aten.mm", "first", 2, 6, 4), ("forward", "aten.relu", "act", 12, 0, 0), ("forward", "aten.mm", "second", 2, 6, 6),
        ("forward", "aten.add", "sum", 12, 0, 0), ("forward", "aten.ones_like", "sum", 12, 0, 0),
        ("backward", "aten.mm", "second", 6, 6, 2), ("backward", "aten.mm", "second", 2, 6, 6), ("backward", "aten.threshold_backward", "act", 12, 0, 0),
        ("backward", "aten.add", "act", 12, 0, 0), ("backward", "aten.mm", "first", 6, 4, 2), ("optimizer", "adamw", "", 24, 0, 0),
        ("optimizer", "adamw", "", 36, 0, 0),
    ]  # fmt: skip


def test_formula_lifetimes() -> None:
    """The relu's result is held from its row to the product of b's gradient and on to its own gradient; h to nothing beyond its last reader."""
    table = two_layers()
    born = {int(s["birth"]): (int(s["bytes"]), int(s["death"])) for s in table.storages if s["role"] == Role.ACTIVATION and s["birth"] >= 0}
    assert born[1] == (48, 7)
    assert born[0] == (48, 3)
    gradients = table.storages[table.storages["role"] == Role.GRADIENT]
    assert sorted(gradients["bytes"].tolist()) == [96, 144] and set(gradients["death"].tolist()) == {len(table) - 1}
    plain = two_layers(keep=False)
    assert len(plain) == 4 and not (plain.storages["role"] == Role.GRADIENT).any()


def test_property_live_bytes_end_as_they_began() -> None:
    """Weights, moments and inputs before; the same and the gradients after."""
    table = two_layers()
    live = table.live_bytes()
    resident = sum(table.held_at(0)[role] for role in ("weight", "input", "optimizer"))
    assert resident == 240 * 3 + 32
    assert int(live[-1]) == resident + 240 + int(table.storages["bytes"][table.storages["birth"] == len(table) - 1].sum())


def test_checkpoint_runs_again_and_keeps_its_entry_only() -> None:
    def build(on: bool) -> OperatorTable:
        t = Tape([("a", (4, 4))], "fp32", keep=True)
        x = t.input(8, "fp32", "x")
        h = ops.linear(t, x, t.weights["a"], 2, 4, 4)
        out = t.checkpoint(lambda entry: ops.activation(t, ops.activation(t, entry, "silu"), "gelu"), h) if on else ops.activation(
            t, ops.activation(t, h, "silu"), "gelu"
        )  # fmt: skip
        out.grad = ops.move(t, "aten.ones_like", (out,), out.count)
        t.backward()
        return t.build()

    plain, again = build(False), build(True)
    ops_of = [[table.op(i) for i in range(len(table))] for table in (plain, again)]
    assert ops_of[0] == ["aten.mm", "aten.silu", "aten.gelu", "aten.ones_like", "aten.gelu_backward", "aten.silu_backward", "aten.mm"]
    assert ops_of[1] == [*ops_of[0][:4], "aten.silu", "aten.gelu", *ops_of[0][4:]]
    assert again.rows["phase"].tolist() == [Phase.FORWARD] * 4 + [Phase.BACKWARD] * 5


@pytest.mark.parametrize(
    ("stored", "computed", "matrix"), [("fp32", "fp32", 128), ("fp16", "fp16", 64), ("fp8_e4m3", "bf16", 32), ("q4_0", "bf16", 18), ("int8", "bf16", 32)]
)
def test_narrow_formats_store_matrices_only(stored: str, computed: str, matrix: int) -> None:
    assert activation_format(stored) == computed
    t = Tape([("a", (4, 8)), ("bias", (4,)), ("router", (1, 8))], stored, keep=False, wide=frozenset({"router"}))
    assert t.weights["a"].size == matrix and t.weights["a"].format == stored
    assert t.weights["bias"].format == computed and t.weights["router"].size == 32


def test_formula_spelled_out_gelu_is_eight_kernels_and_eleven_back() -> None:
    t = Tape([("a", (4, 4))], "fp32", keep=True)
    h = ops.linear(t, t.input(8, "fp32", "x"), t.weights["a"], 2, 4, 4)
    out = ops.gelu_spelled_out(t, h)
    out.grad = ops.move(t, "aten.ones_like", (out,), out.count)
    t.backward()
    table = t.build()
    inside = table.rows["kind"] == Kind.ELEMENTWISE
    assert [int((inside & (table.rows["phase"] == phase)).sum()) for phase in (Phase.FORWARD, Phase.BACKWARD)] == [8, 11]
    forward = table.rows[inside & (table.rows["phase"] == Phase.FORWARD)]
    assert int(forward["flops_vector"].sum()) == 9 * 8 and np.unique(forward["m"]).tolist() == [8]
