"""The machine that this runs on, as a device like any other: read from the calibration that `measure` keeps in the user's cache.

A calibration is trusted only on the machine, thread count and torch version that it was made with; anything else counts as none.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadFile
from thrifty.hardware.device import Calibration, Device, MemoryTier

CALIBRATION_SCHEMA: Final = 1
NAMES: Final = {"cpu": "this-machine", "cuda": "this-machine-cuda"}
"""By torch device: the machine itself, and its first CUDA device."""


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def threads() -> int:
    """How many threads numerical libraries use here: OMP_NUM_THREADS, else the cores that this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(wanted), cores) if wanted.isdigit() and int(wanted) > 0 else cores


def cuda_name() -> str:
    """The name and compute capability of the first CUDA device; "absent" where torch sees none."""
    try:
        import torch
    except ImportError:
        return "absent"
    if not torch.cuda.is_available():
        return "absent"
    return f"{torch.cuda.get_device_name(0)} sm_{''.join(map(str, torch.cuda.get_device_capability(0)))}"


@functools.cache
def fingerprint(device: str = "cpu") -> Mapping[str, str]:
    """What a calibration of "cpu" or "cuda" depends on."""
    import psutil

    def version(package: str) -> str:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return "absent"

    return {
        "cpu": cpu_name(), "machine": platform.machine(), "system": platform.system(), "threads": str(threads()), "cores": str(os.cpu_count()),
        "memory_gib": str(round(psutil.virtual_memory().total / 2**30)), "torch": version("torch"), "numpy": version("numpy"),
        "transformers": version("transformers"), "schema": str(CALIBRATION_SCHEMA), **({"cuda": cuda_name()} if device == "cuda" else {}),
    }  # fmt: skip


def calibration_path(device: str = "cpu") -> Path:
    """Where this machine's calibration is kept; the name carries the fingerprint."""
    import platformdirs

    digest = hashlib.sha256(json.dumps(dict(fingerprint(device)), sort_keys=True).encode()).hexdigest()[:16]
    return Path(platformdirs.user_cache_dir("thrifty")) / f"calibration-{digest}.json"


def read_calibration(device: str = "cpu") -> dict[str, Any] | None:
    """The calibration's content; None when there is none, or it is corrupt, of another schema, or of another machine (then it is made again)."""
    try:
        content = json.loads(calibration_path(device).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("schema") != CALIBRATION_SCHEMA or content.get("fingerprint") != dict(fingerprint(device)):
        return None
    return content if isinstance(content.get("device"), dict) else None


def validation_path() -> Path:
    """Where the last validation against this calibration is kept, beside it."""
    calibration = calibration_path()
    return calibration.with_name(calibration.name.replace("calibration-", "validation-"))


def read_validation(calibration: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `thrifty validate host` found for this very calibration; None when it was not run since."""
    try:
        content = json.loads(validation_path().read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("calibrated_at") != calibration.get("made_at") or not isinstance(content.get("rows"), list):
        return None
    return content


def _tier(raw: Mapping[str, Any]) -> MemoryTier:
    return MemoryTier(
        name=str(raw["name"]), capacity_bytes=float(raw["capacity_bytes"]), bandwidth_bytes_per_s=float(raw["bandwidth_bytes_per_s"])
    )  # fmt: skip


def device_of(content: Mapping[str, Any], path: Path) -> Device:
    """The device that a calibration describes. Raises BadFile for content that lacks something."""
    try:
        raw = content["device"]
        return Device(
            name=NAMES[str(raw.get("torch_device", "cpu"))], title=str(raw["title"]), vendor=str(raw["vendor"]), kind=raw.get("kind", "cpu"), year=0,
            peak_flops={str(k): float(v) for k, v in raw["peak_flops"].items()}, vector_flops=float(raw["vector_flops"]),
            memory=tuple(_tier(tier) for tier in raw["memory"]),
            memory_technology=str(raw["memory_technology"]), tdp_w=float(raw["tdp_w"]), idle_w=float(raw["idle_w"]), truth="measured",
            die_area_mm2=raw.get("die_area_mm2"), process_node_nm=raw.get("process_node_nm"),
            notes=tuple(str(n) for n in raw["notes"]), calibration=Calibration(path=str(path), content=content),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFile(f"calibration '{path}' lacks or garbles {error}. Make it again: thrifty hardware calibrate") from error


def this_machine(device: str = "cpu") -> Device:
    """This machine ("cpu"), or its first CUDA device ("cuda"), as a device. Raises BadFile when it has no valid calibration."""
    content = read_calibration(device)
    if content is None:
        how = "thrifty hardware calibrate" + (" --device cuda --like SHEET" if device == "cuda" else "")
        raise BadFile(f"{NAMES[device]} has no valid calibration. Make one (about half a minute): {how}")
    return device_of(content, calibration_path(device))
