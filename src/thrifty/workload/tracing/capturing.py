"""Runs one step of a module and gives back a Workload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch._subclasses.fake_tensor import FakeTensor

from thrifty.errors import BadValue, CaptureError
from thrifty.formats import format_of_torch
from thrifty.workload.model import Workload
from thrifty.workload.tracing.provenance import guess_axes
from thrifty.workload.tracing.taping import Recording, record


def unwrap(module: torch.nn.Module) -> torch.nn.Module:
    """The original behind `torch.compile` and `DataParallel`: kernels are the same work, and their wrappers hide it."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner


def loss_of(result: Any) -> torch.Tensor:
    """The loss in what a module returned: its `loss`, or the result itself where that is one number."""
    loss = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
    loss = result if loss is None else loss
    if isinstance(loss, (tuple, list)) and loss:
        loss = loss[0]
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise BadValue("the module returned no loss to train on. Pass loss=, a function from its result to one number.")
    return loss


def training_step(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], optimizer: torch.optim.Optimizer,
    loss: Callable[[Any], torch.Tensor] | None,
) -> Callable[[], Any]:  # fmt: skip
    """A function that does forward, loss, backward, optimizer step and zero_grad once."""

    def step() -> Any:
        value = (loss or loss_of)(module(*args, **kwargs))
        value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return value.detach()

    return step


def settle(optimizer: torch.optim.Optimizer) -> None:
    """Make the optimizer's state exist, so that the recorded step is like every later one. Weights stay as they are."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if rate is None:
            del group["lr"]
        else:
            group["lr"] = rate


@contextmanager
def left_as_it_was(module: torch.nn.Module, optimizer: torch.optim.Optimizer | None) -> Iterator[None]:
    """A training step inside the block leaves weights, buffers, gradients and optimizer state as they were. Costs a copy of what is real."""
    parameters = list(module.parameters())
    kept = [(t, None if t.is_meta or isinstance(t, FakeTensor) else t.detach().clone()) for t in (*parameters, *module.buffers())]
    gradients = [parameter.grad for parameter in parameters]
    state = {key: {name: _copy(value) for name, value in values.items()} for key, values in optimizer.state.items()} if optimizer else {}
    for parameter in parameters:
        parameter.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, copy in kept:
                if copy is not None:
                    tensor.copy_(copy)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        if optimizer is not None:
            optimizer.state.clear()
            optimizer.state.update(state)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def record_step(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, training: bool, clock: bool = False,
    optimizer: torch.optim.Optimizer | None = None, loss: Callable[[Any], torch.Tensor] | None = None,
) -> Recording:  # fmt: skip
    """Record one inference or training step. In training, AdamW unless an optimizer is given; the step is really done.

    Raises BadValue where there is nothing to train.
    """
    if training:
        trainable = [p for p in module.parameters() if p.requires_grad]
        if not trainable:
            raise BadValue(f"{type(module).__name__} has no parameter that requires a gradient, so there is nothing to train. Choose phase='forward'.")
        chosen = optimizer or torch.optim.AdamW(trainable)
        if not chosen.state:
            settle(chosen)
        return record(training_step(module, args, kwargs, chosen, loss), module, inputs=(args, dict(kwargs)), optimizer=chosen, clock=clock)
    with torch.no_grad():
        return record(lambda: module(*args, **kwargs), module, inputs=(args, dict(kwargs)), clock=clock)


def module_format(module: torch.nn.Module) -> str:
    """The format that most of a module's weights are in ("fp32" where it has none)."""
    sizes: dict[torch.dtype, int] = {}
    for parameter in module.parameters():
        sizes[parameter.dtype] = sizes.get(parameter.dtype, 0) + parameter.numel()
    return format_of_torch(max(sizes, key=lambda d: sizes[d])).name if sizes else "fp32"


def where_it_ran(module: torch.nn.Module, inputs: Iterable[Any] = ()) -> str:
    """"meta", "fake", "cpu" or "cuda", as the reader would say it: where its weights are, else its buffers, else what it is fed."""
    tensor = next((t for t in (*module.parameters(), *module.buffers(), *inputs) if isinstance(t, torch.Tensor)), None)
    if tensor is None:
        return "cpu"
    return "fake" if isinstance(tensor, FakeTensor) else str(tensor.device.type)


def capture(
    module: torch.nn.Module, *args: Any, phase: Literal["forward", "training"] = "forward", loss: Callable[[Any], torch.Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None, name: str | None = None, **kwargs: Any,
) -> Workload:  # fmt: skip
    """Record what `module(*args, **kwargs)` does, on whatever tensors it is given (meta, fake, CPU, CUDA), without changing it.

    Meta tensors have no values: a module that asks whether all of a mask holds is told yes, whether any of it does, no. Inputs whose axes nobody named
    (`name_axes`) count as laid out as torch's layers take them, and every attention is told by the axes that became its sequences.

    phase     : "training" adds backward from the loss (the result's `.loss`, a one-number result, or `loss(result)`) and an optimizer step (AdamW
                unless `optimizer` is given); its state exists already, as in every step but the first. Weights, buffers, gradients and the
                optimizer are put back as they were
    Returns a Workload at this one point. A compiled module is captured through its original.
    Raises CaptureError, with the module's own words, where the module fails on these tensors.
    """
    if phase not in ("forward", "training"):
        raise BadValue(f"phase='{phase}' cannot be captured from a bare module. Choose forward or training.")
    original = unwrap(module)
    notes = ("captured through the module behind torch.compile or DataParallel",) if original is not module else ()
    from thrifty.workload.building.meta import MetaAnswers

    where = where_it_ran(original, (*args, *kwargs.values()))
    try:
        with guess_axes(args, kwargs), MetaAnswers() if where == "meta" else nullcontext():
            if phase == "training":
                with torch.inference_mode(False), torch.enable_grad(), left_as_it_was(original, optimizer):
                    recording = record_step(original, args, kwargs, training=True, optimizer=optimizer, loss=loss)
            else:
                recording = record_step(original, args, kwargs, training=False)
    except (BadValue, CaptureError):
        raise
    except Exception as error:  # whatever a user's module raises
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise CaptureError(f"{type(original).__name__} failed on {where} tensors: {first}. Give it inputs that it runs on.") from error
    parameters = list(original.parameters())
    return Workload(
        name=name or type(original).__name__, phase=phase, format=module_format(original), point={}, table=recording.table,
        parameters=sum(p.numel() for p in parameters), weight_bytes=sum(p.numel() * p.element_size() for p in parameters),
        origin=f"captured on {where} tensors", notes=notes,
    )  # fmt: skip
