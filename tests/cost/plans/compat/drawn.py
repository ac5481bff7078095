"""Random models, systems, plans and tasks for the published model."""

from __future__ import annotations

from hypothesis import strategies as st

from thrifty.cost.plans.compat.rates import PublishedRates
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task

_formats = st.sampled_from(["fp32", "bf16", "fp16", "int8"])
_few = st.integers(1, 9)


@st.composite
def transformers(draw: st.DrawFn, name: str = "drawn") -> Transformer:
    experts = draw(st.sampled_from([0, 0, 4, 8]))
    layers = draw(st.integers(1, 30))
    return Transformer(
        name=name, layers=layers, hidden=64 * draw(_few), heads=8, seq=draw(st.integers(1, 300)), ffn=32 * draw(_few), vocab=draw(st.sampled_from([0, 1000])),
        gated=draw(st.booleans()), biases=draw(st.booleans()), experts=experts, active_experts=2 if experts else 0, expert_ffn=32 * draw(_few),
        shared_experts=draw(st.integers(0, 2)), first_dense=draw(st.integers(0, layers)), patch=draw(st.sampled_from([0, 0, 8])), format=draw(_formats),
    )  # fmt: skip


@st.composite
def models(draw: st.DrawFn) -> Layers:
    if draw(st.booleans()):
        return draw(transformers()).to_layers()
    experts = draw(st.sampled_from([0, 0, 4]))
    return Recommender(
        name="drawn", bottom=draw(_few), top=draw(_few), mlp_dim=draw(st.integers(8, 4000)), tables=draw(st.integers(1, 50)), rows_per_table=1000,
        dim=draw(st.integers(8, 128)), pooling=draw(st.integers(1, 80)), interaction=draw(st.none() | transformers("interaction")), experts=experts,
        active_experts=2 if experts else 0, format=draw(_formats), embedding_format=draw(_formats),
    ).to_layers()  # fmt: skip


@st.composite
def rates(draw: st.DrawFn) -> PublishedRates:
    """Rates over six orders of magnitude: whatever binds, binds somewhere."""
    node, nodes = draw(st.sampled_from([1, 2, 8])), draw(st.sampled_from([1, 2, 4]))
    speed = st.floats(6, 12).map(lambda exponent: float(10**exponent))
    tiers = 2 if nodes > 1 else 1
    return PublishedRates(
        name="drawn", devices=node * nodes, node_devices=node, flops={width: draw(speed) * 100 for width in (8, 4, 2, 1)[: draw(st.integers(3, 4))]},
        memory=draw(speed), capacity_bytes=draw(speed), all_to_all=tuple(draw(speed) for _ in range(tiers)),
        all_reduce=tuple(draw(speed) for _ in range(tiers)), all_gather=tuple(draw(speed) for _ in range(tiers)),
    )  # fmt: skip


_dense = st.lists(st.sampled_from(["ddp", "fsdp", "tp", "pp", "cp"]), min_size=1, max_size=2, unique=True)
_tables = st.lists(st.sampled_from(["mp", "ddp"]), min_size=1, max_size=2, unique=True)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Mostly legal ones; two levels leave the inner degree to the rules or name it."""
    said = {}
    for name in draw(st.lists(st.sampled_from(["dense", "interaction", "attention", "ffn", "experts"]), min_size=1, max_size=3, unique=True)):
        said[name] = draw(_dense)
    if draw(st.booleans()):
        said["embedding"] = draw(_tables)
    parts = []
    for name, words in said.items():
        if len(words) == 2:
            inner, outer = draw(st.sampled_from([("8", ""), ("2", ""), ("", "2"), ("", "4"), ("8", "4"), ("2", "2")]))
            words = [words[0] + (f":{inner}" if inner else ""), words[1] + (f":{outer}" if outer else "")]
        parts.append(f"{name}={','.join(words)}")
    return Plan.parse(";".join(parts) + draw(st.sampled_from(["", "", "", "", "", "", "", ";micro=2"])))


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    kind = draw(st.sampled_from(["pretrain", "inference", "finetune"]))
    if kind != "finetune":
        return Task(kind=kind)
    parts = st.sampled_from(["embedding", "bottom", "top", "interaction", "attention", "ffn", "experts", "body", "head", "dense"])
    return Task(kind="finetune", frozen=frozenset(draw(st.lists(parts, max_size=3))), trained_layers=draw(st.sampled_from([-1, -1, 0, 1, 3, 12])))
