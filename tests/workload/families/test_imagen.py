"""Imagen's family against its twin, torch's own counter, the package whose FLOPs it reproduces, and sums by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadFile, BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, blueprint_of, build_module, make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.unets.imagen import ImagenUnet, ImagenUnetShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind, OperatorTable

torch = pytest.importorskip("torch")

NAMES = ["imagen-base", "imagen-sr256", "imagen-sr1024"]
TWIN = "thrifty.workload.families.unets.imagen_torch.ImagenUnet"
PLAIN = ImagenUnetShape(
    channels=16, multipliers=(1, 2), blocks=(1, 1), self_attention=(False, True), cross_attention=(False, True), image=8, text_width=12, heads=2, head_dim=8,
    norm_groups=4,
)  # fmt: skip


def made(**changes: Any) -> tuple[ImagenUnet, Blueprint]:
    shape = replace(PLAIN, **changes)
    family = ImagenUnet(shape=shape)
    return family, Blueprint(name="twin", kind="generator", torch_class=TWIN, config=asdict(shape), fed=family)


TWINS = {
    "base": made(),
    "enlarging": made(efficient=True, low_resolution=True),
    "crossing": made(efficient=True, low_resolution=True, self_attention=(False, False), middle_attention=False),
}
POINTS = [{"batch": 2, "image": 8, "text": 5}, {"batch": 1, "image": 12, "text": 3}]


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("point", POINTS, ids=["two", "one"])
def test_peer_every_row_is_the_same(name: str, point: dict[str, int]) -> None:
    assert_every_row_the_same(*TWINS[name], "forward", point)
    assert_same_rows(*TWINS[name], "forward", point, "bf16", peak=1e-3)


@pytest.mark.parametrize(("name", "place"), [("base", 0), ("enlarging", 1), ("crossing", 0)])
def test_peer_every_row_of_a_training_step_is_the_same(name: str, place: int) -> None:
    assert_every_row_the_same(*TWINS[name], "training", POINTS[place])


def test_peer_rows_and_peak_of_a_training_step_in_16_bits() -> None:
    assert_same_rows(*TWINS["enlarging"], "training", POINTS[0], "bf16", peak=2e-3)


def test_peer_rows_are_the_same_where_one_pixel_is_left() -> None:
    """Then pixels as tokens are a view."""
    for name in ("enlarging", "crossing"):
        assert_every_row_the_same(*TWINS[name], "forward", {"batch": 2, "image": 4, "text": 1})


@pytest.mark.parametrize("name", TWINS)
def test_peer_parameters_are_the_same(name: str) -> None:
    assert_same_parameters(*TWINS[name])


@pytest.mark.parametrize(("name", "parameters"), [("imagen-base", 1_631_316_004), ("imagen-sr256", 734_591_122), ("imagen-sr1024", 715_421_330)])
def test_paper_true_counts(name: str, parameters: int) -> None:
    assert_true_count(name, parameters)


def shares(table: OperatorTable) -> dict[Kind, float]:
    total = table.totals()["flops_matrix"]
    return {kind: float(table.rows["flops_matrix"][table.rows["kind"] == kind].sum() / total) for kind in (Kind.CONV, Kind.LINEAR, Kind.ATTENTION)}


@pytest.mark.parametrize(
    ("name", "parameters", "flops", "conv"),
    [("imagen-base", 1.627e9, 1.008e12, 0.958), ("imagen-sr256", 0.732e9, 0.783e12, 0.985), ("imagen-sr1024", 0.722e9, 12.46e12, 0.991)],
)
def test_paper_size_and_work_are_those_of_imagen_pytorch(name: str, parameters: float, flops: float, conv: float) -> None:
    """Counted by torch on version 2.1.0 with texts 4096 wide, the small image given: products and convolutions, two operations a multiply-add."""
    work = load(name)
    assert work.parameters == pytest.approx(parameters, rel=0.01)
    assert work.table.totals()["flops_matrix"] == pytest.approx(flops, rel=0.01)
    assert shares(work.table)[Kind.CONV] == pytest.approx(conv, abs=0.007)


def counted(blueprint: Blueprint, point: dict[str, int], *, training: bool = False) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "training" if training else "forward", point)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        out = module(**inputs)
        if training:
            out.mean().backward()
    total: int = counter.get_total_flops()
    return total


@pytest.mark.parametrize("name", NAMES)
def test_peer_flop_counter_at_full_size(name: str) -> None:
    work = load(name)
    assert work.table.totals()["flops_matrix"] == counted(blueprint_of(sheet(name)), dict(work.point))


@pytest.mark.parametrize("name", TWINS)
def test_peer_flop_counter_of_a_training_step(name: str) -> None:
    assert matrix_flops(TWINS[name][0], "training", POINTS[0]) == counted(TWINS[name][1], POINTS[0], training=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_peer_presets_have_the_rows_of_their_twins(name: str, preset: str) -> None:
    work, entry = load(f"{name}@{preset}"), sheet(name).at_preset(preset)
    assert_same_rows(family_of(entry), blueprint_of(entry), "forward", work.point, work.format, peak=1e-3)
    assert work.parameters == entry.parameters


@pytest.mark.parametrize("name", NAMES)
def test_peer_tiny_runs(name: str) -> None:
    entry = sheet(name).at_preset("tiny")
    module = build_module(blueprint_of(entry), device="cpu")
    inputs = make_inputs(module, blueprint_of(entry), "forward", load(entry.name).point, "cpu")
    with torch.inference_mode():
        out = module(**inputs)
    assert out.shape == inputs["image"].shape
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", TWINS)
def test_peer_parts_are_joined_as_in_imagen_pytorch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own UNet, around our layers, gives the same numbers."""
    from tests.workload.families.imagen_peer import lend, peer_class

    unet, shape = peer_class(monkeypatch), TWINS[name][0].shape
    ours = build_module(TWINS[name][1], device="cpu")
    inputs = make_inputs(ours, TWINS[name][1], "forward", POINTS[0], "cpu")
    inputs.update({each: value / 1000 for each, value in inputs.items() if each.endswith("time")})  # waves of large numbers keep few digits
    theirs = unet(
        dim=shape.channels, dim_mults=shape.multipliers, num_resnet_blocks=shape.blocks, layer_attns=shape.self_attention, text_embed_dim=shape.text_width,
        layer_cross_attns=shape.cross_attention, attend_at_middle=shape.middle_attention, attn_heads=shape.heads, attn_dim_head=shape.head_dim,
        memory_efficient=shape.efficient, lowres_cond=shape.low_resolution, attn_pool_text=False, max_text_len=POINTS[0]["text"],
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.1)
        lend(ours, theirs)
        names = {"low_image": "lowres_cond_img", "low_time": "lowres_noise_times", "text": "text_embeds", "image": "x"}
        expected = theirs(**{names.get(each, each): value for each, value in inputs.items()})
        found = ours(**inputs)
    assert found.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


