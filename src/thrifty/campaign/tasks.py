"""What a task is: a function with a name, a configuration as canonical JSON, a key and a seed that follow from them."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadValue, UnknownName

Function = Callable[[dict[str, Any], int], Any]
"""Called with (configuration, seed); answers a flat mapping of numbers and strings, or a list of such."""
KEY_DIGITS: Final = 32
"""Hexadecimal digits of a key: 128 bits, by which a campaign of 1e12 tasks has two alike with a chance of 1.5e-15."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all tasks of a campaign share. function: ``package.module:function``; version: raised by its author when what it answers changes."""

    function: str
    version: str
    seed: int

    def to_dict(self) -> dict[str, Any]:
        return {"function": self.function, "version": self.version, "seed": self.seed}

    def __str__(self) -> str:
        return f"{self.function} version {self.version} seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Task:
    """One configuration: its key, its canonical JSON and its seed."""

    key: str
    configuration: str
    seed: int


def canonical(configuration: Mapping[str, Any]) -> str:
    """`configuration` as JSON that is the same for equal ones: keys sorted, no blanks, NumPy's scalars and arrays as numbers and lists.

    1 and 1.0 differ, tuples are lists. Raises BadValue for what JSON does not hold: NaN, infinity, other objects, keys that are no strings.
    """
    if not isinstance(configuration, Mapping):
        raise BadValue(f"a configuration is a mapping of names to values, not {type(configuration).__name__}. Give a dict.")
    try:
        text = json.dumps(configuration, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        plain = all(type(name) is str for name in configuration) and "{" not in text[1:]
    except (TypeError, ValueError):
        plain = False
    if plain:
        return text
    return json.dumps(_jsonable(configuration, "configuration"), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _jsonable(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise BadValue(f"{where} has the key {name!r}, which is no string. Name values by strings.")
        return {str(name): _jsonable(each, f"{where}['{name}']") for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(each, f"{where}[{place}]") for place, each in enumerate(value)]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise BadValue(f"{where} is {value}, which JSON does not hold. Give a finite number or a string.")
        return value
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # a scalar or array of NumPy
        return _jsonable(value.tolist(), where)
    raise BadValue(f"{where} is of {type(value).__name__}, which JSON does not hold. Give numbers, strings, booleans, lists or mappings.")


def task_seed(configuration: Mapping[str, Any], seed: int = 0) -> int:
    """The seed that a task gets, from 0 to 2⁶³ − 1: a hash of `configuration` and the campaign's `seed`, whatever order, chunk or worker it runs in.

    It does not depend on the function, so that two versions of one see the same random numbers. Raises BadValue (see `canonical`).
    """
    return _seed(canonical(configuration), checked_seed(seed))


def _seed(configuration: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"thrifty.campaign.seed/1\n{seed}\n{configuration}".encode()).digest()[:8], "big") >> 1


def task_key(function: str | Function, configuration: Mapping[str, Any], *, seed: int = 0, version: str = "1") -> str:
    """The key of a task's result: 32 hexadecimal digits of the SHA-256 of function name, version, the campaign's seed and canonical configuration."""
    return _key(Identity(function=function_name(function), version=checked_version(version), seed=checked_seed(seed)), canonical(configuration))


def _key(identity: Identity, configuration: str) -> str:
    text = f"thrifty.campaign.key/1\n{identity.function}\n{identity.version}\n{identity.seed}\n{configuration}"
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def make_task(identity: Identity, configuration: Mapping[str, Any]) -> Task:
    """The task of `configuration`. Raises BadValue."""
    text = canonical(configuration)
    return Task(_key(identity, text), text, _seed(text, identity.seed))


def checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadValue(f"the seed of a campaign is a whole number, not {seed!r}. Give an int.")
    return seed


def checked_version(version: str) -> str:
    if not isinstance(version, str) or not version or "\n" in version:
        raise BadValue(f"the version of a function is a word, not {version!r}. Give a string such as '1'.")
    return version


def function_name(function: str | Function) -> str:
    """``package.module:function``, by which another process finds it. A script's own functions go by the name of its file.

    Raises BadValue for a lambda, a method or a function made inside another: nothing else in the key would tell two of them apart.
    """
    if isinstance(function, str):
        module, _, name = function.partition(":")
        if not module or not name or not all(part.isidentifier() for part in (*module.split("."), name)):
            raise BadValue(f"'{function}' names no function. Write package.module:function.")
        return function
    module, name = str(getattr(function, "__module__", "")), str(getattr(function, "__qualname__", ""))
    if not callable(function) or not module or not name.isidentifier():
        raise BadValue(f"{name or repr(function)} is no top-level function, so no name tells it apart. Define it with def in a module.")
    if module == "__main__":
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        module = str(spec.name) if spec is not None else Path(file).stem if file else module
    return f"{module}:{name}"


def find_function(function: str | Function) -> Function:
    """The callable of that name. Raises UnknownName where its module or it is not there."""
    if not isinstance(function, str):
        return function
    module, _, name = function_name(function).partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise UnknownName(f"no module named '{error.name}' for the task '{function}'. Install it, or name package.module:function.") from error
    if not callable(found):
        raise UnknownName(f"module '{module}' has no function '{name}'. Name package.module:function.")
    answer: Function = found
    return answer
