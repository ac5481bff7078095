"""The commands: contract of their JSON, what people read, and the words of refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thrifty.cli import main
from thrifty.errors import BadFile, BadValue, ThriftyError, UnknownName
from thrifty.lenses.operators.cli import app

RUNNER = CliRunner()
SUITE = {
    "sd-1.5": 50, "sd-2.1": 50, "sdxl": 50, "imagen": 256, "muse-3b": 24, "phenaki": 24, "make-a-video": 64 * 76, "prod-image": 50, "sd3": 28, "flux": 28,
    "cogvideox": 50, "wan-2.1": 50,
}  # fmt: skip


def run(*words: str) -> str:
    result = RUNNER.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def read(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_formula_show_holds_the_contract() -> None:
    said = read("show", "sd-1.5-unet", "--set", "latent=64")
    assert said["parameters"] == 859_520_964
    assert said["flops"]["total"] == 803_273_441_280 == sum(said["flops"][name] for name in ("conv", "linear", "attention"))
    assert {"conv", "linear", "attention", "norm", "elementwise", "memory"} <= set(said["by_class"])
    assert said["bytes"]["moved"] == said["bytes"]["read"] + said["bytes"]["written"] and said["unknown"] == {}
    assert [stage["repeats"] for stage in said["stages"]] == [1]
    calls = {(call["seq_q"], call["seq_k"], call["kind"]): call["count"] for call in said["attention"]}
    assert calls == {
        (4096, 4096, "spatial"): 5, (4096, 77, "cross"): 5, (1024, 1024, "spatial"): 5, (1024, 77, "cross"): 5, (256, 256, "spatial"): 5, (256, 77, "cross"): 5,
        (64, 64, "spatial"): 1, (64, 77, "cross"): 1,
    }  # fmt: skip
    assert {"seq_q", "seq_k", "heads", "head_dim", "batch", "kind", "count"} <= set(said["attention"][0])
    assert all({"heads", "batch"} <= set(call) and call["heads"] == 8 and call["batch"] == 1 for call in said["attention"])
    assert "time_s" not in said and "share" not in said


def test_formula_a_device_adds_time_energy_and_shares() -> None:
    eager, fused = (read("show", "sd-1.5-unet", "--set", "batch=2", "--on", "a100-80g", "--attention", form) for form in ("eager", "fused"))
    for said in (eager, fused):
        assert sum(said["share"].values()) == pytest.approx(1) and said["truth"] == "modelled"
        assert sum(each["time_s"] for each in said["by_class"].values()) == pytest.approx(said["time_s"])
        assert sum(each["energy_j"] for each in said["by_class"].values()) == pytest.approx(said["energy_j"])
        assert all({"time_s", "energy_j", "share"} <= set(each) for each in said["by_class"].values())
    assert eager["flops"]["total"] == fused["flops"]["total"] and eager["bytes"]["moved"] > fused["bytes"]["moved"]
    assert eager["time_s"] / fused["time_s"] == pytest.approx(fused["fused_gain"]) and fused["fused_gain"] > 1.2
    assert fused["share"]["conv"] > max(share for name, share in fused["share"].items() if name != "conv")  # the paper's next bottleneck


@pytest.mark.parametrize("name", sorted(SUITE))
def test_pipelines_are_told_by_stage(name: str) -> None:
    said = read("show", name)
    stages = {stage["name"]: stage for stage in said["stages"]}
    assert max(stage["repeats"] for stage in stages.values()) == SUITE[name]
    assert sum(stage["flops_matrix"] for stage in stages.values()) == said["flops"]["total"]
    assert sum(stage["flops_once"] * stage["repeats"] for stage in stages.values()) == said["flops"]["total"]  # nothing here grows
    assert len(stages) >= 3 and said["parameters"] > 5e8


def test_a_language_model_is_its_whole_generation() -> None:
    said = read("show", "llama2-7b", "--set", "tokens=64")
    assert [(stage["name"], stage["repeats"]) for stage in said["stages"]] == [("prefill", 1), ("decode", 64)]
    assert said["parameters"] == 6_738_415_616
    step = read("show", "llama2-7b", "--set", "kv=2048")
    assert (step["phase"], step["point"]["seq"]) == ("decode", 2048) == (read("show", "llama2-7b-decode", "--set", "kv=2048")["phase"], 2048)
    assert read("show", "llama2-7b-prefill")["phase"] == "prefill"


def test_sequence_holds_the_contract() -> None:
    said = read("sequence", "sd-1.5")
    assert said["histogram"] == {"64": 100, "77": 12, "256": 500, "1024": 500, "4096": 501}
    lengths = [q for q, k, _ in said["calls"] if (q, k) in ((4096, 4096), (1024, 1024), (256, 256), (64, 64))]
    assert lengths[:16] == [4096] * 2 + [1024] * 2 + [256] * 2 + [64] + [256] * 3 + [1024] * 3 + [4096] * 3  # down and up again
    assert {repeats for _, _, repeats in said["calls"]} == {1, 50} and said["neighbour_ratio"] == 4
    ramp = read("sequence", "parti-20b")["calls"]
    keys = [k for q, k, repeats in ramp if q == 1 and k != 128]
    assert keys == sorted(keys) and keys[-1] == 1024 and len(set(keys)) >= 1020  # token by token
    assert "times" in run("sequence", "sd-1.5-unet")


def test_roofline_tells_what_each_stage_is_like() -> None:
    stages = {stage["name"]: stage["verdict"] for stage in read("roofline", "llama2-7b")["stages"]}
    assert stages["prefill"]["likeness"] == "prefill-like" and stages["decode"]["likeness"] == "decode-like"
    assert read("roofline", "sd-1.5-unet", "--set", "batch=2")["stages"][0]["verdict"]["likeness"] == "prefill-like"
    assert "ridge 153 FLOP/B" in run("roofline", "sd-1.5-unet")


def test_temporal_compares_the_two() -> None:
    said = read("temporal", "unet3d")
    assert said["flops_ratio"] == pytest.approx(17.5, abs=0.1)
    assert said["temporal"]["bytes_moved"] / said["spatial"]["bytes_moved"] == pytest.approx(2.36, abs=0.01)
    assert said["share_of_attention_time"] > 0.6 and said["crossing_frames"] > said["frames"]


def test_map_compare_and_their_words() -> None:
    said = read("map", "sd-1.5-unet", "--across", "latent=32,64,128", "--down", "batch=1,2")
    assert len(said["cells"]) == 6 and {cell["bound"] for cell in said["cells"]} <= {"compute", "memory", "overhead"}
    assert said["cells"][2]["top"] == "attention" and said["cells"][1]["top"] == "conv"  # 1024 px against 512
    both = read("compare", "sd-1.5-unet", "dit-xl-2")
    assert both["a"]["shares"]["conv"] > 0.3 > 0.05 > both["b"]["shares"]["conv"]
    assert "A / B" in run("compare", "sd-1.5-unet", "dit-xl-2")


def test_page_is_written(tmp_path: Path) -> None:
    run("show", "sd-1.5@tiny", "--on", "a100-80gb", "--out", str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    assert all(word in text for word in ("What dominates", "Roofline", "Stages", "Sequence lengths"))


@pytest.mark.parametrize("way", ["class", "operator", "module", "stage", "attention"])
def test_every_way_to_group_adds_up(way: str) -> None:
    said = read("show", "unet3d", "--on", "a100-80gb")
    groups = said[f"by_{way}"]
    assert sum(group["share"] for group in groups.values()) == pytest.approx(1)
    assert sum(group["flops_matrix"] for group in groups.values()) == said["flops"]["total"]
    assert run("show", "unet3d", "--by", way)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("show", "sd-1.5", "--set", "image=500"), BadValue,
         "stage 'unet' of 'sd-1.5', latent: image=500 is no multiple of 8. Choose 496 or 504."),
        (("show", "unet3d", "--set", "frames=0"), BadValue, "frames=0 is below 1. Choose a whole number from 1 up."),
        (("show", "sd-1.5-upscaler"), UnknownName, "'sd-1.5' has no stage 'upscaler'. Choose from: text, unet, vae-decoder."),
        (("show", "sd-1.5-unet", "--set", "latent"), BadValue, "'latent' sets no size. Write it as name=value, e.g. --set batch=1."),
        (("show", "sd-1.5-unet", "--set", "side=64"), BadValue, "'sd-1.5-unet' has no symbol 'side'. Choose from: batch, latent, text, image."),
        (("show", "sd-1.5-unet", "--by", "colour"), BadValue, "by='colour' is none of class, operator, module, stage, attention. Choose one of them."),
        (("show", "sd-1.5-unet", "--attention", "flash"), BadValue, "attention='flash' is none of eager, eager-fp32, fused. Choose one of them."),
        (("show", "sd-1.5-unet", "--depth", "0"), BadValue, "depth=0 is below 1. Choose a whole number from 1 up."),
        (("show", "sd-1.5", "--captured"), BadValue,
         "'sd-1.5' is a pipeline; its stages are captured one by one. Name one of them, e.g. sd-1.5-text."),
        (("show", "sd-1.5-unet", "--preset", "huge"), UnknownName,
         "No preset of 'sd-1.5-unet' named 'huge'. List them with: thrifty workload show sd-1.5-unet"),
        (("temporal", "sd-1.5-unet"), BadValue,
         "'sd-1.5-unet' has no temporal attention to compare. Name a video model that has both, e.g. unet3d."),
        (("map", "sd-1.5-unet", "--down", "batch=x"), BadValue, "'batch=x' is no range of sizes. Write name=a,b,c in whole numbers, e.g. latent=32,64,128."),
        (("cache", "--staging", "foo"), BadValue, "staging='foo' is none of shared, direct. Choose one of them."),
        (("kernels", "sd-1.5", "--device", "foo"), BadValue, "device='foo' cannot be profiled here. Choose cuda or cpu."),
        (("measure", "sd-1.5", "--seconds", "0"), BadValue, "seconds=0.0 is not between 0 and 600. Choose e.g. 1.5."),
    ],
)  # fmt: skip
def test_errors_word_for_word(words: tuple[str, ...], error: type[ThriftyError], said: str) -> None:
    with pytest.raises(error) as caught:
        run(*words)
    assert str(caught.value) == said


def test_traces_are_shown_and_what_is_none_is_refused(tmp_path: Path) -> None:
    whole = {"traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 1.0, "dur": 5.0, "args": {}}]}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(whole))
    assert read("show", str(path)) == read("trace", str(path))
    path.write_text(json.dumps(whole)[:-20])
    with pytest.raises(BadFile):
        run("show", str(path))
    path.write_text('{"a": 1}')
    with pytest.raises(BadFile):
        run("trace", str(path))


def test_broken_budgets_end_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[[budget]]\nworkload = "sd-1.5-unet"\non = "a100-80g"\nexpect = ["attention share < 40 %"]\n')
    assert main(["operators", "budget", str(path)]) == 0
    path.write_text(path.read_text().replace("< 40 %", "> 40 %"))
    assert main(["operators", "budget", str(path)]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_latent_names_an_image_of_a_pipeline() -> None:
    assert read("show", "sd-1.5", "--set", "latent=32")["point"]["image"] == 256
    with pytest.raises(BadValue, match=r"^latent and image are two names of one size\. Give one of them\.$"):
        run("show", "sd-1.5", "--set", "latent=32", "--set", "image=256")


def test_kernels_of_every_stage_are_seen(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    said = read("kernels", "sd-1.5", "--keep", str(tmp_path))["stages"]
    assert list(said) == ["text", "unet", "vae-decoder"]
    assert said["unet"]["by_class_s"]["conv"] > 0 and said["unet"]["by_class_s"]["attention"] > 0
    assert any(path.startswith("down_blocks.0") for path in said["unet"]["by_module_s"])
    assert read("trace", str(tmp_path / "unet.json.gz"))["by_class_s"].keys() == said["unet"]["by_class_s"].keys()
