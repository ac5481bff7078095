"""Make-A-Video's UNets against their reference module, torch's own counter, sums by hand, and the image path that a single frame takes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module
from thrifty.workload.building.inputs import make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.unets.make_a_video import MakeAVideoShape, MakeAVideoUnet
from thrifty.workload.model import WorkPhase
from thrifty.workload.scaling import Polynomials
from thrifty.workload.table import Axes, Kind, OperatorTable

torch = pytest.importorskip("torch")

NAMES = ("make-a-video-decoder", "make-a-video-interpolation", "make-a-video-sr256", "make-a-video-sr768")
TORCH_CLASS = "thrifty.workload.families.unets.make_a_video_torch.MakeAVideoUnet"
SHAPE: dict[str, Any] = {
    "image": 8, "frames": 3, "condition_channels": 2, "base": 16, "multipliers": (1, 2), "blocks": (1, 1), "attention": (False, True), "head_dim": 8,
    "groups": 8, "context": 12, "embedding": 10, "rates": 7,
}  # fmt: skip


def made(**change: Any) -> tuple[MakeAVideoUnet, Blueprint]:
    config = {**SHAPE, **change}
    family = MakeAVideoUnet(shape=MakeAVideoShape(**config))
    return family, Blueprint(name="twin", kind="generator", torch_class=TORCH_CLASS, config=config, fed=family)


VIDEO = made()
PLAIN = made(condition_channels=0, context=0, embedding=0, rates=0, temporal=False, attention=(True, False))
"""An image model that is told nothing but the step."""


def point(batch: int, frames: int, image: int, text: int = 5) -> dict[str, int]:
    return {"batch": batch, "frames": frames, "image": image, "text": text}


TWO, ODD = point(2, 3, 8), point(1, 4, 7)
"""The second is one sample, which torch sees in other orders without copies, of a side that does not halve evenly."""


@pytest.mark.parametrize(
    ("twin", "phase", "at"),
    [(VIDEO, "forward", TWO), (VIDEO, "forward", ODD), (VIDEO, "training", ODD), (PLAIN, "forward", ODD), (PLAIN, "training", TWO)],
    ids=["video two", "video odd", "video odd trained", "image odd", "image two trained"],
)
def test_peer_every_row_is_the_same(twin: tuple[MakeAVideoUnet, Blueprint], phase: WorkPhase, at: dict[str, int]) -> None:
    assert_every_row_the_same(*twin, phase, at)


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_are_the_same_in_fp16(phase: WorkPhase) -> None:
    assert_same_rows(*VIDEO, phase, TWO, "fp16", peak=1e-3)


@pytest.mark.parametrize("at", [point(2, 1, 8), point(2, 3, 1, 1)], ids=["one frame", "one pixel"])
def test_peer_rows_where_an_axis_is_one(at: dict[str, int]) -> None:
    assert_same_rows(*VIDEO, "forward", at, "fp32", peak=1e-3)


def test_peer_views_and_calls_are_the_twins() -> None:
    """What an eager framework does around the operators of a forward pass."""
    ours, theirs = (source.table("forward", "fp32", TWO).rows for source in (VIDEO[0], TorchSource(VIDEO[1])))
    assert (ours["views"] == theirs["views"]).all()
    assert (ours["calls"] == theirs["calls"]).all()


@pytest.mark.parametrize("twin", [VIDEO, PLAIN], ids=["video", "plain"])
def test_peer_parameters_are_the_same(twin: tuple[MakeAVideoUnet, Blueprint]) -> None:
    assert_same_parameters(*twin)


@pytest.mark.parametrize(("name", "parameters"), list(zip(NAMES, (2_778_722_849, 2_778_741_281, 1_360_624_929, 702_638_403), strict=True)))
def test_paper_true_counts(name: str, parameters: int) -> None:
    """The paper's parts have 3.1, 3.1, 1.4 and 0.7 billion, as remembered."""
    assert_true_count(name, parameters)


# -- what the module computes ---------------------------------------------------------------------------------------------------------


