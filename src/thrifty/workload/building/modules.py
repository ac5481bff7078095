"""Builds torch modules: on meta without allocating, on a device with random weights. Never the network, never a model's own code."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from thrifty.errors import BadValue, NoRoom, missing_extra
from thrifty.formats import get_format
from thrifty.quantities import show
from thrifty.workload.building.blueprint import Blueprint, blueprint_of
from thrifty.workload.building.wording import first_line
from thrifty.workload.entry import Entry

if TYPE_CHECKING:
    import torch

TORCH_FORMATS: Final = ("fp64", "fp32", "fp16", "bf16")
"""Formats in which torch runs a whole model."""

_DTYPES: Final = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_BLOCK: Final = 1 << 20
"""Random numbers drawn for weights; larger tensors repeat them: speed does not depend on the values, and drawing billions takes minutes."""


def dtype_of(format_name: str) -> torch.dtype:
    """The torch dtype of a format. Raises BadValue for one in which torch cannot run a whole model."""
    import torch

    name = get_format(format_name).name
    if name not in _DTYPES:
        raise BadValue(f"format='{name}' cannot be run by torch as a whole model. Choose from: {', '.join(TORCH_FORMATS)}.")
    dtype: torch.dtype = getattr(torch, _DTYPES[name])
    return dtype


def torch_class_of(blueprint: Blueprint) -> type[torch.nn.Module]:
    """Import the class that a blueprint names. Raises MissingExtra where its package is not installed."""
    path, _, name = blueprint.torch_class.rpartition(".")
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise missing_extra(f"Building '{blueprint.name}'", (error.name or path).partition(".")[0], "models") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise BadValue(f"'{blueprint.torch_class}', the torch class of '{blueprint.name}', is not in the installed {path}. Install a newer {path}.")
    return found


def config_of(blueprint: Blueprint) -> Any:
    """The configuration object of a transformers model, None for any other class."""
    maker = getattr(torch_class_of(blueprint), "config_class", None)
    if maker is None:
        return None
    with quiet():
        return maker.from_dict(dict(blueprint.config))


def build_module(what: Entry | Blueprint, *, device: str = "meta", format: str = "fp32", seed: int = 0, fill: bool = True) -> torch.nn.Module:
    """Build a module in evaluation mode: on "meta" without allocating, else with normal random weights of variance 1 / fan-in
    (activations keep their size, so that no kernel meets infinities or denormal numbers, which are slow).

    fill   : False leaves weights as allocated, for whoever loads them next
    Raises BadValue (no torch class, a format that torch cannot run, a parameter count that differs from what is stated), NoRoom, MissingExtra.
    """
    blueprint = blueprint_of(what) if isinstance(what, Entry) else what
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise missing_extra(f"Building '{blueprint.name}'", "torch", "torch") from error
    if device != "meta":
        check_room(blueprint, device, format)
    module = construct(blueprint, device, format)
    if fill and device != "meta":
        fill_random(module, seed)
    return module


def construct(blueprint: Blueprint, device: str, format_name: str) -> torch.nn.Module:
    """The module in evaluation mode, its weights allocated but not set."""
    import torch

    dtype, cls, config = dtype_of(format_name), torch_class_of(blueprint), config_of(blueprint)
    before = torch.get_default_dtype()
    try:
        with quiet(), torch.device(device), without_drawing():
            if config is not None:
                attention = "sdpa" if getattr(cls, "_supports_sdpa", False) else None
                module: torch.nn.Module = cls._from_config(config, attn_implementation=attention, dtype=dtype)
            else:
                torch.set_default_dtype(dtype)
                module = cls(**blueprint.config)
    except Exception as error:  # whatever a class raises at sizes that do not go together
        reason = first_line(error)
        raise BadValue(f"'{blueprint.name}' cannot be built as {blueprint.torch_class}: {reason}. Mend its configuration.") from error
    finally:
        torch.set_default_dtype(before)
    check_count(blueprint, module, blueprint.torch_class)
    return module.eval()


def check_count(blueprint: Blueprint, module: torch.nn.Module, owner: object) -> None:
    """Raise BadValue where a module has another number of parameters than its blueprint states."""
    count = sum(parameter.numel() for parameter in module.parameters())
    if blueprint.parameters is not None and count != blueprint.parameters:
        raise BadValue(f"'{blueprint.name}' is stated to have {blueprint.parameters} parameters, but {owner} has {count}. Mend its sheet.")


def check_room(blueprint: Blueprint, device: str, format_name: str) -> None:
    """Raise NoRoom where the weights alone exceed what the device has free. Counts on meta first: a machine must not swap to find out."""
    import torch

    module = construct(blueprint, "meta", format_name)
    needed = sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
    if torch.device(device).type == "cuda":
        free = int(torch.cuda.mem_get_info(torch.device(device))[0])
    else:
        import psutil

        free = int(psutil.virtual_memory().available)
    if needed > free:
        raise NoRoom(
            f"'{blueprint.name}' needs {show(needed, 'B')} for its weights in {format_name}, and {show(free, 'B')} are free on {device}. "
            "Choose a smaller workload or format."
        )


def fill_random(module: torch.nn.Module, seed: int) -> None:
    """Give every matrix, kernel and table normal random values of variance 1 / fan-in; vectors (biases, norms) keep what their constructor set."""
    import torch

    blocks: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}
    drawn = 0
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() < 2 or not parameter.is_floating_point():
                continue
            key = (parameter.device, parameter.dtype)
            if key not in blocks:
                generator = torch.Generator().manual_seed(seed)
                blocks[key] = torch.randn(_BLOCK, generator=generator).to(parameter.device, parameter.dtype)
            block = blocks[key]
            fan_in = parameter.shape[-1] if parameter.dim() < 4 else parameter[0].numel()
            flat = parameter.view(-1) if parameter.is_contiguous() else parameter.data.as_strided((parameter.numel(),), (1,))
            start = 0
            while start < flat.numel():  # on from where the last tensor ended, so that no two begin alike
                count = min(flat.numel() - start, _BLOCK - drawn)
                torch.mul(block[drawn : drawn + count], fan_in**-0.5, out=flat[start : start + count])
                start, drawn = start + count, (drawn + count) % _BLOCK


_DRAWS: Final = frozenset(
    ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "orthogonal_")
)


@contextmanager
def without_drawing() -> Iterator[None]:
    """Constructors draw no random weights: they are filled or loaded afterwards, and drawing them is most of the time that a constructor takes."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__name__", "") in _DRAWS:
                tensor = args[0] if args else kwargs["tensor"]
                if isinstance(tensor, torch.nn.Parameter) and tensor.dim() >= 2:  # what `fill_random` gives values to
                    if func.__name__ == "normal_":  # the mean lies within the bounds that `trunc_normal_` would draw again and again to meet
                        with torch.no_grad():
                            tensor.fill_(args[1] if len(args) > 1 else kwargs.get("mean", 0.0))
                    return tensor
            return func(*args, **kwargs)

    with Skip():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """transformers says nothing on stderr: no advice about token ids, no progress bars of its own."""
    try:
        from transformers.utils import logging
    except ModuleNotFoundError:
        yield
        return
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


Mode = Literal["evaluation", "training"]


def set_mode(module: torch.nn.Module, mode: Mode) -> torch.nn.Module:
    """Training mode here leaves dropout out and lets batch norms take the statistics of their batch; evaluation mode does neither."""
    import torch

    module.eval()
    if mode == "training":
        for part in module.modules():
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                part.train()
    return module
