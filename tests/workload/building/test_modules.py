"""Building: on meta without memory, on the CPU with random weights, and in one line why not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch
from tests.workload.building.tiny import GPT2, LLAMA, MODELS, RESNET

from thrifty.errors import BadValue, MissingExtra, NoRoom
from thrifty.workload.building import Blueprint, blueprint_of, build_module, set_mode
from thrifty.workload.building.blueprint import packaged_file
from thrifty.workload.building.modules import without_drawing
from thrifty.workload.entry import Entry, Weights


@pytest.mark.parametrize("blueprint", MODELS, ids=lambda b: b.name)
def test_formula_random_weights_keep_the_size_of_activations(blueprint: Blueprint) -> None:
    module = build_module(blueprint, device="cpu", seed=3)
    for name, tensor in module.state_dict().items():
        assert torch.isfinite(tensor.float()).all(), name
    for name, parameter in module.named_parameters():
        if parameter.dim() >= 2 and parameter.numel() > 500:
            fan_in = parameter.shape[-1] if parameter.dim() < 4 else parameter[0].numel()
            assert float(parameter.detach().std()) == pytest.approx(fan_in**-0.5, rel=0.15), name


def test_meta_allocates_nothing_and_knows_the_count() -> None:
    module = build_module(Blueprint(name="large", kind="lm", torch_class="transformers.MixtralForCausalLM", config={"vocab_size": 32000}))
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    assert sum(parameter.numel() for parameter in module.parameters()) == 46_702_792_704  # Mixtral 8x7B: 46.7 B (Jiang et al. 2024, section 1: 47B)


def test_constructors_that_draw_until_it_fits_come_to_an_end() -> None:
    parameter = torch.nn.Parameter(torch.full((4, 4), 1e9))
    with without_drawing():
        torch.nn.init.trunc_normal_(parameter, std=0.02)
        torch.nn.init.trunc_normal_(parameter, std=9.0, a=-1, b=1)
    assert float(parameter.detach().abs().max()) <= 1


def test_same_seed_same_weights_other_seed_others() -> None:
    first, again, other = (build_module(LLAMA, device="cpu", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
    assert not torch.equal(first["model.layers.0.self_attn.k_proj.weight"], first["model.layers.0.self_attn.v_proj.weight"])


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("half", torch.float16)])
def test_format_is_that_of_every_weight(name: str, dtype: torch.dtype) -> None:
    assert {parameter.dtype for parameter in build_module(GPT2, format=name).parameters()} == {dtype}
    assert torch.get_default_dtype() == torch.float32


def test_any_class_is_built_from_its_arguments() -> None:
    module = build_module(Blueprint(name="line", kind="encoder", torch_class="torch.nn.Linear", config={"in_features": 4, "out_features": 3}), format="bf16")
    assert module.weight.shape == (3, 4)
    assert module.weight.dtype == torch.bfloat16


def test_training_mode_leaves_dropout_out_and_norms_by_batch() -> None:
    module = set_mode(torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2)), "training")
    assert [part.training for part in module] == [False, True]
    assert [part.training for part in set_mode(module, "evaluation")] == [False, False]


def test_format_that_torch_cannot_run() -> None:
    with pytest.raises(BadValue) as caught:
        build_module(LLAMA, format="q4_1")
    assert str(caught.value) == "format='q4_1' cannot be run by torch as a whole model. Choose from: fp64, fp32, fp16, bf16."


def test_other_count_than_stated() -> None:
    with pytest.raises(BadValue) as caught:
        build_module(replace(LLAMA, parameters=7))
    assert str(caught.value) == (
        "'llama' is stated to have 7 parameters, but transformers.LlamaForCausalLM has 24992. Mend its sheet."
    )


def test_sizes_that_do_not_go_together() -> None:
    with pytest.raises(BadValue) as caught:
        build_module(Blueprint(name="odd", kind="encoder", torch_class="torch.nn.MultiheadAttention", config={"embed_dim": 5, "num_heads": 2}))
    assert str(caught.value) == "'odd' cannot be built as torch.nn.MultiheadAttention: embed_dim must be divisible by num_heads. Mend its configuration."


def test_class_that_is_not_installed() -> None:
    with pytest.raises(BadValue) as caught:
        build_module(replace(LLAMA, torch_class="transformers.NoSuchModel"))
    assert str(caught.value) == (
        "'transformers.NoSuchModel', the torch class of 'llama', is not in the installed transformers. Install a newer transformers."
    )
    with pytest.raises(MissingExtra) as missing:
        build_module(replace(LLAMA, torch_class="nosuchpackage.vision.Model"))
    assert str(missing.value) == "Building 'llama' needs nosuchpackage. Install: pip install \"thrifty[models]\""


def test_weights_beyond_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(NoRoom) as caught:
        build_module(RESNET, device="cpu")
    assert str(caught.value) == (
        "'resnet' needs 20.6 kB for its weights in fp32, and 1 kB are free on cpu. Choose a smaller workload or format."
    )


def _entry(**changes: object) -> Entry:
    return Entry(
        **{"name": "it", "title": "It", "kind": "lm", "family": "decoder", "shape": {}, "parameters": 24992, "format": "bf16", "licence": "MIT",
           "context": 128, "torch_class": LLAMA.torch_class, "torch_config": LLAMA.config, **changes},
    )  # type: ignore[arg-type]  # fmt: skip


def test_entry_of_the_catalogue_is_built_as_its_twin() -> None:
    assert sum(parameter.numel() for parameter in build_module(_entry(), format="bf16").parameters()) == 24992


def test_entry_without_a_twin() -> None:
    with pytest.raises(BadValue) as caught:
        blueprint_of(_entry(torch_class=None))
    assert str(caught.value) == "'it' has no torch module to build: no installed class is this model. Use its family's table instead."


def test_weights_in_a_package_are_found_without_importing_it() -> None:
    assert packaged_file("pytest", "_pytest/__init__.py") is not None
    assert packaged_file("pytest", "_pytest/no-such-file.gguf") is None
    assert packaged_file("no-such-package", "x.gguf") is None
    found = blueprint_of(_entry(weights=Weights(package="no-such-package", file="x.gguf", format="q4_1")))
    assert found.weights is None
    assert found.notes == ("real weights are in the package no-such-package, which is not installed: they are random",)