def test_formula_attention_is_a_weighted_mean_of_what_is_told_and_of_pixels() -> None:
    from thrifty.workload.families.unets.imagen_torch import Attention

    torch.manual_seed(0)
    attention = Attention(8, 6, heads=2, head_dim=4, own=True).eval()
    x, told = torch.randn(2, 5, 8), torch.randn(2, 3, 6)
    with torch.no_grad():
        normed, seen = attention.norm(x), attention.norm_told(told)
        q = attention.to_q(normed)
        k = torch.cat((attention.told_to_k(seen), attention.to_k(normed)), dim=1)
        v = torch.cat((attention.told_to_v(seen), attention.to_v(normed)), dim=1)
        parts = []
        for head in range(2):
            of = slice(4 * head, 4 * head + 4)
            parts.append((q[..., of] @ k[..., of].transpose(1, 2) / 2).softmax(-1) @ v[..., of])
        expected = attention.norm_out(attention.to_out(torch.cat(parts, dim=-1)))
        torch.testing.assert_close(attention(x, told), expected)


def test_formula_sequences_of_attention() -> None:
    """To text and pixels at once at 32, 16 and 8, on the way down and up; to text alone in the first block of each, and twice in the middle."""
    table = load("imagen-base").table
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    told = 128 + 2
    found = [(Axes(row["axes"]), int(row["seq_q"]), int(row["seq_k"])) for row in rows]
    down = [(axes, side * side, told + side * side * (axes is Axes.JOINT)) for side in (32, 16, 8) for axes in (Axes.CROSS, Axes.JOINT)]
    middle = [(Axes.CROSS, 64, told), (Axes.SPATIAL, 64, 64), (Axes.CROSS, 64, told)]
    up = [(axes, side * side, told + side * side * (axes is Axes.JOINT)) for side in (8, 16, 32) for axes in (Axes.CROSS, Axes.JOINT)]
    assert found == down + middle + up
    assert set(rows["heads"].tolist()) == {8} and set(rows["head_dim"].tolist()) == {64}
    kinds = {Axes(axes) for axes in load("imagen-sr1024").table.rows["axes"]}
    assert kinds == {Axes.NONE, Axes.CROSS}


@pytest.mark.parametrize(
    ("name", "phase"), [("imagen-base@tiny", "training"), ("imagen-base@tiny", "forward"), ("imagen-sr256@tiny", "forward"), ("imagen-sr1024@tiny", "forward")]
)  # fmt: skip
def test_property_polynomials_are_exact(name: str, phase: WorkPhase) -> None:
    work = load(name, phase=phase)
    points = [{"batch": 3, "image": 32, "text": 5}, {"batch": 2, "image": 48, "text": 11}, {"batch": 1, "image": 64, "text": 1}]
    columns = {symbol: [point[symbol] for point in points] for symbol in points[0]}
    totals = work.polynomials.totals(columns)
    for index, point in enumerate(points):
        assert {count: int(values[index]) for count, values in totals.items()} == work.at(point).table.totals(), point


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("imagen-base").at(image=60)
    assert str(error.value) == "image=60 is no multiple of 8. Choose 56 or 64."
    with pytest.raises(BadValue) as error:
        load("imagen-sr256").at(image=8)
    assert str(error.value) == "image=8 is no multiple of 16. Choose 16."


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        made(blocks=(1,))
    assert str(error.value) == "blocks has 1 values for 2 multipliers. Give one for every level."
    with pytest.raises(BadValue) as error:
        made(norm_groups=5)
    assert str(error.value) == "channels=16 do not go into 5 groups of equal size. Choose a multiple of 5."
    with pytest.raises(BadValue) as error:
        made(image=9)
    assert str(error.value) == "image=9 is no multiple of 2, by which this net makes it smaller. Choose one."
    with pytest.raises(BadFile) as refused:
        family_of(replace(sheet("imagen-base"), shape={**sheet("imagen-base").shape, "self_attention": [1, 0, 0, 0]}))
    assert str(refused.value) == "imagen-base: shape.self_attention is [1, 0, 0, 0]. Write a list of true and false."
