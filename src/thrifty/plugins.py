"""Parts that other packages add, through Python's entry points.

A package names an object in its ``pyproject.toml``::

    [project.entry-points."thrifty.workloads"]
    my-model = "my_package.models:entry"

and it takes part wherever thrifty's own parts do. Nothing is imported until it is used; a plug-in that cannot be imported is an error
that names its package, never silence.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from thrifty.errors import MissingExtra

GROUPS: Final[dict[str, str]] = {
    "thrifty.workloads": "workloads beside the catalogue",
    "thrifty.devices": "devices, systems and sites beside the catalogue",
    "thrifty.lenses": "ways to look at a case",
    "thrifty.levers": "ways to change a case",
}
"""What may be added, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One entry point. target: `module:object`; summary: the first line that its package says of itself."""

    group: str
    name: str
    target: str
    package: str
    version: str
    summary: str

    def to_dict(self) -> dict[str, str]:
        """Plain text for JSON."""
        return asdict(self)


def installed_plugins(group: str | None = None) -> tuple[Plugin, ...]:
    """Every plug-in of `group` (default: of all groups) that is installed, by group and name. Imports none of them."""
    found = []
    for each in GROUPS if group is None else (group,):
        for entry in importlib.metadata.entry_points(group=each):
            about = entry.dist.metadata if entry.dist is not None else None
            found.append(
                Plugin(
                    group=each, name=entry.name, target=entry.value,
                    package=about["Name"] if about else "", version=about["Version"] if about else "",
                    summary=(about["Summary"] or "") if about else "",
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda plugin: (plugin.group, plugin.name)))


def load_plugins(group: str) -> dict[str, Any]:
    """The objects behind the plug-ins of `group`, by name. Raises MissingExtra naming the package of one that does not import."""
    loaded = {}
    for entry in importlib.metadata.entry_points(group=group):
        try:
            loaded[entry.name] = entry.load()
        except Exception as error:  # a plug-in is foreign code: whatever it raises, the user must learn whose it is
            package = entry.dist.metadata["Name"] if entry.dist is not None else entry.value
            raise MissingExtra(f"plug-in '{entry.name}' ({group}) of {package} cannot be loaded: {error}. Mend or uninstall {package}.") from error
    return loaded


def import_here(name: str) -> ModuleType:
    """A user's module, looked for in the current folder, too, which importing it runs. Raises whatever that raises."""
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
