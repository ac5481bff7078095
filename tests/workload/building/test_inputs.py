"""What a step is fed: sizes, caches as a real prefill would leave them, labels and losses."""

from __future__ import annotations

import pytest
import torch
from tests.workload.building.tiny import BERT, DEEPSEEK, GEMMA3, GPT2, LLAMA, MIXTRAL, POINT, RESNET, VIT

from thrifty.errors import BadValue
from thrifty.workload.building import Blueprint, build_module, loss_for, make_inputs
from thrifty.workload.building.caches import cache_name, cache_of, empty_cache, filled_cache
from thrifty.workload.model import WorkPhase


@pytest.mark.parametrize("blueprint", [LLAMA, GPT2, MIXTRAL, DEEPSEEK, GEMMA3], ids=lambda b: b.name)
@pytest.mark.parametrize("length", [1, 5, 7, 20])
def test_peer_filled_cache_is_shaped_as_a_prefill_leaves_it(blueprint: Blueprint, length: int) -> None:
    module = build_module(blueprint, device="cpu")
    name = cache_name(module)
    assert name is not None
    made = filled_cache(module, 2, length, torch.Generator().manual_seed(0))
    with torch.no_grad():
        real = cache_of(module(input_ids=torch.ones((2, length), dtype=torch.long), use_cache=True, **{name: empty_cache(module)}))
    assert len(made.layers) == len(real.layers)
    for ours, theirs in zip(made.layers, real.layers, strict=True):
        assert type(ours) is type(theirs)
        assert (ours.keys.shape, ours.values.shape, ours.keys.dtype) == (theirs.keys.shape, theirs.values.shape, theirs.keys.dtype)
        assert ours.get_seq_length() == theirs.get_seq_length() == length
        assert float(ours.keys.std()) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_formula_attention_of_a_step(phase: WorkPhase) -> None:
    module = build_module(LLAMA, device="cpu")
    given = make_inputs(module, LLAMA, phase, POINT, "cpu")
    with torch.no_grad():
        result = module(**given)
    assert result.logits.shape == (2, 1, 100)
    assert cache_of(result).get_seq_length() == (12 if phase == "prefill" else 13)


@pytest.mark.parametrize(
    ("blueprint", "phase", "shapes"),
    [
        (LLAMA, "forward", {"input_ids": (2, 12)}),
        (LLAMA, "training", {"input_ids": (2, 12), "labels": (2, 12)}),
        (BERT, "forward", {"input_ids": (2, 12)}),
        (BERT, "training", {"input_ids": (2, 12), "labels": (2, 12)}),
        (VIT, "forward", {"pixel_values": (2, 3, 32, 32)}),
        (VIT, "training", {"pixel_values": (2, 3, 32, 32), "labels": (2,)}),
        (RESNET, "training", {"pixel_values": (2, 3, 32, 32), "labels": (2,)}),
    ],
)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_shapes(blueprint: Blueprint, phase: WorkPhase, shapes: dict[str, tuple[int, ...]], device: str) -> None:
    module = build_module(blueprint, device=device, format="bf16")
    given = make_inputs(module, blueprint, phase, POINT, device)
    tensors = {name: tuple(value.shape) for name, value in given.items() if isinstance(value, torch.Tensor)}
    assert tensors == shapes
    assert all(value.device.type == device for value in given.values() if isinstance(value, torch.Tensor))
    assert given.get("use_cache", False) is False
    if "pixel_values" in given:
        assert given["pixel_values"].dtype == torch.bfloat16


def test_same_seed_same_tokens_within_the_vocabulary() -> None:
    module = build_module(LLAMA, device="cpu")
    first, again, other, unset = (make_inputs(module, LLAMA, "forward", {"batch": 4, "seq": 100}, "cpu", seed)["input_ids"] for seed in (1, 1, 2, None))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= int(first.min()) < int(first.max()) < 100
    assert int(unset.abs().sum()) == 0


@pytest.mark.parametrize(("blueprint", "phase"), [(BERT, "prefill"), (VIT, "decode")])
def test_phase_that_a_model_does_not_have(blueprint: Blueprint, phase: WorkPhase) -> None:
    with pytest.raises(BadValue) as caught:
        make_inputs(build_module(blueprint), blueprint, phase, POINT)
    assert str(caught.value) == f"'{blueprint.name}' generates nothing, so it has no {phase}. Choose phase forward or training."


def test_loss_is_the_models_own_or_a_mean() -> None:
    module = build_module(LLAMA, device="cpu")
    given = make_inputs(module, LLAMA, "training", POINT, "cpu")
    result = module(**given)
    assert loss_for(module)(result) is result.loss
    without = module(**{**given, "labels": None})
    assert torch.equal(loss_for(module)(without), without.logits.mean())
    assert torch.equal(loss_for(module)(torch.tensor(3.0)), torch.tensor(3.0))
    assert torch.equal(loss_for(module)((torch.tensor([1]), torch.tensor([1.0, 3.0]))), torch.tensor(2.0))
    with pytest.raises(BadValue) as caught:
        loss_for(module)([torch.tensor([1])])
    assert str(caught.value) == "LlamaForCausalLM returns no floating tensor to train on. Give a module whose result has a loss."


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_recommender_is_fed_its_own_example(device: str) -> None:
    config = {"tables": [7, 5], "dim": 4, "bottom": [3, 4], "top": [2, 1], "pooling": 2}
    blueprint = Blueprint(name="little", kind="recommender", torch_class="thrifty.workload.families.recommenders.dlrm_torch.Dlrm", config=config)
    module = build_module(blueprint, device=device)
    given = make_inputs(module, blueprint, "training", {"batch": 6}, device)
    assert {name: tuple(value.shape) for name, value in given.items()} == {"dense": (6, 3), "indices": (2, 6, 2), "labels": (6, 1)}
    assert loss_for(module)(module(**given)).numel() == 1


def test_recommender_without_an_example() -> None:
    blueprint = Blueprint(name="it", kind="recommender", torch_class="torch.nn.Linear", config={"in_features": 2, "out_features": 2})
    with pytest.raises(BadValue) as caught:
        make_inputs(build_module(blueprint), blueprint, "forward", {"batch": 6})
    assert str(caught.value) == (
        "'it' is a recommender without example(batch, device=, generator=), so nobody knows what it is fed. Give it one, "
        "or give package.module:callable with inputs."
    )
