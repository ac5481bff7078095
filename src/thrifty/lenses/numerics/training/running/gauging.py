"""Directions along which the loss does not change: found by replaying gradients in FP64, twice.

Softmax does not see a bias of the keys (it adds the same to every score of a row), so that bias has the gradient zero. A run's own gradient there is
rounding noise, and AdamW, which divides by the noise's size, walks a full step into it. Such walks are no deviation of the model.

A parameter is a gauge direction where its gradient in FP64 is no larger than FP64's own rounding noise, which is measured: the replay is done with the batch
as it is, and again with its samples in another order and every weight moved by one ulp of FP64 up or down at random; the gradient is held against the
difference. For an ordinary parameter the ratio is 1e13 or so, for a gauge direction about one, so the cut between them is no fine choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.lenses.numerics.training.models import data
from thrifty.lenses.numerics.training.models.shapes import Shape, parameters_of
from thrifty.lenses.numerics.training.running.runs import loss_of, named, one_thread
from thrifty.report.numbers import finite

CUT: Final = 1e4
"""Gradient over its FP64 rounding noise at and below which a parameter is a gauge direction."""
PROBES: Final = 2
"""Batches at each set of weights."""
KNOWN: Final = ("key.bias",)
"""Ends of names of parameters that are gauge directions by theory: the keys' bias under softmax."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gauge:
    """mask: (parameters,) True for gauge directions. All others are root mean squares over probes, by tensor.

    exact  : of the gradient in FP64;  noise : of its difference between the two orders;  ran : of the gradient that the run itself computes
    found  : tensors that are gauge directions as a whole;  parts : others with some;  known : those by theory
    largest_within, least_without : ratios of gradient to noise: the largest of a gauge direction, the least of all others (inf where nothing differs)
    """

    mask: npt.NDArray[np.bool_]
    exact: Mapping[str, float]
    noise: Mapping[str, float]
    ran: Mapping[str, float]
    found: tuple[str, ...]
    parts: tuple[str, ...]
    known: tuple[str, ...]
    largest_within: float
    least_without: float

    @property
    def agrees(self) -> bool:
        """The tensors found are those that theory names."""
        return set(self.found) == set(self.known) and not self.parts

    def to_dict(self) -> dict[str, Any]:
        return {
            "found": list(self.found), "in_part": list(self.parts), "known": list(self.known), "agrees": self.agrees, "parameters": int(self.mask.sum()),
            "cut": CUT, "largest_ratio_within": finite(self.largest_within), "least_ratio_without": finite(self.least_without),
            "gradients": {
                name: {"fp64": self.exact[name], "fp64_noise": self.noise[name], "run": finite(self.ran[name])} for name in self.exact
            },
        }  # fmt: skip


def find_gauge(shape: Shape, weights: Sequence[npt.NDArray[np.float32]], attention: Mapping[str, Any], *, text: str = "", order: int = 0) -> Gauge:
    """Replay gradients at each of `weights`. attention: of the run whose own gradient is shown beside."""
    from thrifty.lenses.numerics.training.running.attending import attention_of, plain

    exact, noise, ran = [], [], []
    draws = np.random.Generator(np.random.PCG64(0x6A06E))
    with one_thread():
        here, ours = plain(shape), attention_of(attention, shape)
        drawn = data.training(shape, text, order)
        for theta in weights:
            for _ in range(PROBES):
                batch = next(drawn)
                one = _gradient(shape, theta.astype(np.float64), batch, here)
                exact.append(one)
                noise.append(one - _gradient(shape, _moved(theta, draws), _shuffled(batch, draws), here))
                ran.append(_gradient(shape, theta, batch, ours))
    signal, floor, own = (np.sqrt(np.mean(np.square(each), axis=0)) for each in (exact, noise, ran))
    return judge(shape, signal, floor, own)


def judge(shape: Shape, signal: Floats, floor: Floats, own: Floats) -> Gauge:
    """By root mean squares over probes of every parameter. One whose gradient is exactly zero never moves, in no run, and is no gauge direction."""
    # A difference of zero says that both replays rounded alike, not that nothing was rounded: at least one ulp of the gradient stands for it.
    ratio = np.where(signal > 0, signal / np.maximum(floor, np.where(signal > 0, signal, 1.0) * 2.0**-52), np.inf)
    names, places = list(parameters_of(shape)), _places(shape)
    mask = ratio <= CUT
    whole = [name for name in names if mask[places[name]].all()]
    some = [name for name in names if mask[places[name]].any() and name not in whole]
    moved = ~mask & (signal > 0)
    return Gauge(
        mask=mask, exact={name: _rms(signal[places[name]]) for name in names}, noise={name: _rms(floor[places[name]]) for name in names},
        ran={name: _rms(own[places[name]]) for name in names}, found=tuple(whole), parts=tuple(some),
        known=tuple(name for name in names if name.endswith(KNOWN)),
        largest_within=float(ratio[mask].max()) if mask.any() else 0.0, least_without=float(ratio[moved].min()) if moved.any() else math.inf,
    )  # fmt: skip


def _gradient(shape: Shape, theta: npt.NDArray[Any], batch: data.Batch, attention: Any) -> Floats:
    import torch

    from thrifty.lenses.numerics.training.models.precision import Arithmetic

    held = torch.from_numpy(theta.copy()).requires_grad_(True)
    (grad,) = torch.autograd.grad(loss_of(shape)(named(held, shape), batch, shape, attention, Arithmetic()), held)
    return np.asarray(grad.numpy(), dtype=np.float64)


def _moved(theta: npt.NDArray[np.float32], draws: np.random.Generator) -> Floats:
    """Every weight one ulp of FP64 up or down."""
    exact = theta.astype(np.float64)
    return np.nextafter(exact, np.where(draws.random(len(exact)) < 0.5, -np.inf, np.inf))


def _shuffled(batch: data.Batch, draws: np.random.Generator) -> data.Batch:
    """The samples of a batch in another order, which a mean over them does not see."""
    order = draws.permutation(len(batch.inputs))
    labels, times = (None if each is None else each[order] for each in (batch.labels, batch.times))
    return data.Batch(batch.inputs[order], batch.targets[order], labels, times)


def _places(shape: Shape) -> dict[str, slice]:
    found, first = {}, 0
    for name, axes in parameters_of(shape).items():
        found[name] = slice(first, first + math.prod(axes))
        first += math.prod(axes)
    return found


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
