"""A user's own module, named as package.module:callable.

The callable returns a module, or a module and its inputs. It takes nothing, or whole numbers with defaults, which are the sizes that can be changed:

    def build(batch=1, image=64):
        return module                       # it is called as module(**module.example_inputs) or module(*module.example_inputs)
        return module, inputs               # inputs: a tuple (positional), a dictionary (by name) or one tensor
        return module, args, kwargs         # both

A class works as well as a function. Inputs may be on meta, CPU or CUDA, as long as the module is there too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thrifty.errors import BadValue, missing_extra
from thrifty.plugins import import_here
from thrifty.workload.building.wording import first_line

if TYPE_CHECKING:
    import torch

_SHAPES = "a torch module, or (module, inputs), or (module, args, kwargs)"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModule:
    """A module and one set of inputs, made by a user's callable."""

    name: str
    module: torch.nn.Module
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def is_callable_name(name: str) -> bool:
    """Whether `name` reads as package.module:callable."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def user_callable(name: str) -> Callable[[], Any]:
    """Import what `name` points to; the current folder counts. Raises BadValue where there is no such module or callable."""
    path, _, attribute = name.partition(":")
    try:
        module = import_here(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            raise BadValue(f"there is no module '{path}' to take '{attribute}' from. Run from its folder, or install it.") from error
        raise BadValue(f"importing '{path}' fails: no module named '{error.name}'. Install it.") from error
    except Exception as error:  # whatever a user's module does when it is imported
        raise BadValue(f"importing '{path}' fails: {first_line(error)}. Mend it.") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise BadValue(f"module '{path}' has no callable '{attribute}'. Name a function that returns {_SHAPES}.")
    return found  # type: ignore[no-any-return]


def build_user_module(name: str, sizes: Mapping[str, int] | None = None) -> UserModule:
    """Call a user's callable with `sizes` and sort out what it returned. Raises BadValue, with the callable's own words, where it fails."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_extra(f"Building '{name}'", "torch", "torch") from error
    made = user_callable(name)
    try:
        result = made(**(sizes or {}))
    except Exception as error:
        raise BadValue(f"'{name}' fails when it is called with {_sizes(sizes)}: {first_line(error)}. It must return {_SHAPES}.") from error
    parts = result if isinstance(result, tuple) else (result,)
    if not parts or not isinstance(parts[0], torch.nn.Module) or len(parts) > 3:
        raise BadValue(f"'{name}' returned {_describe(result)}. It must return {_SHAPES}.")
    if len(parts) == 1:
        parts = (parts[0], getattr(parts[0], "example_inputs", ()))
    if len(parts) == 3:
        if not isinstance(parts[1], (tuple, list)) or not isinstance(parts[2], Mapping):
            raise BadValue(f"'{name}' returned {_describe(result)}. Of three, args must be a tuple and kwargs a dictionary.")
        return UserModule(name=name, module=parts[0], args=tuple(parts[1]), kwargs=dict(parts[2]))
    inputs = parts[1]
    if isinstance(inputs, Mapping):
        return UserModule(name=name, module=parts[0], kwargs=dict(inputs))
    return UserModule(name=name, module=parts[0], args=tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,))


def _sizes(sizes: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items()) if sizes else "no arguments"


def _describe(result: Any) -> str:
    if isinstance(result, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in result) or 'nothing'}"
    return f"an object of type {type(result).__name__}"
