"""What a module is fed: tokens, pixels or features of a given size, as a real run would feed them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from thrifty.errors import BadValue
from thrifty.workload.building.blueprint import Blueprint, blueprint_of
from thrifty.workload.building.caches import cache_name, empty_cache, filled_cache, forward_names
from thrifty.workload.entry import Entry
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import WorkPhase

if TYPE_CHECKING:
    import torch


def make_inputs(
    module: torch.nn.Module, what: Entry | Blueprint, phase: WorkPhase, point: Mapping[str, int], device: str = "meta", seed: int | None = 0
) -> dict[str, Any]:
    """Keyword arguments for one call of `module` in `phase` at `point` (batch, seq or image).

    prefill  : `seq` tokens and an empty cache; logits of the last position only, as generation asks for them
    decode   : one token, and a cache that holds `seq` tokens
    forward  : all positions, no cache
    training : as forward, with labels where the module takes them (`loss_for` is what to train on)

    On "meta" nothing is allocated; else values are random, from `seed` (zeros where it is None). Raises BadValue for a phase that the module
    does not have.
    """
    import torch

    blueprint = blueprint_of(what) if isinstance(what, Entry) else what
    generator = None if device == "meta" or seed is None else torch.Generator().manual_seed(seed)
    if blueprint.fed is not None:
        dtype = next((p.dtype for p in module.parameters()), torch.float32)
        return fill_feeds(blueprint.fed.feeds(phase, point), dtype, device, generator)
    if phase in ("prefill", "decode") and (blueprint.kind != "lm" or cache_name(module) is None):
        raise BadValue(f"'{blueprint.name}' generates nothing, so it has no {phase}. Choose phase forward or training.")
    if blueprint.kind == "recommender":
        return _features(blueprint, module, point["batch"], phase == "training", device, generator)
    if blueprint.kind == "vision":
        return _pixels(module, point, phase == "training", device, generator)
    return _tokens(module, phase, point, device, generator)


def fill_feeds(feeds: Feeds, dtype: torch.dtype, device: str, generator: torch.Generator | None) -> dict[str, Any]:
    """Tensors of the shapes that a family says its twin is fed; each carries the names of its axes for a recorder to read."""
    import torch

    from thrifty.workload.tracing.provenance import name_axes

    result: dict[str, Any] = {}
    for name, feed in feeds.items():
        if not isinstance(feed, Feed):
            result[name] = fill_feeds(feed, dtype, device, generator)
            continue
        if feed.fill == "normal":
            tensor = _normal(feed.shape, dtype, device, generator)
        elif feed.fill == "ones":
            tensor = torch.ones(feed.shape, dtype=dtype, device=device)
        else:
            tensor = _whole(feed.below, feed.shape, device, generator)
            tensor = tensor.to(dtype) if feed.fill == "steps" else tensor
        result[name] = name_axes(tensor, feed.axes)
    return result


def _whole(high: int, shape: tuple[int, ...], device: str, generator: torch.Generator | None) -> torch.Tensor:
    """Whole numbers below `high`."""
    import torch

    if generator is None:
        return torch.zeros(shape, dtype=torch.long, device=device)
    return torch.randint(0, high, shape, generator=generator).to(device)


def _normal(shape: tuple[int, ...], dtype: torch.dtype, device: str, generator: torch.Generator | None) -> torch.Tensor:
    import torch

    if generator is None:
        return torch.zeros(shape, dtype=dtype, device=device)
    return torch.randn(shape, generator=generator).to(device, dtype)


def _tokens(module: Any, phase: WorkPhase, point: Mapping[str, int], device: str, generator: torch.Generator | None) -> dict[str, Any]:
    batch, seq = point["batch"], point["seq"]
    names = forward_names(module)
    config = module.config.get_text_config()
    kwargs: dict[str, Any] = {"input_ids": _whole(config.vocab_size, (batch, 1 if phase == "decode" else seq), device, generator)}
    if getattr(config, "is_encoder_decoder", False):
        kwargs["decoder_input_ids"] = _whole(config.vocab_size, (batch, seq), device, generator)
    cache = cache_name(module)
    if phase in ("prefill", "decode"):
        assert cache is not None
        kwargs[cache] = empty_cache(module) if phase == "prefill" else filled_cache(module, batch, seq, generator)
        kwargs["use_cache"] = True
        if "logits_to_keep" in names:
            kwargs["logits_to_keep"] = 1
    elif cache is not None and "use_cache" in names:
        kwargs["use_cache"] = False
    if phase == "training" and "labels" in names:
        if _one_label(module):
            kwargs["labels"] = _whole(config.num_labels, (batch,), device, generator)
        else:
            kwargs["labels"] = kwargs.get("decoder_input_ids", kwargs["input_ids"])
    return kwargs


def _one_label(module: torch.nn.Module) -> bool:
    """Whether a model is trained on one label a sequence or image rather than one a token."""
    return any(word in type(module).__name__ for word in ("SequenceClassification", "ImageClassification", "NextSentence"))


def _pixels(module: Any, point: Mapping[str, int], training: bool, device: str, generator: torch.Generator | None) -> dict[str, Any]:
    batch, side = point["batch"], point["image"]
    parameter = next(module.parameters())
    channels = getattr(module.config, "num_channels", 3)
    kwargs: dict[str, Any] = {"pixel_values": _normal((batch, channels, side, side), parameter.dtype, device, generator)}
    if training and "labels" in forward_names(module) and _one_label(module):
        kwargs["labels"] = _whole(module.config.num_labels, (batch,), device, generator)
    return kwargs


def _features(blueprint: Blueprint, module: Any, batch: int, training: bool, device: str, generator: torch.Generator | None) -> dict[str, Any]:
    """Dense features and look-ups, as the module's own `example(batch, device=, generator=)` makes them."""
    import torch

    if not callable(getattr(module, "example", None)):
        raise BadValue(
            f"'{blueprint.name}' is a recommender without example(batch, device=, generator=), so nobody knows what it is fed. Give it one, "
            "or give package.module:callable with inputs."
        )
    kwargs: dict[str, Any] = dict(module.example(batch, device=device, generator=generator))
    if training and "labels" in forward_names(module):
        kwargs["labels"] = torch.zeros((batch, 1), dtype=next(module.parameters()).dtype, device=device)
    return kwargs


def loss_for(module: torch.nn.Module) -> Callable[[Any], torch.Tensor]:
    """The loss to train on: the module's own where it returns one, else the mean of its first floating output."""
    import torch

    def loss(result: Any) -> torch.Tensor:
        own = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
        if isinstance(own, torch.Tensor) and own.numel() == 1:
            return own
        values = list(result.values()) if isinstance(result, Mapping) else [result] if isinstance(result, torch.Tensor) else list(result)
        first = next((value for value in values if isinstance(value, torch.Tensor) and value.is_floating_point()), None)
        if first is None:
            raise BadValue(f"{type(module).__name__} returns no floating tensor to train on. Give a module whose result has a loss.")
        return first if first.numel() == 1 else first.mean()

    return loss
