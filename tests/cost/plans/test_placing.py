"""A plan laid on a system: degrees, tiers, rules."""

import pytest

from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.placing import place, reach_of
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue
from thrifty.hardware import load_system

ZIONEX = load_system("zionex")
DLRM = Recommender(name="r", bottom=10, top=10, mlp_dim=64, tables=4, rows_per_table=100, dim=16, pooling=3).to_layers()
GPT = Transformer(name="g", layers=12, hidden=96, heads=12, seq=64, ffn=384, vocab=1000).to_layers()
MIXTURE = Transformer(name="m", layers=4, hidden=64, heads=4, seq=64, ffn=128, vocab=100, experts=6, active_experts=2).to_layers()


def test_formula_degrees_are_filled_in() -> None:
    placed = place(Plan.parse("embedding=mp;dense=fsdp:8,ddp"), DLRM, ZIONEX, batch=256)
    assert [(level.strategy, level.degree, level.stride, level.reach.ranks) for level in placed.levels["dense"]] == [
        ("fsdp", 8, 1, (8, 1)), ("ddp", 16, 8, (1, 16)),
    ]  # fmt: skip
    assert placed.levels["embedding"][0].reach.ranks == (8, 16)
    assert placed.replicas == 128
    assert (placed.micro_batch, placed.micro_batches) == (2, 1)


def test_formula_hybrid_sharding_is_fsdp_in_a_node_and_ddp_across() -> None:
    levels = place(Plan.parse("dense=hsdp"), GPT, ZIONEX, batch=128).levels["ffn"]
    assert [(level.strategy, level.degree) for level in levels] == [("fsdp", 8), ("ddp", 16)]
    assert [level.strategy for level in place(Plan.parse("dense=hsdp"), GPT, ZIONEX.sized(8), batch=8).levels["ffn"]] == ["fsdp"]


def test_formula_a_group_lies_in_tiers() -> None:
    assert reach_of(4, 1, ZIONEX).ranks == (4, 1)
    assert reach_of(16, 1, ZIONEX).ranks == (8, 2)
    assert reach_of(16, 4, ZIONEX).ranks == (2, 8)
    assert reach_of(4, 32, ZIONEX).ranks == (1, 4)


def test_formula_a_pipeline_works_in_micro_batches() -> None:
    placed = place(Plan.parse("dense=tp:4,pp:4,ddp:8;micro=2"), GPT, ZIONEX, batch=64)
    assert (placed.stages, placed.replicas, placed.micro_batch, placed.micro_batches) == (4, 8, 2, 4)
    assert placed.degree("ffn", "tp") == 4
    assert placed.degree("ffn", "cp") == 1


def test_formula_tables_that_no_one_names_lie_on_all_devices() -> None:
    assert place(Plan.parse("dense=ddp"), DLRM, ZIONEX, batch=128).levels["embedding"][0].strategy == "mp"
    assert place(Plan.parse("dense=ddp"), GPT, ZIONEX, batch=128).levels["embedding"][0].strategy == "ddp"


@pytest.mark.parametrize(
    ("layers", "plan", "batch", "words"),
    [
        (DLRM, "dense=fsdp:8,ddp:10", 256, "spreads over 80 ranks, which do not divide 128 devices"),
        (DLRM, "dense=fsdp:8,ddp:8", 256, "spreads over 64 of 128 devices"),
        (GPT, "dense=tp:8,ddp:16", 256, "tp=8 does not divide 12 heads of attention"),
        (GPT, "dense=pp:8,ddp:16", 256, "pp=8 does not divide 12 layers"),
        (GPT, "attention=pp:4,ddp:32;ffn=ddp", 256, "classes disagree on pipeline stages"),
        (GPT, "dense=pp:4,ddp:32;micro=3", 256, "micro=3 does not divide the 8 samples of a replica"),
        (GPT, "dense=ddp", 64, "batch=64 does not spread evenly over 128 ranks"),
        (GPT, "dense=ddp", 0, "batch=0 is below 1"),
        (GPT, "dense=ddp;experts=ep", 128, "names experts, and g has no such layers"),
        (GPT, "ffn.12=ddp;dense=ddp", 128, "ffn.12 is beyond the last of 12 ffn layers"),
        (MIXTURE, "dense=ddp;experts=ep:4,ddp", 128, "ep=4 does not divide 6 experts"),
        (GPT, "dense=ep:4,ddp", 128, "ep spreads experts"),
        (GPT, "dense=mp", 128, "mp places embedding tables"),
        (GPT, "dense=ddp;interleave=2", 128, "interleave=2 needs a pipeline"),
        (GPT, "attention=tp:4,ddp:32;ffn=ddp", 128, "see different samples (embedding: 128, dense: 128, attention: 32, ffn: 128)"),
        (GPT, "dense=cp:128", 128, "cp=128 does not divide sequences of 64 tokens"),
        (GPT, "dense=tp:3,ddp", 128, "dense=tp:3,ddp spreads over 3 ranks, which do not divide 128 devices"),
        (GPT, "dense=pp:4,ddp:32;interleave=3", 32, "interleaving needs micro-batches (1) that 4 stages divide"),
        (GPT, "dense=pp:4,ddp:32;interleave=3", 34, "batch=34 does not spread evenly"),
        (GPT, "dense=pp:4,ddp:32;interleave=5", 128, "pp=4 with interleave=5 does not divide 12 layers"),
        (GPT, "dense=pp:4,ddp:32;interleave=3;schedule=gpipe", 128, "schedule=gpipe has one chunk a stage"),
        (GPT, "dense=pp:4,ddp:32;interleave=3;schedule=zero-bubble", 128, "schedule=zero-bubble has one chunk a stage"),
        (GPT, "dense=pp:4,ddp:32;schedule=interleaved", 128, "Give interleave=2 or more"),
        (GPT, "dense=ddp;schedule=gpipe", 128, "schedule=gpipe needs a pipeline"),
        (GPT, "dense=ddp;ffn.3=pp:4,ddp", 128, "ffn.3 has 4 stages, and the other ffn layers have 1"),
        (GPT, "dense=ddp;ffn.3=tp:4,ddp", 128, "ffn.3 has 32 ranks that see different samples, and the other ffn layers have 128"),
    ],
)
def test_formula_what_cannot_be_is_refused_in_one_line(layers, plan: str, batch: int, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadValue) as caught:
        place(Plan.parse(plan), layers, ZIONEX, batch=batch)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formula_systems_of_other_sizes() -> None:
    assert [tier.count for tier in ZIONEX.sized(2048).tiers] == [8, 256]
    assert [tier.count for tier in ZIONEX.sized(4).tiers] == [4, 1]
    with pytest.raises(BadValue, match="12 devices do not fill"):
        ZIONEX.sized(12)


def test_formula_one_device_takes_no_degrees() -> None:
    one = ZIONEX.sized(1)
    assert place(Plan.parse("dense=ddp"), GPT, one, batch=2).levels["ffn"] == ()
    with pytest.raises(BadValue, match="tp:8 spreads over 8 ranks, which do not divide 1 device"):
        place(Plan.parse("dense=tp:8"), GPT, one, batch=2)


def test_formula_one_layer_may_share_its_states_otherwise() -> None:
    placed = place(Plan.parse("dense=fsdp;ffn.3=ddp"), GPT, ZIONEX, batch=128)
    assert [level.strategy for level in placed.overrides["ffn", 3]] == ["ddp"]