def modules() -> tuple[Any, Any]:
    """A video model, and the image model that it was made from: the same weights but those of its halves in time."""
    from thrifty.workload.families.unets.make_a_video_torch import MakeAVideoUnet as Twin

    torch.manual_seed(0)
    video, image = Twin(**SHAPE).double().eval(), Twin(**{**SHAPE, "temporal": False}).double().eval()
    image.load_state_dict({name: value for name, value in video.state_dict().items() if ".temporal" not in name})
    return video, image


def fed(frames: int, batch: int = 2) -> dict[str, Any]:
    return make_inputs(modules()[0], VIDEO[1], "forward", point(batch, frames, 8), "cpu")


def run(module: Any, inputs: dict[str, Any]) -> Any:
    with torch.inference_mode():
        return module(**inputs)


def test_formula_a_single_frame_takes_the_image_path() -> None:
    """Whatever the halves in time have learned."""
    video, image = modules()
    for name, value in video.named_parameters():
        if ".temporal" in name:
            value.data = torch.randn_like(value)
    torch.testing.assert_close(run(video, fed(1)), run(image, fed(1)), rtol=0, atol=0)


def test_formula_a_video_model_begins_as_the_image_model_of_every_frame() -> None:
    """Convolutions in time begin as the identity, attention over frames as nothing added; later they mix frames."""
    video, image = modules()
    inputs = fed(3)
    together = run(video, inputs)
    for frame in range(3):
        alone = {**inputs, **{name: inputs[name][:, :, frame : frame + 1] for name in ("video", "condition")}}
        torch.testing.assert_close(together[:, :, frame : frame + 1], run(image, alone), rtol=1e-9, atol=1e-9)
    changed = {**inputs, "video": inputs["video"].clone()}
    changed["video"][:, :, 2] += 1
    assert torch.equal(run(video, changed)[:, :, 0], together[:, :, 0])
    video.middle[1].temporal.o.weight.data.normal_()
    assert not torch.allclose(run(video, changed)[:, :, 0], run(video, inputs)[:, :, 0])


def test_formula_attention_over_frames_is_of_each_pixel_alone() -> None:
    """Spelled out: softmax(q kᵀ / √8) v of one pixel's frames."""
    from thrifty.workload.families.unets.make_a_video_torch import Pseudo3dAttention

    torch.manual_seed(0)
    layer = Pseudo3dAttention(16, 2, 0, 4, temporal=True).double()
    torch.nn.init.normal_(layer.temporal.o.weight)
    x = torch.randn(6, 16, 2, 3, dtype=torch.double)
    spatial = Pseudo3dAttention(16, 2, 0, 4, temporal=False).double()
    spatial.load_state_dict({name: value for name, value in layer.state_dict().items() if "temporal" not in name})
    with torch.inference_mode():
        y = spatial(x, None, 3)
        normed = layer.temporal_norm(y)
        for sample, row, column in ((0, 0, 0), (1, 1, 2)):
            tokens = normed[3 * sample : 3 * sample + 3, :, row, column]
            q, k, v = (part(tokens).unflatten(1, (2, 8)).transpose(0, 1) for part in (layer.temporal.q, layer.temporal.k, layer.temporal.v))
            mixed = (torch.softmax(q @ k.transpose(1, 2) / 8**0.5, dim=-1) @ v).transpose(0, 1).flatten(1)
            wanted = y[3 * sample : 3 * sample + 3, :, row, column] + layer.temporal.o(mixed)
            torch.testing.assert_close(layer(x, None, 3)[3 * sample : 3 * sample + 3, :, row, column], wanted)


# -- counts ---------------------------------------------------------------------------------------------------------------------------


def of_kind(table: OperatorTable, axes: Axes) -> int:
    return int(table.rows["flops_matrix"][table.rows["axes"] == axes].sum())


