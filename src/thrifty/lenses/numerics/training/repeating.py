"""The mechanism behind a real failure of BF16 attention in training, demonstrated: repeated maxima (Qiu and Yao 2025, arXiv 2510.04212).

Where a row of scores holds its maximum several times, P is exactly 1 there, and PV adds BF16 values whole. The sum of two of one sign needs a bit more than
BF16 has, so half of such sums lie on a tie; what little the other keys add pushes all of them off it to the same side. The error in O has a sign,
so has that in D = rowsum(dO·O), and the error in the gradient of W_Q points the same way step after step instead of cancelling. It takes one tile only:
it is no matter of tiling. The fix moves the maximum that is subtracted (policy option repeated_max), so that P is no power of two any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.lenses.numerics.mechanism import Bias, Coherence, bias_of, coherence, repeats_of
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.progress import Progress

BETA: Final = 2.0
"""Factor of the fix. Qiu and Yao take 2 to 8; e^((1 - beta) m) must stay within FP32's exponents, and maxima here are near 17: at 7 all of P would vanish."""
LEAST_STEPS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One policy over all steps, held against exact attention on the same weights and inputs.

    output, dsum : lean of the errors of O, and of D = rowsum(dO·O);  gradient : how the errors of the gradient of W_Q add up
    loss         : of the last tenth of steps when the model is trained with this policy itself
    """

    policy: Policy
    hash: str
    output: Bias
    dsum: Bias
    gradient: Coherence
    loss: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.to_dict(), "hash": self.hash, "output": self.output.to_dict(), "dsum": self.dsum.to_dict(),
            "gradient": self.gradient.to_dict(), "loss": self.loss,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedMaxima:
    """repeated : share of rows whose maximum, as BF16 stores it, stands more than once; exact_loss : of training with exact attention;
    watched : "broken" and "fixed"."""

    steps: int
    seed: int
    format: str
    beta: float
    repeated: float
    exact_loss: float
    watched: Mapping[str, Watched]

    @property
    def shown(self) -> bool:
        """The mechanism is at work in the broken policy and not in the fixed one."""
        broken, fixed = self.watched["broken"], self.watched["fixed"]
        return broken.output.leans and broken.gradient.coherent and not fixed.output.leans and not fixed.gradient.coherent

    @property
    def failed(self) -> bool:
        """Training itself went wrong: the broken policy's loss is above twice that of exact attention, or no number."""
        loss = self.watched["broken"].loss
        return loss is None or loss > 2 * self.exact_loss

    def to_dict(self) -> dict[str, Any]:
        return {
            "truth": "measured", "steps": self.steps, "seed": self.seed, "format": self.format, "beta": self.beta, "repeated_share": self.repeated,
            "exact_loss": self.exact_loss, "shown": self.shown, "training_failed": self.failed,
            **{name: each.to_dict() for name, each in self.watched.items()},
        }  # fmt: skip


def policies(beta: float = BETA) -> dict[str, Policy]:
    """broken: Flash 2's kernel whose PV is stored in the working format; fixed: the same with the option."""
    broken = as_policy("fa2_kernel").override("pv.store=dt")
    return {"broken": broken, "fixed": broken.override(f"option.repeated_max={beta:g}")}


def repeated_maxima(*, steps: int = 200, seed: int = 0, format: str = "bf16", beta: float = BETA, progress: Progress | None = None) -> RepeatedMaxima:
    """Train a model whose rows hold their maxima twice, with exact attention, and at each step compute the same gradient with BF16 attention.

    steps : 8 or more; beta: of the fix. Also trains it with either policy, to say whether anything comes of it. Raises BadValue, MissingExtra.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < LEAST_STEPS:
        raise BadValue(f"steps={steps!r} must be a whole number of at least {LEAST_STEPS}.")
    if isinstance(beta, bool) or not 1 < beta <= 64:
        raise BadValue(f"beta={beta!r} must be a number above 1 and up to 64; 2 to 8 are usual.")
    from thrifty.lenses.numerics.training.running.runs import machine, one_thread

    machine()  # which says so where torch is not there
    asked = policies(beta)
    with one_thread():
        found, exact_loss, repeated = _watch(asked, steps, seed, format, progress)
        losses = {name: _alone(asked[name], steps, seed, format) for name in found}
    watched = {
        name: Watched(
            policy=asked[name], hash=asked[name].hash(format), output=bias_of(np.concatenate(outs)), dsum=bias_of(np.concatenate(dsums)),
            gradient=coherence(np.stack(errors)), loss=losses[name],
        )
        for name, (outs, dsums, errors) in found.items()
    }  # fmt: skip
    return RepeatedMaxima(steps=steps, seed=seed, format=format, beta=beta, repeated=repeated, exact_loss=exact_loss, watched=watched)


def _watch(asked: Mapping[str, Policy], steps: int, seed: int, format: str, progress: Progress | None) -> tuple[dict[str, Any], float, float]:
    """Policy → errors of O, of D and of W_Q's gradient, a list entry a step; last loss and share of rows with repeated maxima."""
    import torch

    from thrifty.formats import round_to
    from thrifty.lenses.numerics.training import paired_keys as model

    held, draw = model.weights(seed), model.batches(seed)
    adam = torch.optim.AdamW(list(held.values()), lr=model.RATE)
    found: dict[str, Any] = {name: ([], [], []) for name in asked}
    shares, losses = [], []
    for step in range(steps):
        drawn = draw()
        exact = model.seen(held, drawn, None, format)
        *grads, dout = torch.autograd.grad(exact.loss, [*held.values(), exact.out])
        query = dict(zip(held, grads, strict=True))["query"]
        for name, (outs, dsums, errors) in found.items():
            other = model.seen(held, drawn, asked[name], format)
            (grad,) = torch.autograd.grad(other.loss, [held["query"]])
            apart = model.array(other.out) - model.array(exact.out)
            outs.append(apart.ravel())
            dsums.append((apart * model.array(dout)).sum(axis=-1).ravel())
            errors.append(model.array(grad) - model.array(query))
            if not np.isfinite(errors[-1]).all():
                raise BadValue(f"with beta={asked[name].options.repeated_max:g} all of P vanishes at step {step}: maxima are too large. Take a smaller beta.")
        scores = model.array(exact.q) @ np.swapaxes(model.array(exact.k), -1, -2)
        shares.append(repeats_of(round_to(scores, format, overflow="saturate")).share)
        for each, grad in zip(held.values(), grads, strict=True):
            each.grad = grad
        adam.step()
        losses.append(exact.loss.item())
        if progress is not None:
            progress(f"repeated maxima: step {step + 1} of {steps}", 0.6 * (step + 1) / steps)
    return found, float(np.mean(losses[-max(1, steps // 10) :])), float(np.mean(shares))


def _alone(policy: Policy, steps: int, seed: int, format: str) -> float | None:
    """Loss of the last tenth of steps, trained with this policy; None where it is no number."""
    import torch

    from thrifty.lenses.numerics.training import paired_keys as model

    held, draw, losses = model.weights(seed), model.batches(seed), []
    adam = torch.optim.AdamW(list(held.values()), lr=model.RATE)
    for _ in range(steps):
        one = model.seen(held, draw(), policy, format)
        for each, grad in zip(held.values(), torch.autograd.grad(one.loss, list(held.values())), strict=True):
            each.grad = grad
        adam.step()
        losses.append(one.loss.item())
    last = float(np.mean(losses[-max(1, steps // 10) :]))
    return last if np.isfinite(last) else None
