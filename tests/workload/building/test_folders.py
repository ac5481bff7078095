"""Model folders: what is built from a config.json, and word for word why a broken one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tests.workload.building.tiny import BERT, LLAMA, RESNET, VIT

from thrifty.errors import BadFile
from thrifty.workload.building import Blueprint, build_module, load_any, make_runnable
from thrifty.workload.building.folders import folder_blueprint

GOOD: dict[str, Any] = {**LLAMA.config, "model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16"}


def folder(tmp_path: Path, text: str | None = None, **changes: Any) -> Path:
    data = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(data) if text is None else text)
    return tmp_path


def refusal(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        folder_blueprint(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "DIR")


def test_folder_becomes_a_blueprint(tmp_path: Path) -> None:
    found = folder_blueprint(folder(tmp_path / "."))
    assert (found.kind, found.torch_class, found.format, found.context) == ("lm", "transformers.LlamaForCausalLM", "bf16", 128)
    assert found.weights is None
    assert found.name == tmp_path.name
    assert folder_blueprint(tmp_path / "config.json") == found


@pytest.mark.parametrize(("blueprint", "model_type"), [(BERT, "bert"), (VIT, "vit"), (RESNET, "resnet")], ids=lambda v: getattr(v, "name", ""))
def test_kinds(tmp_path: Path, blueprint: Blueprint, model_type: str) -> None:
    name = blueprint.torch_class.rpartition(".")[2]
    (tmp_path / "config.json").write_text(json.dumps({**blueprint.config, "model_type": model_type, "architectures": [name]}))
    workload = load_any(tmp_path)
    assert (workload.phase, workload.source.blueprint.kind) == ("forward", blueprint.kind)  # type: ignore[union-attr]
    assert workload.parameters == sum(parameter.numel() for parameter in build_module(blueprint).parameters())


def test_model_type_alone_is_enough(tmp_path: Path) -> None:
    assert folder_blueprint(folder(tmp_path, architectures=None)).torch_class == "transformers.LlamaForCausalLM"


def test_code_of_a_folder_is_never_run(tmp_path: Path) -> None:
    path = folder(tmp_path, auto_map={"AutoModelForCausalLM": "evil.Evil"})
    (path / "evil.py").write_text("raise SystemExit('was run')")
    assert "auto_map" not in folder_blueprint(path).config
    assert load_any(path).parameters == 24992


def test_quantisation_is_left_out_and_said(tmp_path: Path) -> None:
    found = folder_blueprint(folder(tmp_path, quantization_config={"quant_method": "fp8"}))
    assert found.notes == ("its quantization_config is left out: weights are counted in the format asked for",)
    assert load_any(tmp_path).weight_bytes == 2 * 24992


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "'DIR/config.json' is not JSON: expecting property name enclosed in double quotes at line 1, column 2. Mend it there."),
        ("[1]", "'DIR/config.json' holds a JSON list where an object is needed. Give the config.json of a Hugging Face model."),
        ("{}", "'DIR/config.json' lacks model_type and architectures. Add one of them, e.g. \"model_type\": \"llama\"."),
    ],
)
def test_no_configuration(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(folder(tmp_path, text)) == message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    assert refusal(tmp_path) == "'DIR/config.json' is not JSON: it is not UTF-8 text. Give the config.json of a Hugging Face model."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "'DIR/config.json' lacks hidden_size, which LlamaForCausalLM needs. Add it."),
        ({"vocab_size": None}, "'DIR/config.json' lacks vocab_size, which LlamaForCausalLM needs. Add it."),
        ({"hidden_size": 0}, "'DIR/config.json' states hidden_size=0, where whole numbers from 1 up are needed. Mend it."),
        ({"num_hidden_layers": -2}, "'DIR/config.json' states num_hidden_layers=-2, where whole numbers from 1 up are needed. Mend it."),
        ({"vocab_size": "many"}, "'DIR/config.json' states vocab_size=many, where whole numbers from 1 up are needed. Mend it."),
        ({"vocab_size": 99.5}, "'DIR/config.json' states vocab_size=99.5, where whole numbers from 1 up are needed. Mend it."),
        (
            {"architectures": ["Imagined"]},
            f"architecture 'Imagined' of 'DIR/config.json' is not in transformers {transformers.__version__}. "
            "Install a transformers that has it, or give package.module:callable.",
        ),
        (
            {"architectures": None, "model_type": "imagined"},
            f"architecture 'imagined' of 'DIR/config.json' is not in transformers {transformers.__version__}. "
            "Install a transformers that has it, or give package.module:callable.",
        ),
        (
            {"architectures": [3]},
            "'DIR/config.json' states architectures=[3], where a list with a class name is needed, e.g. [\"LlamaForCausalLM\"].",
        ),
        (
            {"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"},
            "'WhisperForConditionalGeneration' of 'DIR/config.json' is fed input_features, and only tokens and pixels can be made up. "
            "Give package.module:callable with inputs.",
        ),
    ],
)  # fmt: skip
def test_broken_configuration(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refusal(folder(tmp_path, **changes)) == message


def test_configuration_that_its_class_refuses(tmp_path: Path) -> None:
    message = refusal(folder(tmp_path, hidden_size=33))
    assert message.startswith("'DIR/config.json' is refused by LlamaConfig: ")
    assert message.endswith(". Mend it.")


def test_what_is_no_model_folder(tmp_path: Path) -> None:
    fix = "Give the folder of a Hugging Face model, a .gguf file or package.module:callable."
    assert refusal(tmp_path) == f"'DIR' has no config.json. {fix}"
    assert refusal(tmp_path / "none") == f"there is no file or folder 'DIR'. {fix}"
    (tmp_path / "x.gguf").write_bytes(b"")
    assert refusal(tmp_path) == "'DIR' has no config.json. Name the file itself: 'DIR/x.gguf'."
    (tmp_path / "notes.txt").write_text("")
    assert refusal(tmp_path / "notes.txt") == "'DIR' is neither a model folder nor a .gguf file. Name the folder that holds its config.json."


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a.pt", "b.PTH", "c.ckpt", "d.pkl"])
def test_pickles_are_refused_unread(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"cos\nsystem\n(S'touch was-run'\ntR.")
    with pytest.raises(BadFile) as caught:
        load_any(path)
    assert str(caught.value) == f"'{path}' is a pickle checkpoint, which can run code when it is read. Convert it to safetensors."


def test_pickles_beside_a_configuration_are_passed_over(tmp_path: Path) -> None:
    (folder(tmp_path) / "pytorch_model.bin").write_bytes(b"x")
    found = folder_blueprint(tmp_path)
    assert found.weights is None
    assert found.notes == ("pytorch_model.bin is not read: a pickle checkpoint can run code when it is read; weights are random",)


def test_real_weights_are_loaded(tmp_path: Path) -> None:
    module = build_module(LLAMA, device="cpu", seed=5)
    module.save_pretrained(tmp_path)  # type: ignore[operator]
    found = make_runnable(tmp_path)
    assert (found.weights, found.tokenizer) == ("real", None)
    assert found.blueprint is not None
    assert found.blueprint.file_bytes == (tmp_path / "model.safetensors").stat().st_size
    stored, loaded = module.state_dict(), found.module.state_dict()
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)


def test_weights_that_are_not_whole(tmp_path: Path) -> None:
    build_module(LLAMA, device="cpu").save_pretrained(tmp_path)  # type: ignore[operator]
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile) as caught:
        make_runnable(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"weights in '{tmp_path}' cannot be read: ")
    assert message.endswith(". Download them again.")
    file.write_bytes(whole)
    folder(tmp_path, num_hidden_layers=3)
    with pytest.raises(BadFile) as missing:
        make_runnable(tmp_path)
    assert str(missing.value) == (
        f"weights in '{tmp_path}' lack 9 tensors, among them model.layers.2.input_layernorm.weight. Download them again."
    )  # fmt: skip
