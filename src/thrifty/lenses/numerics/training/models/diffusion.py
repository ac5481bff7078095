"""A class-to-image diffusion transformer (Peebles and Xie 2023) that predicts the noise in a digit (Ho et al. 2020)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from thrifty.lenses.numerics.training.models.data import TIMES, Batch
from thrifty.lenses.numerics.training.models.layers import Attention, Weights, attend, feed, norm
from thrifty.lenses.numerics.training.models.precision import Arithmetic
from thrifty.lenses.numerics.training.models.shapes import FREQUENCIES, Shape

Tensor = Any


def time_features(times: Tensor, dtype: Any) -> Tensor:
    """(batch, 2 FREQUENCIES) sines and cosines of time, wavelengths from 2π/100 to 20π of all time."""
    rates = torch.exp(torch.linspace(math.log(0.1), math.log(100.0), FREQUENCIES, dtype=torch.float64))
    angles = times.to(torch.float64)[:, None] / TIMES * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1).to(dtype)


def loss(weights: Weights, batch: Batch, shape: Shape, attention: Attention, how: Arithmetic) -> Tensor:
    """Mean squared error of the predicted noise: 1 for a model that predicts none."""
    dtype = weights["head.weight"].dtype
    x = how.linear(how.given(torch.from_numpy(batch.inputs).to(dtype)), weights["patch.weight"], weights["patch.bias"])
    x = how.kept(x + weights["position"])
    assert batch.labels is not None and batch.times is not None
    told = how.linear(how.given(time_features(torch.from_numpy(batch.times), dtype)), weights["time.weight"], weights["time.bias"])
    told = how.gelu(how.kept(told + F.embedding(torch.from_numpy(batch.labels), weights["class"])))
    for block in range(shape.blocks):
        at = f"block{block}."
        parts = how.linear(told, weights[f"{at}condition.weight"], weights[f"{at}condition.bias"])[:, None].chunk(6, dim=-1)
        for shift, scale, gate, part in ((*parts[:3], "attend"), (*parts[3:], "feed")):
            held = how.kept(F.layer_norm(x, (shape.width,)))
            held = how.kept(how.kept(held * how.kept(1 + scale)) + shift)
            made = attend(held, weights, at, shape, attention, how) if part == "attend" else feed(held, weights, at, how)
            x = how.kept(x + how.kept(how.kept(1 + gate) * made))
    guess = how.linear(norm(x, weights, "norm", how), weights["head.weight"], weights["head.bias"])
    return how.kept(how.kept(how.kept(guess - how.given(torch.from_numpy(batch.targets).to(dtype))) ** 2).mean())
