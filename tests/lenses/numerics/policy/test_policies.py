"""What is rounded where: inheritance, overrides, texts and files, hashes, one line for what is no policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.lenses.numerics.laboratory.kernels import running
from thrifty.lenses.numerics.policy import PRESETS, SITES, Options, Policy, Rule, as_policy

RULES = st.builds(
    Rule, format=st.sampled_from(["dt", "bf16", "fp16", "fp32", "fp8_e5m2"]), rounding=st.sampled_from(["rne", "rz", "ru", "stochastic"]),
    overflow=st.sampled_from([None, "inf", "saturate", "nan"]), flush=st.booleans(),
)  # fmt: skip


@given(rule=RULES)
def test_property_a_rule_reads_what_it_writes(rule: Rule) -> None:
    assert Rule.read(rule.write()) == rule


@given(sites=st.dictionaries(st.sampled_from([*SITES, "o", "s", "*"]), RULES, max_size=4), sums=st.dictionaries(st.sampled_from(["s.acc", "*"]),
       st.sampled_from(["fma:fp32", "hopper-bf16"]), max_size=2), order=st.sampled_from(["forward", "reverse"]))  # fmt: skip
def test_property_a_policy_survives_json(sites: dict[str, Rule], sums: dict[str, str], order: str) -> None:
    policy = Policy(name="x", algorithm="fa2", sites=sites, accumulators=sums, options=Options(kv_order=order))
    again = Policy.from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again == policy
    assert again.hash("bf16") == policy.hash("bf16")


def test_formula_a_site_inherits_from_its_family_and_that_from_the_star() -> None:
    policy = Policy(name="x", sites={"*": Rule(format="fp32"), "o": Rule(format="fp16"), "o.mul": Rule(format="bf16")})
    assert [policy.rule(site).format for site in ("o.mul", "o.add", "s.sub")] == ["bf16", "fp16", "fp32"]
    assert Policy(name="x").rule("o.mul").format == "dt"
    assert Policy(name="x").rounding("o.mul", "e4m3").overflow == "saturate"
    assert Policy(name="x").rounding("o.mul", "bf16").overflow == "inf"


def test_formula_sums_are_wider_where_the_working_format_is() -> None:
    policy = Policy(name="x", accumulators={"s.acc": "sequential:bf16"})
    assert policy.accumulator("s.acc", "fp64") == "sequential:bf16"
    assert [policy.accumulator("o.acc", working) for working in ("", "bf16", "fp32", "fp64")] == ["fma:fp32", "fma:fp32", "fma:fp32", "fma:fp64"]


def test_formula_overrides_change_one_line_and_the_hash() -> None:
    base = as_policy("fa_paper")
    changed = base.override("o.store=fp32", "l.acc=sequential:bf16", "option.kv_order=reverse", "algorithm=fa2", "option.p_scale=256")
    assert changed.rule("o.store").format == "fp32"
    assert changed.rule("o.mul") == base.rule("o.mul")
    assert changed.accumulator("l.acc") == "sequential:bf16"
    assert (changed.options.kv_order, changed.options.p_scale, changed.algorithm) == ("reverse", 256.0, "fa2")
    assert changed.name == "fa_paper with o.store=fp32, l.acc=sequential:bf16, option.kv_order=reverse, algorithm=fa2, option.p_scale=256"
    assert changed.hash("bf16") != base.hash("bf16")
    assert base.hash("bf16") != base.hash("fp16")
    assert base.override() == base


def test_formula_files(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('preset = "fa2_kernel"\nname = "mine"\n[sites]\n"o.add" = "bf16:rz"\n[options]\nkv_order = "reverse"\n')
    policy = as_policy(tmp_path / "p.toml")
    assert policy.name == "mine"
    assert policy.algorithm == "fa2"
    assert policy.rule("o.add") == Rule(format="bf16", rounding="rz")
    assert policy.rule("l.add").format == "fp32"
    bad = (
        ('[sites]\n"o.ad" = "bf16"\n', "o.add"), ('[sites]\n"o.add" = "bf61"\n', "bf16"), ("[option]\nx = 1\n", "options"),
        ("a = [\n", "cannot be read"), ('[options]\nkv_order = "back"\n', "forward"), ("sites = 3\n", "must be a table"),
        ('[sites]\n"o.add" = 3\n', "must be a text"),
    )  # fmt: skip
    for text, line in bad:
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(BadFile) as caught:
            as_policy(tmp_path / "bad.toml")
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadFile, match="cannot be read"):
        as_policy(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "line"),
    [("o.store", "must be site=rule"), ("o.stoer=fp32", "o.store"), ("o.store=bf16:up", "no rounding mode"), ("o.store=bf16:rne:wrap", "no overflow"),
     ("o.store=bf16:rne:inf:x:y", "too many parts"), ("option.kv_ordr=forward", "kv_order"), ("option.hadamard=yes", "true or false"),
     ("option.p_scale=-1", "at least"), ("option.exp2_degree=2", "0 (exact) or 3"), ("algorithm=fa9", "fa1"), ("option.rescale_log2=nan", "at least 0")],
)  # fmt: skip
def test_formula_bad_changes_are_one_line(change: str, line: str) -> None:
    with pytest.raises((BadValue, UnknownName)) as caught:
        as_policy("fa_paper").override(change)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formula_every_preset_is_named_as_it_says_and_differs_from_others() -> None:
    assert all(policy.name == name for name, (_, policy) in PRESETS.items())
    hashes = {name: policy.hash("bf16") for name, (_, policy) in PRESETS.items()}
    alike = {"fa3_fp16", "fa2_kernel", "sdpa_cpu"}  # they round alike; what differs in schedules does not round
    assert len(set(hashes.values())) >= len(hashes) - len(alike) + 1
    assert set(running.SITES) <= set(SITES)
    with pytest.raises(UnknownName, match="fa_paper"):
        as_policy("fa_papr")
