"""What an attention under a policy takes on a device: time and energy from its data sheet, by the format of every site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.cost.defaults import defaults_for
from thrifty.cost.energy import EnergyModel
from thrifty.formats import float_spec, get_format
from thrifty.hardware import Device, load
from thrifty.lenses.numerics.policy import Policy
from thrifty.workload.counts import attention_counts

LSE_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of one forward attention.

    compute_s, memory_s : what each alone would take; moved_bytes: between memory and chip
    onchip_bytes : scores, P and state, written and read; no sheet states what registers draw, so these have no price and break ties
    """

    time_s: float
    energy_j: float
    compute_s: float
    memory_s: float
    moved_bytes: float
    onchip_bytes: float

    def to_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}

    def order(self, by: str) -> tuple[float, float, float]:
        """The smaller, the cheaper: energy then time, or time then energy, then bytes on chip."""
        return (self.energy_j, self.time_s, self.onchip_bytes) if by == "energy" else (self.time_s, self.energy_j, self.onchip_bytes)


class Pricer:
    """Prices policies for one shape on one device.

    Products run in the arithmetic that the device has for the wider of their operands; bytes are those of each site's format. A data sheet has one rate
    outside the matrix units and none of registers, so formats of softmax and state change bytes on chip only.
    """

    def __init__(self, device: str | Device, *, batch: int, heads: int, seq: int, head_dim: int, block_k: int) -> None:
        self.device = load(device) if isinstance(device, str) else device
        self.energy, self.defaults = EnergyModel.of(self.device), defaults_for(self.device.kind)
        self.shape = {"batch": batch, "heads": heads, "seq": seq, "head_dim": head_dim, "block_k": block_k}
        self.counts = attention_counts(batch, seq, seq, heads, head_dim, head_dim)

    def price(self, policy: Policy, working: str) -> Price:
        """Raises BadValue where the device has no arithmetic for a format, UnknownName where no catalogue knows its size."""
        name = {site: policy.rounding(site, working).spec.name for site in _SITES}
        size = {site: get_format(each).bytes_per_number for site, each in name.items()}
        half = self.counts.flops_matrix / 2
        scores, values = wider(name["in.q"], name["in.k"]), wider(name["p.store"], name["in.v"])
        matrix_j = half * (self.energy.j_per_flop_in(scores) + self.energy.j_per_flop_in(values))
        matrix_s = half * (1 / self.device.peak(scores) + 1 / self.device.peak(values)) / self.defaults.efficiency["attention"]
        vector_s = self.counts.flops_vector / (self.device.vector_flops * self.defaults.vector_efficiency)
        moved, onchip = self._bytes(policy, size)
        memory_s = moved / (self.device.bandwidth_bytes_per_s * self.defaults.bandwidth_efficiency)
        compute_s = max(matrix_s, vector_s)
        time_s = max(compute_s, memory_s) + self.defaults.launch_s
        energy_j = self.energy.joules(np.float64(time_s), np.float64(matrix_j), np.float64(self.counts.flops_vector), np.float64(moved))
        return Price(time_s=time_s, energy_j=float(energy_j), compute_s=compute_s, memory_s=memory_s, moved_bytes=moved, onchip_bytes=onchip)

    def _bytes(self, policy: Policy, size: dict[str, float]) -> tuple[float, float]:
        """To memory, and on chip. Written out, scores and P go to memory and back; a Flash kernel keeps them, and its state, on chip."""
        rows = self.shape["batch"] * self.shape["heads"] * self.shape["seq"]
        d, scores = self.shape["head_dim"], rows * self.shape["seq"]
        moved = rows * d * (size["in.q"] + size["in.k"] + size["in.v"] + size["o.store"])
        between = 2 * scores * (size["s.store"] + size["s.scale"] + size["p.store"])
        if policy.algorithm == "baseline":
            return moved + between, 0.0
        tiles = -(-self.shape["seq"] // self.shape["block_k"])
        state = 2 * rows * tiles * (d * size["o.add"] + size["l.add"])
        return moved + rows * LSE_BYTES, between + state

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.device.name, **self.shape, "model": self.energy.name, "published_error": self.energy.published_error,
            "notes": list(self.energy.notes),
        }  # fmt: skip


_SITES: Final = ("in.q", "in.k", "in.v", "s.store", "s.scale", "p.store", "l.add", "o.add", "o.store")


def wider(one: str, other: str) -> str:
    """The format that holds more: the one in which both are multiplied."""
    a, b = float_spec(one), float_spec(other)
    return one if a.holds(b) or (a.mantissa_bits, a.exponent_bits) >= (b.mantissa_bits, b.exponent_bits) else other
