"""What the lens computes, by hand: groups, verdicts, similarity, sequences, crossings, and what a rewrite of the model does to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadFile, BadValue
from thrifty.hardware import load as load_device
from thrifty.lenses.operators import breakdown, find_subject, look, verdict
from thrifty.lenses.operators.budgets import check_budgets
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.grouping import attention_modules, share_of
from thrifty.lenses.operators.views.intensity import intensity
from thrifty.lenses.operators.views.maps import bottleneck_map
from thrifty.lenses.operators.views.scaling import length_scaling
from thrifty.lenses.operators.views.sequences import attention_calls, histogram
from thrifty.lenses.operators.views.similarity import explicit_bytes, similarity
from thrifty.lenses.operators.views.temporal import attention_flops, temporal_study
from thrifty.workload import Kind, load

A100 = load_device("a100-80gb")


# -- similarity ---------------------------------------------------------------------------------------------------------------------------


def test_paper_similarity_matrices_of_stable_diffusion() -> None:
    assert explicit_bytes(64, 77, 3) == 73_239_168
    found = similarity(load("sd-1.5-unet").table, "fp16")
    assert (found.total_bytes, found.largest_bytes) == (1_464_566_784, 268_435_456)


@given(st.integers(1, 8), st.integers(0, 200), st.integers(0, 3))
def test_property_explicit_formula_is_its_sum(side: int, text: int, stages: int) -> None:
    whole = side * 2**stages
    expected = sum((2 if k < stages else 1) * 2 * (whole >> k) ** 2 * ((whole >> k) ** 2 + text) for k in range(stages + 1))
    assert explicit_bytes(whole, text, stages) == expected
    if text == 0:
        assert explicit_bytes(2 * whole, 0, stages) == 16 * expected  # the fourth power of the side


def test_sides_that_do_not_divide_are_refused() -> None:
    with pytest.raises(BadValue, match=r"^side=20 does not divide by 2\^3\. Choose a multiple of 8\.$"):
        explicit_bytes(20, 77, 3)


# -- verdicts -----------------------------------------------------------------------------------------------------------------------------


def test_formula_prefill_decode_and_between() -> None:
    decode = load("llama2-7b", phase="decode", seq=512)
    found = verdict(decode, A100)
    assert found.likeness == "decode-like" and found.reuse == pytest.approx(1) and found.q_over_k == pytest.approx(1 / 513)
    assert verdict(load("llama2-7b", phase="prefill", seq=2048), A100).likeness == "prefill-like"
    assert verdict(load("llama2-7b", phase="prefill", seq=16), A100).likeness == "mixed"  # queries as long as keys, and too few to be busy
    assert verdict(load("resnet-50", format="fp16", batch=32), A100, flip=False).q_over_k is None


def test_formula_the_batch_at_which_a_stage_flips() -> None:
    work = load("llama2-7b", phase="decode", seq=16)
    batch = verdict(work, A100).flip_batch
    assert batch is not None and batch > 100
    ridge = A100.peak("fp16") / A100.bandwidth_bytes_per_s
    before, after = (intensity(work.at(batch=each).table).algorithmic or 0.0 for each in (batch - 1, batch))
    assert before < ridge <= after
    long = verdict(load("llama2-7b", phase="decode", seq=4000), A100)
    assert long.flip_batch is None and long.ai_limit is not None and long.ai_limit < ridge  # the cache grows with the batch


def test_formula_intensities() -> None:
    work = load("parti-transformer", phase="decode", seq=1000)
    found = intensity(work.table, A100, "fp16")
    assert found.algorithmic is not None and 0.9 < found.algorithmic < 1.1  # a multiply and an add for two bytes of weight
    assert found.capacity is not None and found.dram is not None and found.ridge == pytest.approx(153, abs=0.5)
    assert found.dram >= found.algorithmic


# -- groups -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sd-1.5@tiny", "unet3d", "llama2-7b", "t5-xxl-encoder", "flux-dev", "phenaki"])
def test_property_groups_conserve(name: str) -> None:
    subject = find_subject(name).on(A100)
    totals, priced = subject.workload.table.totals(), subject.priced
    assert priced is not None
    for way in ("class", "operator", "module", "stage", "attention"):
        groups = breakdown(subject, way)
        assert sum(group.flops_matrix for group in groups) == totals["flops_matrix"]
        assert sum(group.bytes_moved for group in groups) == totals["bytes_read"] + totals["bytes_written"]
        assert sum(group.time_s or 0 for group in groups) == pytest.approx(priced.time_s)
        assert sum(group.share or 0 for group in groups) == pytest.approx(1)
        assert sum(group.carbon_gco2e or 0 for group in groups) == pytest.approx(priced.footprint.carbon_gco2e.mid)


@pytest.mark.parametrize("name", ["sd-1.5-unet", "llama2-7b-prefill", "bert-base", "vit-b", "t5-xxl-encoder", "muse-base"])
def test_projections_are_the_products_around_attention(name: str) -> None:
    table = find_subject(name).workload.table
    inside = attention_modules(table)
    assert (table.rows["kind"][inside] != Kind.ATTENTION).all()
    products = {path.rpartition(".")[2] for path in table.modules()[inside & (table.rows["kind"] == Kind.LINEAR)]}
    assert products and not any(word in path for path in products for word in ("fc", "mlp", "ff", "dense_4h", "gate", "up_", "down"))


def test_a_block_that_is_not_there_is_not_in_the_profile() -> None:
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    from thrifty.workload import capture
    from thrifty.workload.tracing.provenance import name_axes

    def profile(without: bool) -> dict[int, int]:
        with torch.device("meta"):
            module = diffusers.UNet2DConditionModel(
                sample_size=16, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, attention_head_dim=8, norm_num_groups=16,
                down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            ).eval()  # fmt: skip
            if without:  # the first level's transformer passes on what it is given

                class Pass(torch.nn.Module):  # type: ignore[misc, name-defined]
                    def forward(self, x, *args, **kwargs):  # type: ignore[no-untyped-def]
                        return (x,)

                module.down_blocks[0].attentions[0] = Pass()
            x = name_axes(torch.zeros(1, 4, 16, 16), ("batch", "channel", "height", "width"))
            text = name_axes(torch.zeros(1, 7, 32), ("batch", "text", "channel"))
            return histogram(capture(module, x, torch.zeros(1), text).table)

    whole, cut = profile(without=False), profile(without=True)
    assert whole[256] - cut[256] == 2 and {k: v for k, v in whole.items() if k != 256} == {k: v for k, v in cut.items() if k != 256}


# -- what-if ------------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([8, 16, 24, 32, 48, 64]))
def test_property_fused_attention_gains_more_the_longer_the_sequence(latent: int) -> None:
    small, large = (find_subject("sd-1.5-unet", {"latent": side, "batch": 2}).on(A100) for side in (latent, latent * 2))
    gains = []
    for subject in (small, large):
        eager, fused = (breakdown(subject.in_form(form)) for form in ("eager", "fused"))
        gains.append(sum(g.time_s or 0 for g in eager) / sum(g.time_s or 0 for g in fused))
    assert 1 <= gains[0] <= gains[1] * 1.0001


def test_decode_gains_little() -> None:
    found = look(find_subject("llama2-7b-decode", {"kv": 512}), on=A100, flip=False)
    assert found.gain is not None and 1 <= found.gain < 1.1
    prefill = look(find_subject("llama2-7b-prefill", {"seq": 4096}), on=A100, flip=False)
    assert prefill.gain is not None and prefill.gain > found.gain


# -- frames -------------------------------------------------------------------------------------------------------------------------------


def test_formula_temporal_work_crosses_where_it_says() -> None:
    subject = find_subject("unet3d", {"latent": 16})
    study = temporal_study(subject.on(A100))
    crossing = study.crossing_frames
    assert crossing is not None
    space, time = attention_flops(subject, crossing)
    assert time >= space
    space, time = attention_flops(subject, crossing - 1)
    assert time < space
    spatial_16, temporal_16 = attention_flops(subject, 16)
    assert attention_flops(subject, 32) == (2 * spatial_16, 4 * temporal_16)


def test_higher_images_postpone_the_crossing() -> None:
    low, high = (temporal_study(find_subject("unet3d", {"latent": side})).crossing_frames for side in (16, 32))
    assert low is not None and high is not None and high > 2 * low


# -- sequences ----------------------------------------------------------------------------------------------------------------------------


def test_formula_lengths_grow_with_the_square_of_the_side() -> None:
    rows = {row.value: row for row in length_scaling(find_subject("sd-1.5-unet"))}
    assert set(rows) == {32, 64, 128}
    assert {4 * length: count for length, count in rows[32].histogram.items()} == rows[64].histogram
    assert rows[128].largest_bytes == 16 * rows[64].largest_bytes


def test_formula_a_growing_stage_is_told_token_by_token() -> None:
    subject = find_subject("smollm2-135m", {"seq": 100, "tokens": 37})
    keys = [call.seq_k for call in attention_calls(subject.workload.table) if call.stage == "decode"]
    assert keys == [101 + step for step in range(37)]
    calls = histogram(subject.workload.table)
    assert calls == {1: 37 * 30, 100: 30}


# -- maps and budgets ---------------------------------------------------------------------------------------------------------------------


def test_maps_need_a_device_and_price_every_cell() -> None:
    subject = find_subject("sd-1.5-unet@tiny")
    with pytest.raises(BadValue, match=r"^a map needs a device to price on\. Name one with --on\.$"):
        bottleneck_map(subject)
    found = bottleneck_map(subject.on(A100), ys=(1, 64))
    assert len(found.cells) == len(found.xs) * 2 and all(0 < cell.top_share <= 1 for cell in found.cells)
    direct = subject.on(A100).workload.at(latent=found.xs[0], batch=64)
    cell = found.cells[len(found.xs)]
    assert cell.time_s == pytest.approx(Subject(workload=direct, device=A100).priced.time_s)  # type: ignore[union-attr]


BUDGET = '[[budget]]\nworkload = "sd-1.5-unet"\non = "a100-80g"\nset = {batch = 2}\nattention = "fused"\nexpect = ['


@pytest.mark.parametrize(
    ("expectation", "holds"),
    [
        ("attention share < 40 %", True), ("conv share > 0.3", True), ("conv share > 90 %", False), ("time < 1 s", True), ("time < 1 us", False),
        ("energy < 1 kJ", True), ("carbon < 1 gCO2e", True), ("flops <= 1606546882560", True), ("flops < 1 T", False), ("parameters < 1 G", True),
        ("peak memory < 10 GB", True), ("bytes > 1 GB", True), ("cross attention share < 10 %", True), ("temporal attention share <= 0 %", True),
    ],
)  # fmt: skip
def test_budgets(tmp_path: Path, expectation: str, holds: bool) -> None:
    path = tmp_path / "b.toml"
    path.write_text(f'{BUDGET}"{expectation}"]\n')
    (kept,) = check_budgets(path)
    assert kept.holds is holds and kept.expectation == expectation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "b.toml: it has no budgets. Write [[budget]] with workload and expect."),
        ('[[budget]]\nworkload = "sd-1.5-unet"\n', 'b.toml: budget[0].expect is no list of texts. Write e.g. expect = ["attention share < 40 %"].'),
        ('[[budget]]\nwork = "x"\n', "b.toml: budget[0] has keys work. Write workload and expect; allowed besides: workload, on, attention, set, format, "
         "phase, preset, expect."),
        (BUDGET + '"conv is small"]', "b.toml: budget[0]: 'conv is small' is no expectation. Write a quantity, a comparison and a number, e.g. "
         "'attention share < 40 %'."),
        (BUDGET + '"colour share < 4 %"]', "b.toml: budget[0]: 'colour share < 4 %' asks for class 'colour'. Choose from: attention, linear, conv, norm, "
         "softmax, elementwise, memory, embedding, sampling, comm, unknown."),
        (BUDGET + '"conv share < 4 s"]', "b.toml: budget[0]: 'conv share < 4 s' gives a share in 's'. Write per cent, e.g. 40 %."),
        (BUDGET + '"speed < 4"]', "b.toml: budget[0]: 'speed < 4' asks for 'speed'. Choose from: CLASS share, KIND attention share, time, energy, carbon, "
         "flops, bytes, parameters, peak memory."),
        (BUDGET + '"flops < 4 s"]', "b.toml: budget[0]: 'flops < 4 s' has the unit 's'. Choose from: (none), k, M, G, T, P."),
        ('[[budget]]\nworkload = "sd-1.5-unet"\nexpect = ["time < 4 s"]', "b.toml: budget[0]: 'time < 4 s' needs a device. Write on = \"a100-80g\"."),
    ],
)  # fmt: skip
def test_errors_of_budgets_word_for_word(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(BadFile) as caught:
        check_budgets(path)
    assert str(caught.value) == words


# -- other sites --------------------------------------------------------------------------------------------------------------------------


def test_carbon_follows_the_site() -> None:
    subject = find_subject("sd-1.5-unet@tiny")
    dirty, clean = (look(subject, on=A100, site=site, flip=False).to_dict() for site in ("world", "france"))
    assert dirty["carbon_gco2e"] > clean["carbon_gco2e"] and dirty["energy_j"] == clean["energy_j"]
    assert share_of(look(subject, on=A100).by["class"], "nothing") == 0.0


def test_a_device_does_not_change_what_is_counted() -> None:
    plain, priced = look(find_subject("unet3d")), look(find_subject("unet3d"), on=A100)
    assert plain.to_dict()["flops"] == priced.to_dict()["flops"] and plain.to_dict()["attention"] == priced.to_dict()["attention"]
    assert np.array_equal(plain.subject.workload.table.rows, priced.subject.workload.table.rows)
    assert replace(priced.subject, device=None).priced is None
