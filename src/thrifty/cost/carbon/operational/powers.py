"""What a machine draws at some utilisation, one function a public model, each as its authors state it. Watts; utilisation from 0 to 1, number or array."""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]
GB: Final = 1e9


def _shares(utilisation: npt.ArrayLike) -> Floats:
    array = np.asarray(utilisation, dtype=np.float64)
    if not (np.isfinite(array) & (array >= 0) & (array <= 1)).all():
        raise BadValue(f"utilisation={array} is not between 0 and 1. Give a share, e.g. 0.4.")
    return array


def _amount(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise BadValue(f"{name}={value} is not a finite number of at least 0. Mend it.")
    return value


def linear_w(utilisation: npt.ArrayLike, idle_w: float, most_w: float) -> Floats:
    """P_idle + u · (P_max − P_idle). Raises BadValue for an idle power above the most."""
    if _amount("idle_w", idle_w) > _amount("most_w", most_w):
        raise BadValue(f"idle_w={idle_w} is above most_w={most_w}. Exchange them.")
    return idle_w + _shares(utilisation) * (most_w - idle_w)


def boavizta_families() -> tuple[str, ...]:
    """CPU families with a curve."""
    paths = load_pack().factors
    return tuple(dict.fromkeys(path.split(".")[1] for path in paths if path.startswith("powers:boavizta.") and path.count(".") == 2))


def boavizta_w(utilisation: npt.ArrayLike, family: str, memory_bytes: float = 0.0) -> Floats:
    """One CPU of a family, a · ln(b · (load% + c)) + d, and its memory at a fixed power a gigabyte. Raises BadValue for an unknown family."""
    if family not in boavizta_families():
        raise BadValue(f"CPU family '{family}' has no curve. Choose from: {', '.join(boavizta_families())}.")
    pack, head = load_pack(), f"powers:boavizta.{family}"
    a, plus, minus = (pack.get(f"{head}.{key}", "power") for key in ("a", "d_plus", "d_minus"))
    b, c = (pack.get(f"{head}.{key}", "ratio") for key in ("b", "c"))
    memory_w = pack.get("powers:boavizta.memory", "power_per_capacity") * _amount("memory_bytes", memory_bytes)
    return a * np.log(b * (100 * _shares(utilisation) + c)) + plus - minus + memory_w


@functools.cache
def _derating() -> Any:
    pack = load_pack()
    names = pack.under("powers:greensku.derate")
    return np.polyfit([float(name[1:]) for name in names], [pack.get(f"powers:greensku.derate.{name}", "ratio") for name in names], 3)


def greensku_w(utilisation: npt.ArrayLike, rated_w: float) -> Floats:
    """Rated power times GreenSKU's derating: the least-squares cubic through its ten points of utilisation."""
    return _amount("rated_w", rated_w) * np.asarray(np.polyval(_derating(), 100 * _shares(utilisation)), dtype=np.float64)


def tdp_w(tdp_watts: float, dimms: int = 0) -> float:
    """codecarbon's rule where nothing is measured: half of the design power, and a fixed power a memory module."""
    pack = load_pack()
    return pack.get("powers:codecarbon.tdp_share", "ratio") * _amount("tdp_watts", tdp_watts) + pack.get("powers:codecarbon.dimm", "power") * _amount(
        "dimms", dimms
    )


def green_algorithms_w(utilisation: npt.ArrayLike, *, cores: float, core_w: float, memory_bytes: float, pue: float = 1.0, runs: float = 1.0) -> Floats:
    """Green Algorithms: (n_c · P_c · u + memory) · PUE · PSF; `runs` is PSF, how often it is all done. Raises BadValue for a PUE below 1."""
    if not (math.isfinite(pue) and pue >= 1):
        raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
    memory_w = load_pack().get("powers:green_algorithms.memory", "power_per_capacity") * _amount("memory_bytes", memory_bytes)
    return (_amount("cores", cores) * _amount("core_w", core_w) * _shares(utilisation) + memory_w) * pue * _amount("runs", runs)


def ccf_w(utilisation: npt.ArrayLike, *, vcpus: float, memory_bytes: float = 0.0, ssd_bytes: float = 0.0, hdd_bytes: float = 0.0) -> Floats:
    """Cloud Carbon Footprint: least + u · (most − least) a vCPU, and fixed powers a byte of memory, SSD and disk."""
    pack = load_pack()
    least, most = pack.get("powers:ccf.vcpu_least", "power"), pack.get("powers:ccf.vcpu_most", "power")
    sizes = {"memory": memory_bytes, "ssd": ssd_bytes, "hdd": hdd_bytes}
    fixed = sum(pack.get(f"powers:ccf.{kind}", "power_per_capacity") * _amount(f"{kind}_bytes", size) for kind, size in sizes.items())
    return _amount("vcpus", vcpus) * (least + _shares(utilisation) * (most - least)) + fixed


def ccf_network_j(moved_bytes: float) -> float:
    """Cloud Carbon Footprint: joules of moving bytes between sites."""
    return load_pack().get("powers:ccf.network", "energy_per_byte") * _amount("moved_bytes", moved_bytes)
