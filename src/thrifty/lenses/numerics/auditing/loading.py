"""Finds what is to be audited: a subject that comes along, or ``package.module:function`` of the user, and its inputs. Imports torch."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import BadZipFile

import numpy as np

from thrifty.errors import BadFile, BadValue, UnknownName, unknown_name
from thrifty.lenses.numerics.auditing.subjects import SUBJECTS
from thrifty.plugins import import_here

LIST = "thrifty numerics audit --list"


def load(said: str, seed: int = 0) -> tuple[Any, Any, Any, tuple[str, str]]:
    """(subject, baseline or None, inputs or None, names). Raises UnknownName, BadValue."""
    if said in SUBJECTS:
        known = SUBJECTS[said]
        subject, baseline = known.make(seed)
        return subject, baseline, known.inputs(seed), known.names
    if ":" not in said:
        raise unknown_name("subject", said, SUBJECTS, f"{LIST}, or write package.module:function")
    module, found = load_function(said)
    return found, None, _own_inputs(module, found, seed), (said.partition(":")[2], "")


def load_function(said: str) -> tuple[ModuleType, Any]:
    """The object that ``package.module:function`` names, from the current folder or what is installed; importing runs the module."""
    name, colon, attribute = said.partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in [*name.split("."), *attribute.split(".")]):
        raise BadValue(f"'{said}' is not written as package.module:function.")
    try:
        module = import_here(name)
    except ModuleNotFoundError as why:
        if why.name is not None and (name == why.name or name.startswith(f"{why.name}.")):
            raise UnknownName(f"No module named '{name}' in {Path.cwd()} or among installed packages. Write package.module:function.") from None
        raise BadValue(f"module '{name}' needs '{why.name}', which is not installed.") from None
    except (Exception, SystemExit) as why:
        raise BadValue(f"module '{name}' cannot be imported: {type(why).__name__}: {(str(why).splitlines() or [''])[0]}") from why
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [each for each in dir(module) if not each.startswith("_")]
            raise unknown_name(f"function of {name}", attribute, known, f"python -c 'import {name}; help({name})'")
        found = getattr(found, part)
    if isinstance(found, type) or not callable(found):
        raise BadValue(f"'{said}' is {'a class' if isinstance(found, type) else f'of type {type(found).__name__}'}. Name a function or a module made of it.")
    return module, found


def _own_inputs(module: ModuleType, found: Any, seed: int) -> Any:
    """What ``make_inputs`` of the function, or of its file, gives."""
    make = getattr(found, "make_inputs", None) or getattr(module, "make_inputs", None)
    if make is None:
        return None
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            takes = inspect.signature(make).parameters
            made = make(seed) if takes else make()
        except (Exception, SystemExit) as why:
            said = (str(why).splitlines() or ["no message"])[0]
            raise BadValue(f"make_inputs raised {type(why).__name__}: {said}. It takes nothing or a seed, and gives what the subject is called with.") from why
    return made if isinstance(made, tuple | list | dict) else (made,)


def read_inputs(path: Path, subject: Any) -> Any:
    """Arrays of an .npz file: by name where the subject has parameters of all those names, else in the file's order. Raises BadFile."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (OSError, ValueError, BadZipFile, AttributeError, KeyError) as why:
        raise BadFile(f"inputs '{path}' cannot be read: {(str(why).splitlines() or [type(why).__name__])[0]}. Give arrays written by numpy.savez.") from None
    if not arrays:
        raise BadFile(f"inputs '{path}' holds no arrays. Write some with numpy.savez.")
    try:
        known = set(inspect.signature(getattr(subject, "forward", subject)).parameters)
    except (TypeError, ValueError):
        known = set()
    return arrays if set(arrays) <= known else tuple(arrays.values())