def test_formula_core_attention_of_the_decoder() -> None:
    """4 F S² c over pixels, 4 F S T c over text, 4 S F² c over frames: three blocks down and four up at 32, 16 and 8, and one more in the middle."""
    for frames, image, text in ((16, 64, 77), (9, 40, 5)):
        table = load("make-a-video-decoder", frames=frames, image=image, text=text).table
        sides = [(image // 2, 1024, 7), (image // 4, 1536, 7), (image // 8, 2048, 8)]
        assert of_kind(table, Axes.SPATIAL) == sum(n * 4 * frames * side**4 * c for side, c, n in sides)
        assert of_kind(table, Axes.CROSS) == sum(n * 4 * frames * side**2 * text * c for side, c, n in sides)
        assert of_kind(table, Axes.TEMPORAL) == sum(n * 4 * side**2 * frames**2 * c for side, c, n in sides)
        folded = {(int(row["axes"]), int(row["batch"]), int(row["seq_q"])) for row in table.rows if row["kind"] == Kind.ATTENTION}
        assert folded == {
            place for side, _, _ in sides for place in ((Axes.SPATIAL, frames, side**2), (Axes.CROSS, frames, side**2), (Axes.TEMPORAL, side**2, frames))
        }


def test_formula_convolutions_in_time_are_a_third_of_the_image_convolutions_between_equal_channels() -> None:
    table = VIDEO[0].table("forward", "fp32", TWO)
    flops = {module: int(row["flops_matrix"]) for module, row in zip(table.modules(), table.rows, strict=True) if row["kind"] == Kind.CONV}
    assert flops["halvings.0.spatial"] == 2 * 6 * 4 * 4 * 16 * 16 * 9
    pairs = [name.removesuffix(".temporal") for name in flops if name.endswith("conv2.temporal")]
    assert pairs
    assert all(3 * flops[f"{name}.temporal"] == flops[f"{name}.spatial"] for name in pairs)


@pytest.mark.parametrize(("name", "at"), [(NAMES[0], {"frames": 4}), (NAMES[2], {"frames": 3, "image": 60}), (NAMES[3], {})])
def test_peer_flop_counter_at_full_shape(name: str, at: dict[str, int]) -> None:
    """torch's own counter on meta tensors."""
    from torch.utils.flop_counter import FlopCounterMode

    entry, blueprint = sheet(name), blueprint_of(sheet(name))
    whole = load(name, **at).point
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", whole)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert matrix_flops(family_of(entry), "forward", whole) == counter.get_total_flops()


def test_peer_flop_counter_of_a_training_step() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module = build_module(VIDEO[1])
    inputs = make_inputs(module, VIDEO[1], "training", TWO)
    with FlopCounterMode(display=False) as counter:
        module(**inputs).mean().backward()
    assert matrix_flops(VIDEO[0], "training", TWO) == counter.get_total_flops()


@pytest.mark.parametrize("name", NAMES)
def test_peer_tiny_has_the_rows_of_its_twin_and_runs(name: str) -> None:
    entry, workload = sheet(name).at_preset("tiny"), load(f"{name}@tiny")
    blueprint = blueprint_of(entry)
    assert_same_rows(family_of(entry), blueprint, "forward", workload.point, workload.format, peak=1e-3)
    assert workload.parameters == entry.parameters
    module = build_module(blueprint, device="cpu")
    result = run(module, make_inputs(module, blueprint, "forward", workload.point, "cpu"))
    side = workload.point["image"]
    assert result.shape == (1, 3, workload.point["frames"], side, side)
    assert torch.isfinite(result).all()


def test_property_polynomials_are_exact() -> None:
    tiny = load("make-a-video-decoder@tiny", batch=2)
    polynomials = Polynomials.of(tiny)
    for at in (point(2, 4, 16, 8), point(3, 9, 24), point(2, 6, 20, 77), point(1, 16, 32, 8), point(2, 1, 24)):
        assert polynomials.totals(at) == tiny.at(at).table.totals()


def test_only_who_reads_text_has_a_symbol_for_it() -> None:
    assert [symbol.name for symbol in family_of(sheet(NAMES[0])).symbols("forward")] == ["batch", "frames", "image", "text"]
    assert [symbol.name for symbol in family_of(sheet(NAMES[3])).symbols("forward")] == ["batch", "frames", "image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks": (1,)}, "blocks has 1 values for 2 multipliers. Give one for every side."),
        ({"groups": 12}, "groups=12 does not divide 16 channels. Choose one that does."),
        ({"head_dim": 12}, "head_dim=12 does not divide 32 channels. Choose one that does."),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue) as error:
        MakeAVideoShape(**{**SHAPE, **change})
    assert str(error.value) == message


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        VIDEO[0].symbols("decode")
    assert str(error.value) == "phase='decode' does not exist for a denoiser of videos, which generates nothing. Choose forward or training."
