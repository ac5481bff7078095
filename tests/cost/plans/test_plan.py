"""Words of a plan: read, written, refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.plans.models.layers import CLASSES
from thrifty.cost.plans.plan import Level, Plan
from thrifty.errors import BadValue, ThriftyError, UnknownName


def test_formula_levels_are_innermost_first() -> None:
    plan = Plan.parse("embedding=mp;dense=fsdp:8,ddp:16")
    assert plan.levels == {"embedding": (Level("mp"),), "dense": (Level("fsdp", 8), Level("ddp", 16))}


def test_formula_unnamed_classes_follow_dense_then_the_body() -> None:
    plan = Plan.parse("embedding=mp;dense=ddp;ffn=tp:8,ddp;ffn.3=ddp")
    assert plan.of("attention") == (Level("ddp"),)
    assert plan.of("ffn", 2) == (Level("tp", 8), Level("ddp"))
    assert plan.of("ffn", 3) == (Level("ddp"),)
    assert Plan.parse("ffn=fsdp").of("embedding") == (Level("fsdp"),)


def test_formula_other_spellings() -> None:
    assert Plan.parse("dense=zero3:8,dp:2").levels["dense"] == (Level("fsdp", 8), Level("ddp", 2))
    assert Plan.parse("dense=hsdp").levels["dense"] == (Level("fsdp"), Level("ddp"))


def test_formula_options() -> None:
    plan = Plan.parse("dense=tp:8,pp:35,ddp;micro=1;interleave=3;schedule=interleaved;recompute=selective;sequence=on;offload=optimizer,weights;fused=off")
    assert (plan.micro_batch, plan.interleave, plan.schedule, plan.recompute) == (1, 3, "interleaved", "selective")
    assert plan.sequence
    assert not plan.fused
    assert plan.offload == {"optimizer", "weights"}


_levels = st.lists(st.sampled_from(["ddp", "fsdp", "tp", "pp", "cp"]), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*(st.builds(Level, st.just(name), st.integers(2, 64)) for name in names))
)


@given(st.dictionaries(st.sampled_from(CLASSES), _levels, min_size=1), st.integers(1, 9), st.sampled_from(["none", "selective", "full"]), st.booleans())
def test_property_a_plan_written_is_read_back(levels, micro, recompute, sequence) -> None:  # type: ignore[no-untyped-def]
    plan = Plan(levels=levels, micro_batch=micro, recompute=recompute, sequence=sequence)
    assert Plan.parse(str(plan)) == plan


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dense=ddp:1", "ddp:1 of dense spreads over 1 ranks, which is no strategy. Give 2 or more, or leave the level out."),
        ("dense=tp:0", "tp:0 of dense spreads over 0 ranks"),
        ("dense=ddp:8,ddp:2", "dense names ddp twice. Name a strategy once."),
        ("dense=tp,ddp", "leaves out more than one degree"),
        ("dense", "'dense' in the plan is no CLASS=STRATEGY"),
        ("dense=", "'dense=' in the plan is no CLASS=STRATEGY"),
        ("dense=ddp:٨", "is no STRATEGY:DEGREE"),
        ("dense=ddp;micro=٢", "is no whole number from 1 up"),
        ("dense=ddp;dense=tp", "stands twice"),
        ("micro=1", "names no class of layers"),
        ("dense=ddp;micro=0", "micro=0 is no whole number from 1 up"),
        ("dense=ddp;micro=nan", "micro=nan is no whole number"),
        ("dense=tp:8.5", "is no STRATEGY:DEGREE"),
        ("dense=hsdp:8", "two levels in one word"),
    ],
)
def test_formula_what_breaks_a_rule_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(BadValue) as caught:
        Plan.parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["dense=dpp:8", "dens=ddp", "dense=ddp;micr=1", "dense=ddp;recompute=some", "dense=ddp;sequence=yes"])
def test_formula_unknown_words_are_refused_with_the_nearest(text: str) -> None:
    with pytest.raises(UnknownName):
        Plan.parse(text)


def test_formula_no_level_at_all_is_read_back_as_copies_of_one_device() -> None:
    assert str(Plan(levels={"dense": ()}, micro_batch=4)) == "dense=ddp;micro=4"


@given(st.text(max_size=30))
def test_property_no_text_is_a_traceback(text: str) -> None:
    try:
        Plan.parse(text)
    except ThriftyError as error:
        assert "\n" not in str(error) or "\n" in text
