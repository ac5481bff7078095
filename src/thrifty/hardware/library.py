"""Finds devices, systems and sites by name: this machine, the catalogue, a user's own file, or a package that brings some.

A package adds its own by entry points in the group `thrifty.devices`: the name is what users say, the object a Device, a System or a Site, or a
function without arguments that makes one.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeVar

from thrifty.errors import BadFile, unknown_name
from thrifty.hardware.device import Device, Site, System
from thrifty.hardware.sheets import read_device, read_site, read_system
from thrifty.plugins import load_plugins

THIS_MACHINE: Final = "this-machine"
THIS_CUDA: Final = "this-machine-cuda"
_LIST_DEVICES: Final = "thrifty hardware list"
_LIST_SITES: Final = "thrifty hardware sites"
_GROUP: Final = "thrifty.devices"
_Noun = TypeVar("_Noun", Device, System, Site)


def load(name: str) -> Device:
    """The device called `name`: ``this-machine`` or ``this-machine-cuda`` (calibrated), a name of the catalogue, the path of your own ``.toml``, or
    one that a package brings. The last letter of a memory's size may be left out: a100-80g is a100-80gb.

    Raises UnknownName with the nearest name, BadFile or BadSheet for a file that breaks a rule.
    """
    if name in (THIS_MACHINE, THIS_CUDA):
        from thrifty.hardware.host import this_machine

        return this_machine("cpu" if name == THIS_MACHINE else "cuda")
    if _is_path(name):
        return read_device(Path(name))
    key = name.lower()
    key += "b" if key.endswith("g") and f"{key}b" in _stems("devices") else ""
    if key in _stems("devices"):
        return _catalogue_device(key)
    added = _added(Device)
    if name in added:
        return added[name]
    raise unknown_name("device", name, (*device_names(), THIS_MACHINE), _LIST_DEVICES)


def load_system(name: str) -> System:
    """The system called `name` in the catalogue, in your own ``.toml``, or one a package brings. Raises like `load`."""
    if _is_path(name):
        return read_system(Path(name), load)
    key = name.lower()
    if key in _stems("systems"):
        return _catalogue_system(key)
    added = _added(System)
    if name in added:
        return added[name]
    raise unknown_name("system", name, system_names(), _LIST_DEVICES)


def load_site(name: str) -> Site:
    """The site called `name` in the catalogue, in your own ``.toml``, or one a package brings. Raises like `load`."""
    if _is_path(name):
        return read_site(Path(name))
    key = name.lower()
    if key in _stems("sites"):
        return _catalogue_site(key)
    added = _added(Site)
    if name in added:
        return added[name]
    raise unknown_name("site", name, site_names(), _LIST_SITES)


def device_names() -> tuple[str, ...]:
    """Every device of the catalogue and of installed packages, sorted. (`this-machine` is one more, made when asked for.)"""
    return tuple(sorted({*_stems("devices"), *_added(Device)}))


def system_names() -> tuple[str, ...]:
    """Every system of the catalogue and of installed packages, sorted."""
    return tuple(sorted({*_stems("systems"), *_added(System)}))


def site_names() -> tuple[str, ...]:
    """Every site of the catalogue and of installed packages, sorted."""
    return tuple(sorted({*_stems("sites"), *_added(Site)}))


@functools.cache
def _stems(folder: str) -> tuple[str, ...]:
    paths = (files("thrifty.hardware") / "catalogue" / folder).iterdir()
    return tuple(sorted(path.name.removesuffix(".toml") for path in paths if path.name.endswith(".toml")))


def _path(folder: str, name: str) -> Path:
    return Path(str(files("thrifty.hardware") / "catalogue" / folder / f"{name}.toml"))


@functools.cache
def _catalogue_device(name: str) -> Device:
    return read_device(_path("devices", name))


@functools.cache
def _catalogue_system(name: str) -> System:
    return read_system(_path("systems", name), load)


@functools.cache
def _catalogue_site(name: str) -> Site:
    return read_site(_path("sites", name))


@functools.cache
def _made() -> dict[str, Device | System | Site]:
    """What installed packages bring, made once. Raises BadFile for an entry point that is none of the three."""
    made: dict[str, Device | System | Site] = {}
    for name, part in load_plugins(_GROUP).items():
        found = part() if callable(part) else part
        if not isinstance(found, Device | System | Site):
            raise BadFile(f"plug-in '{name}' ({_GROUP}) gives a {type(found).__name__}. Let it give a Device, a System or a Site.")
        made[name] = found
    return made


def _added(noun: type[_Noun]) -> dict[str, _Noun]:
    return {name: part for name, part in _made().items() if isinstance(part, noun)}


def _is_path(name: str) -> bool:
    return name.endswith(".toml")
