"""Bad and odd inputs: right answers or one clear line."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.lenses.numerics.inputs import draw, read_inputs
from thrifty.lenses.numerics.laboratory import attend, attention, golden
from thrifty.lenses.numerics.laboratory.masks import alibi_slopes
from thrifty.lenses.numerics.laboratory.tiles import block_sizes, splits_of
from thrifty.lenses.numerics.policy import PRESETS, as_policy

FORMATS = {"fa3_fp8": "e4m3", "baseline_fp8": "e4m3"}


def made(**sizes: Any) -> Any:
    return draw(sizes.pop("kind", "normal"), **{"seq": 20, "head_dim": 8, **sizes})


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("seq", [0, 1, 33])
def test_formula_any_length_and_an_odd_head_dim(name: str, seq: int) -> None:
    x = made(seq=seq, head_dim=15, heads=4, kv_heads=2, batch=2)
    found = attend(x.q, x.k, x.v, policy=name, format=FORMATS.get(name, "bf16"), block_k=16)
    assert found.out.shape == (2, 4, seq, 15)
    assert found.lse.shape == (2, 4, seq)
    assert np.isfinite(found.out).all()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_formula_rows_that_see_nothing_give_zero(name: str) -> None:
    x = made(heads=2)
    mask = np.ones((2, 20, 20), dtype=bool)
    mask[1, 4] = False
    found = attend(x.q, x.k, x.v, policy=name, format=FORMATS.get(name, "fp16"), block_k=8, mask=mask)
    assert (found.out[1, 4] == 0).all()
    assert found.lse[1, 4] == -np.inf
    assert np.isfinite(np.delete(found.out[1], 4, axis=0)).all()
    assert (golden(x.q, x.k, x.v, mask=mask)[1, 4] == 0).all()


def test_formula_no_keys_at_all() -> None:
    x = made(seq=3, seq_kv=0)
    found = attend(x.q, x.k, x.v)
    assert (found.out == 0).all()
    assert (found.lse == -np.inf).all()


@pytest.mark.parametrize("name", ["baseline_paper", "fa_paper", "fa2_kernel", "fa4"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_formula_a_bad_query_spoils_its_row_only(name: str, bad: float) -> None:
    x = made()
    x.q[0, 7, 0] = bad
    found = attention(x.q, x.k, x.v, policy=name, block_k=8)
    assert np.isnan(found[0, 7]).all()
    assert np.isfinite(np.delete(found[0], 7, axis=0)).all()
    assert np.isnan(golden(x.q, x.k, x.v)[0, 7]).all()


def test_formula_an_infinite_score_gives_nan_not_a_number() -> None:
    x = made(kind="uniform")
    x.k[0, 3] = np.inf
    found = attend(x.q, x.k, x.v, block_k=8)
    assert np.isnan(found.out).all()
    assert found.counts.overflows == 20


def test_formula_fp16_overflows_where_keys_are_biased_and_bf16_does_not() -> None:
    x = made(kind="biased_k", head_dim=64)
    half, brain = (attend(x.q, x.k, x.v, policy="baseline_eager", format=format) for format in ("fp16", "bf16"))
    assert half.counts.overflows == 400
    assert np.isnan(half.out).all()
    assert brain.counts.overflows == 0
    assert np.isfinite(brain.out).all()


def test_formula_subnormal_and_zero_values() -> None:
    x = made()
    x.v[:] = 0.0
    assert (attention(x.q, x.k, x.v, block_k=8) == 0).all()
    x.v[:] = 2.0**-149
    tiny = attention(x.q, x.k, x.v, policy="fa2_kernel", format="fp32", block_k=8)
    assert ((tiny >= 0) & (tiny <= 2.0**-148)).all()


def test_formula_any_strides_and_tensors_come_back_as_they_came() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    x = made(heads=2)
    straight = attention(x.q, x.k, x.v, block_k=8)
    turned = [np.asfortranarray(each) for each in (x.q, x.k, x.v)]
    assert np.array_equal(attention(*turned, block_k=8), straight)
    tensors = [torch.tensor(each, dtype=torch.bfloat16, requires_grad=True) for each in (x.q, x.k, x.v)]
    found = attention(*tensors, block_k=8)
    assert isinstance(found, torch.Tensor)
    assert not found.requires_grad
    assert np.array_equal(found.double().numpy(), straight)


def test_formula_repeated_maxima_are_counted_and_the_fix_keeps_p_below_one() -> None:
    x = draw("repeated_max", seq=32, head_dim=16)
    plain = attend(x.q, x.k, x.v, policy="fa2_kernel", block_k=64)
    assert plain.counts.repeated == 32
    fixed = attend(x.q, x.k, x.v, policy=as_policy("fa2_kernel").override("option.repeated_max=2"), block_k=64)
    best = golden(x.q, x.k, x.v)
    assert np.abs(fixed.out - best).max() < 0.05


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"policy": "fa5"}, "policy"), ({"format": "bf61"}, "format"), ({"block_k": 0}, "block_k=0 must be a whole number"), ({"window": -1}, "window=-1 must"),
        ({"splits": 2, "policy": "baseline_paper"}, "splits need a Flash algorithm"), ({"splits": 2, "split_size": 8}, "Give one"),
        ({"split_size": 12}, "no multiple of block_k=8"), ({"mask": np.ones((3, 20, 20), dtype=bool)}, "does not broadcast"),
        ({"mask": np.ones((20, 20))}, "True (seen) or False is needed"), ({"alibi": [1.0, 2.0]}, "1 finite ones are needed"),
        ({"scale": 0.0}, "scale=0.0 must"), ({"seed": -1}, "seed=-1 must"),
        ({"policy": as_policy("baseline_paper").override("option.quantise=block")}, "needs tiles of keys"),
    ],
)  # fmt: skip
def test_formula_bad_arguments_are_one_line(change: dict[str, Any], line: str) -> None:
    x = made()
    with pytest.raises((BadValue, UnknownName)) as caught:
        attend(x.q, x.k, x.v, **{"block_k": 8, **change})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formula_shapes_that_do_not_fit_are_one_line() -> None:
    x = made(heads=3)
    for q, k, v, line in ((x.q, x.k[:, :5], x.v, "do not fit"), (x.q, x.k[:2], x.v[:2], "no multiple"), (x.q[0], x.k, x.v, "same number of axes"),
                          (x.q[..., :0], x.k[..., :0], x.v, "head dimension is 0"), (x.q[0, 0], x.k[0, 0], x.v[0, 0], "at least (rows,")):  # fmt: skip
        with pytest.raises(BadValue) as caught:
            attend(q, k, v)
        assert line in str(caught.value)


def test_formula_the_papers_rule_for_tiles() -> None:
    assert block_sizes(64, None, None, sram=4096) == (16, 16)
    assert block_sizes(64, None, None) == (64, 384)
    assert block_sizes(8, None, None, sram=1025) == (8, 33)
    assert block_sizes(64, 3, 5) == (3, 5)
    assert splits_of(10, 4, None, None, "reverse") == [[(8, 10), (4, 8), (0, 4)]]
    assert splits_of(10, 4, 2, None, "forward") == [[(0, 4), (4, 8)], [(8, 10)]]
    assert splits_of(0, 4, None, None, "forward") == [[]]


def test_formula_alibi_slopes() -> None:
    assert np.allclose(alibi_slopes(8), [2.0**-i for i in range(1, 9)], rtol=1e-15)
    assert np.allclose(alibi_slopes(3), [2.0**-4, 2.0**-8, 2.0**-2], rtol=1e-15)


def test_formula_inputs_are_the_same_for_the_same_seed_and_what_they_say() -> None:
    for kind in ("uniform", "normal", "outliers", "sinks", "biased_k", "repeated_max"):
        one, two, other = (draw(kind, seq=64, head_dim=16, seed=seed) for seed in (1, 1, 2))
        assert np.array_equal(one.q, two.q)
        assert not np.array_equal(one.v, other.v)
        assert one.q.dtype == np.float64
    rare = draw("outliers", seq=4096, head_dim=64).q
    assert 0.95 < rare.std() < 1.15
    assert np.abs(rare).max() > 15
    sinks = draw("sinks", seq=64, head_dim=64)
    scores = sinks.q @ sinks.k.swapaxes(-1, -2) / 8
    assert scores[..., :4].mean() - scores[..., 4:].mean() > 6
    with pytest.raises(UnknownName, match="uniform"):
        draw("unifrom", seq=4, head_dim=4)
    with pytest.raises(BadValue, match="seq=-1 must be a whole number"):
        draw("uniform", seq=-1, head_dim=4)


def test_formula_inputs_of_a_file(tmp_path: Any) -> None:
    x = made()
    np.savez(tmp_path / "x.npz", q=x.q.astype(np.float32), k=x.k, v=x.v)
    assert np.array_equal(read_inputs(tmp_path / "x.npz").q, x.q.astype(np.float32))
    np.savez(tmp_path / "y.npz", q=x.q)
    (tmp_path / "z.npz").write_text("no archive")
    for name, line in (("y.npz", "no k, v"), ("z.npz", "cannot be read"), ("none.npz", "cannot be read")):
        with pytest.raises(BadFile, match=line):
            read_inputs(tmp_path / name)


def test_formula_nothing_warns() -> None:
    x = made(kind="biased_k", head_dim=64)
    x.q[0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in PRESETS:
            attention(x.q, x.k, x.v, policy=name, format="fp16", block_k=8, causal=True)


@pytest.mark.parametrize("name", ["fa3_fp8", "baseline_fp8"])
@pytest.mark.parametrize(("format", "close"), [("bf16", 6e-3), ("tf32", 1e-3), ("fp32", 1e-3), ("fp16", 1e-3)])
def test_formula_scales_of_wide_formats_do_not_overflow(name: str, format: str, close: float) -> None:
    x = made(head_dim=64)
    best = golden(x.q, x.k, x.v, inputs="given")
    assert np.abs(attention(x.q, x.k, x.v, policy=name, format=format, block_k=8) - best).max() < close * np.abs(best).max()


@pytest.mark.parametrize("format", ["e2m1", "e2m3", "e4m3fnuz"])
def test_formula_p_scaled_beyond_its_format_is_refused(format: str) -> None:
    x = made()
    with pytest.raises(BadValue, match="takes P of up to 1 beyond"):
        attention(x.q, x.k, x.v, policy="fa3_fp8", format=format)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"format": "e8m0"}, "no negative numbers"), ({"window": 2.5}, "must be a whole number"), ({"window": "a"}, "must be a whole number"),
    ({"alibi": "steep"}, "slopes, one a head"),
])  # fmt: skip
def test_formula_words_of_the_wrong_kind_are_one_line(wrong: dict[str, Any], said: str) -> None:
    x = made()
    with pytest.raises(BadValue, match=said) as why:
        attention(x.q, x.k, x.v, **wrong)
    assert "\n" not in str(why.value)


def test_formula_infinite_keys_pass_rotation_and_scales_without_a_warning() -> None:
    x = made()
    x.k[0, 1] = -np.inf
    x.v[0, 2, 3] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attention(x.q, x.k, x.v, policy="fa3_fp8", format="e4m3", block_k=8)
    assert np.isnan(found).all()
