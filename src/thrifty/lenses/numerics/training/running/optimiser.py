"""AdamW (Loshchilov and Hutter 2019) over one flat vector: bit for bit torch's own in FP32; every result rounded in a pure low-precision run."""

from __future__ import annotations

import math
from typing import Any, Final

import torch

from thrifty.lenses.numerics.training.models.precision import Round

Tensor = Any
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
DECAY: Final = 0.01
WARM_UP: Final = 50
"""Steps in which the rate grows evenly to its full size; constant after."""


class AdamW:
    """theta: (parameters,) changed in place; decay: (parameters,) 1 where weight decay acts; to: None, or how every result is kept."""

    def __init__(self, theta: Tensor, decay: Tensor, rate: float, to: Round | None = None, warm_up: int = WARM_UP) -> None:
        self.theta, self.rate, self.to, self.taken, self.warm_up = theta, rate, to, 0, warm_up
        self.decay = decay
        self.first, self.second = torch.zeros_like(theta), torch.zeros_like(theta)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, grad: Tensor) -> None:
        """One update by a gradient of theta's shape."""
        self.taken += 1
        rate = self.rate * min(1.0, self.taken / self.warm_up)
        one, two = 1 - BETA1**self.taken, math.sqrt(1 - BETA2**self.taken)
        if self.to is None:
            self.theta.mul_(1 - rate * DECAY * self.decay)
            self.first.lerp_(grad, 1 - BETA1)
            self.second.mul_(BETA2).addcmul_(grad, grad, value=1 - BETA2)
            self.theta.addcdiv_(self.first, (self.second.sqrt() / two).add_(EPSILON), value=-rate / one)
            return
        to = self.to
        grad = to(grad)
        self.theta.copy_(to(self.theta * to(1 - rate * DECAY * self.decay)))
        self.first.copy_(to(to(BETA1 * self.first) + to((1 - BETA1) * grad)))
        self.second.copy_(to(to(BETA2 * self.second) + to((1 - BETA2) * to(grad * grad))))
        below = to(to(to(self.second.sqrt()) / two) + EPSILON)
        self.theta.copy_(to(self.theta - to(rate / one * to(self.first / below))))
