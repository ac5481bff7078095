"""Layers from sizes and from operator tables tell the same model."""

import pytest

from thrifty.cost.plans.models.extracting import layers_of
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.shapes import LatentAttention, Recommender, Transformer
from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.table import Role

GPT3 = Transformer(
    name="gpt3-175b", layers=96, hidden=12288, heads=96, seq=2048, ffn=49152, vocab=50257, positions=True, format="fp16",
)  # fmt: skip
LLAMA2 = Transformer(
    name="llama2-7b", layers=32, hidden=4096, heads=32, seq=2048, ffn=11008, vocab=32000, gated=True, biases=False, tied=False, format="fp16",
)  # fmt: skip
DEEPSEEK = Transformer(
    name="deepseek-v3", layers=61, hidden=7168, heads=128, seq=4096, ffn=18432, vocab=129280, gated=True, biases=False, tied=False, experts=256,
    active_experts=8, expert_ffn=2048, shared_experts=1, first_dense=3,
    latent=LatentAttention(q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, value_dim=128),
)  # fmt: skip


@pytest.mark.parametrize("shape", [GPT3, LLAMA2, DEEPSEEK], ids=lambda shape: shape.name)
def test_peer_sizes_and_operator_table_give_the_same_layers(shape: Transformer) -> None:
    """The operator table is the oracle; it is checked against torch elsewhere."""
    workload = load(shape.name, phase="training", seq=shape.seq)
    read, made = layers_of(workload), shape.to_layers()
    assert read.weights == pytest.approx(made.weights, rel=2e-4)
    assert read.flops == pytest.approx(made.flops, rel=1e-6)
    assert [(s.role, s.repeat, [b.layer_class for b in s.blocks]) for s in read.segments] == [
        (s.role, s.repeat, [b.layer_class for b in s.blocks]) for s in made.segments
    ]
    assert [block.width for segment in read.segments for block in segment.blocks] == [block.width for segment in made.segments for block in segment.blocks]
    head, read_head = made.segments[-1].blocks[0], read.segments[-1].blocks[0]
    assert (read_head.kept_bytes, read_head.kept_scores_bytes) == (head.kept_bytes, head.kept_scores_bytes)
    assert read_head.kept_whole_bytes == pytest.approx(head.kept_whole_bytes, rel=0.01)
    for ours, theirs in zip(made.segments[1].blocks, read.segments[1].blocks, strict=True):
        assert theirs.kept_bytes == pytest.approx(ours.kept_bytes, rel=0.02), ours.name
        assert theirs.kept_whole_bytes == pytest.approx(ours.kept_whole_bytes, rel=0.15), ours.name
        for split in ("column", "row", "none"):
            cut, read_cut = (sum(p.flops for p in block.products if p.split == split) for block in (ours, theirs))
            assert read_cut == pytest.approx(cut, rel=1e-6), (ours.name, split)


@pytest.mark.parametrize("name", ["bert-base", "vit-l", "dlrm-criteo-kaggle", "resnet-50", "dit-xl-2", "sd-1.5-unet", "mixtral-8x7b", "t5-xxl-encoder"])
def test_property_no_weight_and_no_product_is_lost(name: str) -> None:
    workload = load(name, phase="training", **({"seq": 512} if name in ("mixtral-8x7b", "t5-xxl-encoder") else {}))
    layers, table = layers_of(workload), workload.table
    forward = table.rows["phase"] == 0
    assert _full(layers) == pytest.approx(int(table.rows["flops_matrix"][forward].sum()), rel=1e-9)
    weights = table.storages[table.storages["role"] == Role.WEIGHT]
    stored = sum(int(row["bytes"]) / {"fp32": 4, "bf16": 2, "fp16": 2}[table.formats[int(row["format"])]] for row in weights)
    assert layers.weights == pytest.approx(stored, rel=1e-6)


def test_formula_narrow_models_keep_their_feed_forward_layers() -> None:
    """Gemma 3 270M: 256 is as frequent an output (keys, values) as 640, but no product leaves from it."""
    body = [segment for segment in layers_of(load("gemma3-270m", phase="training", seq=512)).segments if segment.role == "body"]
    assert {tuple(block.layer_class for block in segment.blocks) for segment in body} == {("attention", "ffn")}
    assert [product.split for product in body[0].blocks[1].products] == ["column", "column", "row"]


def test_formula_kept_bytes_are_34_sbh() -> None:
    """Korthikanti et al. 2022, equations 1 and 2: s·b·h·(10 + 24/t + 5·a·s/(h·t)) for a GPT layer with dropout."""
    shape = Transformer(name="g", layers=1, hidden=6144, heads=64, seq=2048, ffn=4 * 6144, vocab=51200, positions=True, dropout=True, format="bf16")
    blocks, sh = shape.to_layers().segments[1].blocks, 2048 * 6144
    assert sum(block.kept_bytes for block in blocks) == 24 * sh
    assert sum(block.kept_whole_bytes for block in blocks) == 10 * sh
    assert sum(block.kept_scores_bytes for block in blocks) == 5 * 64 * 2048**2


def test_paper_published_recommender() -> None:
    """MAD-Max's DLRM-A: 801.17 B weights, 0.638 GFLOP a sample, 11.55 MB of look-ups."""
    layers = Recommender(name="a", bottom=10, top=10, mlp_dim=3994, tables=4096, rows_per_table=2_080_000, dim=94, pooling=15).to_layers()
    lookup = layers.segments[0].blocks[0].lookup
    assert lookup is not None
    assert (round(layers.weights / 1e9, 2), round(layers.flops / 1e9, 3), round(lookup.fetched * 2 / 1e6, 2)) == (801.17, 0.638, 11.55)


def test_formula_sizes_that_cannot_be() -> None:
    with pytest.raises(BadValue, match="heads do not divide"):
        Transformer(name="g", layers=1, hidden=100, heads=12, seq=8, ffn=1)
    with pytest.raises(BadValue, match="layers=0 of g is below 1"):
        Transformer(name="g", layers=0, hidden=100, heads=10, seq=8, ffn=1)
    with pytest.raises(BadValue, match="active_experts=9 of 8"):
        Transformer(name="g", layers=1, hidden=100, heads=10, seq=8, ffn=1, experts=8, active_experts=9)


def _full(layers: Layers) -> float:
    """FLOPs with masked attention counted in full, as operator tables count it."""
    total = 0.0
    for segment in layers.segments:
        for block in segment.blocks:
            core = block.core
            halved = core is not None and core.causal and core.queries == core.keys
            total += segment.repeat * (block.flops_of_weights + (core.flops * (2 if halved else 1) if core is not None else 0.0))
    return total
