"""Small tables made by hand, and a source of them at any point, for tests of prices."""

from __future__ import annotations

from collections.abc import Mapping

from thrifty.workload import Kind, OperatorTable, Role, Symbol, Workload, WorkPhase
from thrifty.workload.builder import TableBuilder
from thrifty.workload.counts import attention_counts, layer_norm_flops, matmul_flops

WIDTH, HEADS, LAYERS = 64, 4, 3


class Little:
    """A transformer of three layers, one linear, one attention and one norm each: exact counts, no torch."""

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        return (Symbol(name="batch", default=1), Symbol(name="seq", default=16, high=4096, degree=2))

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        b, s = point["batch"], point["seq"]
        tokens, size = b * s, 2
        builder = TableBuilder()
        x = builder.storage(tokens * WIDTH * size, Role.INPUT, format_name)
        for layer in range(LAYERS):
            weight = builder.storage(WIDTH * WIDTH * size, Role.WEIGHT, format_name, f"w{layer}")
            y = builder.storage(tokens * WIDTH * size, Role.ACTIVATION, format_name)
            move = tokens * WIDTH * size
            builder.row(
                Kind.LINEAR, "mm", f"layers.{layer}", format_name, reads=[(x, move), (weight, WIDTH * WIDTH * size)], writes=[(y, move)],
                shape=(1, tokens, WIDTH, WIDTH), flops_matrix=matmul_flops(1, tokens, WIDTH, WIDTH), views=2, calls=1,
            )  # fmt: skip
            z = builder.storage(move, Role.ACTIVATION, format_name)
            counts = attention_counts(b, s, s, HEADS, WIDTH // HEADS, WIDTH // HEADS, causal=True)
            builder.row(
                Kind.ATTENTION, "attention", f"layers.{layer}", format_name, reads=[(y, 3 * move)], writes=[(z, move)], shape=(b, 0, 0, 0), causal=True,
                attention=(s, s, HEADS, HEADS, WIDTH // HEADS, WIDTH // HEADS), flops_matrix=counts.flops_matrix, flops_vector=counts.flops_vector,
                flops_skipped=counts.flops_skipped,
            )  # fmt: skip
            x = builder.storage(move, Role.ACTIVATION, format_name)
            builder.row(
                Kind.NORM, "norm", f"layers.{layer}", format_name, reads=[(z, move)], writes=[(x, move)], shape=(1, tokens, WIDTH, 0),
                flops_vector=layer_norm_flops(tokens, WIDTH), launches=6, bytes_staged=4 * move,
            )  # fmt: skip
        return builder.build()


def little(batch: int = 1, seq: int = 16, number_format: str = "bf16") -> Workload:
    source = Little()
    point = {"batch": batch, "seq": seq}
    table = source.table("forward", number_format, point)
    return Workload(
        name="little", phase="forward", format=number_format, point=point, table=table, parameters=LAYERS * WIDTH * WIDTH,
        weight_bytes=LAYERS * WIDTH * WIDTH * 2, symbols=source.symbols("forward"), source=source,
    )  # fmt: skip
