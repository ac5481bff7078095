"""One run: a model trained from its seed, its weights kept at every snapshot. A task of a campaign: the same configuration gives the same bits.

One thread, own draws for initialisation, data and noise. The bits are those of this machine's FP32 products, so a configuration names the machine's
arithmetic, and runs of different machines are never paired.
"""

from __future__ import annotations

import base64
import hashlib
import math
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import missing_extra
from thrifty.lenses.numerics.training.models import data
from thrifty.lenses.numerics.training.models.shapes import MODELS, Shape, decays, initial, parameters_of

TASK: Final = "thrifty.lenses.numerics.training.running.runs:train"
SCALE: Final = 1024.0
"""Factor of the loss in formats whose exponents end soon (FP16 and below), taken out of the weights' gradient again in FP32."""
NUDGED: Final = "block0.up.weight"
"""The matrix whose middle element starts one ulp larger in the run that measures the chaos floor. It is multiplied in FP32: in a matrix before attention, the
rounding of queries and keys to a short format would swallow the ulp."""
Words = npt.NDArray[np.float32]


def machine() -> dict[str, str]:
    """What this machine's FP32 products depend on. Raises MissingExtra without torch."""
    try:
        import torch
    except ImportError:
        raise missing_extra("A training study", "torch", "study") from None
    return {"machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}", "torch": str(torch.__version__), "numpy": np.__version__}


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch's sums in one order, whatever the machine has to spare."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def loss_of(shape: Shape) -> Callable[..., Any]:
    """The model's ``loss(weights, batch, shape, attention, arithmetic)``."""
    if shape.name == "digits":
        from thrifty.lenses.numerics.training.models.diffusion import loss
    else:
        from thrifty.lenses.numerics.training.models.language import loss
    return loss


def named(theta: Any, shape: Shape) -> dict[str, Any]:
    """Parameters by name as views of the flat vector; one split, so that their gradients are joined once."""
    tensors = parameters_of(shape)
    parts = theta.split([math.prod(axes) for axes in tensors.values()])
    return {name: part.view(axes) for (name, axes), part in zip(tensors.items(), parts, strict=True)}


def start(shape: Shape, init: int, nudge: str = "") -> Words:
    """All parameters before the first step; nudge "ulp": the middle element of `NUDGED` one ulp away from zero."""
    theta = initial(shape, init)
    if nudge == "ulp":
        first = 0
        for name, axes in parameters_of(shape).items():
            if name == NUDGED:
                break
            first += math.prod(axes)
        place = first + math.prod(axes) // 2
        theta[place] = np.nextafter(theta[place], np.float32(math.copysign(math.inf, theta[place])), dtype=np.float32)
    return theta


def train(configuration: Mapping[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """A row a snapshot: step, training loss since the last, validation loss, all weights (base64 of little-endian FP32) and their hash.

    Training ends where weights are no numbers any more; `diverged` is that step, and rows end before it.
    """
    with one_thread():
        return _train(configuration)


def _train(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    import torch

    from thrifty.lenses.numerics.training.models.precision import Arithmetic
    from thrifty.lenses.numerics.training.running.attending import attention_of
    from thrifty.lenses.numerics.training.running.optimiser import AdamW

    shape, how = MODELS[said["model"]], Arithmetic(said["variant"], said["format"])
    attention, loss = attention_of(said["attention"], shape), loss_of(shape)
    theta = torch.from_numpy(start(shape, said["init"], said["nudge"]))
    pure = how.to if said["variant"] == "pure" else None
    if pure is not None:
        theta = pure(theta)
    theta.requires_grad_(True)
    adam = AdamW(theta, torch.from_numpy(decays(shape)), shape.learning, pure)
    scale = SCALE if said["variant"] != "fp32" and _short(said["format"]) else 1.0
    held, batches = data.validation(shape, said["text"]), data.training(shape, said["text"], said["order"])

    def validated() -> float:
        with torch.no_grad():
            return float(np.mean([loss(named(theta, shape), batch, shape, attention, how).item() for batch in held]))

    rows = [_row(0, None, validated(), theta)]
    losses: list[float] = []
    for step in range(1, said["steps"] + 1):
        value = loss(named(theta, shape), next(batches), shape, attention, how)
        (grad,) = torch.autograd.grad(value * scale if scale != 1 else value, theta)
        adam.step(grad / scale if scale != 1 else grad)
        losses.append(value.item())
        if not math.isfinite(losses[-1]) or (step % said["every"] == 0 and not bool(torch.isfinite(theta).all())):
            rows[-1]["diverged"] = step
            break
        if step % said["every"] == 0:
            rows.append(_row(step, float(np.mean(losses)), validated(), theta))
            losses = []
    return rows


def _short(format: str) -> bool:
    from thrifty.formats import float_spec

    return float_spec(format).smallest_normal > 1e-6


def _row(step: int, trained: float | None, validated: float, theta: Any) -> dict[str, Any]:
    raw = theta.detach().numpy().astype("<f4").tobytes()
    return {
        "step": step, "training_loss": trained, "validation_loss": validated if math.isfinite(validated) else None, "diverged": None,
        "digest": hashlib.sha256(raw).hexdigest()[:16], "weights": base64.b64encode(raw).decode(),
    }  # fmt: skip


def weights_of(row: Mapping[str, Any]) -> Words:
    """The flat vector of a row."""
    return np.frombuffer(base64.b64decode(row["weights"]), dtype="<f4").astype(np.float32)
