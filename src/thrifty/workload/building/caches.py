"""Key-value caches of transformers models: empty, and filled as if so many tokens had gone before."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from thrifty.workload.building.modules import quiet

if TYPE_CHECKING:
    import torch


def forward_names(module: torch.nn.Module) -> frozenset[str]:
    """The parameter names of a module's forward."""
    return frozenset(inspect.signature(module.forward).parameters)


def cache_name(module: torch.nn.Module) -> str | None:
    """How this model calls its cache (transformers renamed it), None where it takes none."""
    names = forward_names(module)
    return next((name for name in ("cache", "past_key_values") if name in names), None)


def cache_of(result: Any) -> Any:
    """The cache in what a model returned."""
    return result["cache"] if "cache" in result.keys() else result["past_key_values"]  # noqa: SIM118 - an output answers `in` by its old names too


def empty_cache(module: torch.nn.Module) -> Any:
    """A cache of the kinds of layers that this model has (full, sliding window), with nothing in it."""
    from transformers import DynamicCache

    return DynamicCache(config=module.config)


def filled_cache(module: torch.nn.Module, batch: int, length: int, generator: torch.Generator | None) -> Any:
    """A cache that holds `length` tokens of `batch` sequences.

    Shapes are learned from a forward over one token; keys and values are normal random numbers (on meta: only shapes). A model whose cache holds
    more than keys and values (states of linear attention) really reads `length` tokens instead.
    """
    import torch

    from thrifty.workload.building.meta import MetaAnswers

    name = cache_name(module)
    assert name is not None
    device = next(module.parameters()).device
    with torch.no_grad(), quiet(), MetaAnswers():
        one = torch.zeros((batch, 1), dtype=torch.long, device=device)
        learned = cache_of(module(input_ids=one, use_cache=True, **{name: empty_cache(module)}))
        cache = empty_cache(module)
        if not all(isinstance(getattr(layer, "keys", None), torch.Tensor) and layer.keys.dim() == 4 for layer in learned.layers):
            tokens = torch.zeros((batch, length), dtype=torch.long, device=device)
            return cache_of(module(input_ids=tokens, use_cache=True, **{name: cache}))
        for index, layer in enumerate(learned.layers):
            states = [_random((*like.shape[:2], length, like.shape[3]), like, generator) for like in (layer.keys, layer.values)]
            cache.update(states[0], states[1], index)
    return cache


def _random(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    import torch

    if like.device.type == "meta" or generator is None:
        return like.new_empty(shape)
    return torch.randn(shape, generator=generator).to(like.device, like.dtype)
