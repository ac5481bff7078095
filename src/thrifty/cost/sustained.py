"""Time of every operator on a calibrated device: interpolated in what was measured there.

A calibration (see `measure.calibration`) holds, for one machine, surfaces of FLOP/s over the logarithms of (m, n, k) for matrix products and
convolutions, over sequence lengths for attention, curves of seconds over bytes for everything that streams, and what the framework
costs around an operator: a view, a module call, an autograd node. Between measured points values are linear in the logarithms; beyond the last
point the rate stays what it was there. Nothing is fitted to whole models.

The calibration's content (schema 1; arrays are nested lists):
    linear.<format>, bmm.<format>, conv.<format>   : {"axes": {"m": […], "n": […], "k": […], …}, "flops_per_s": […]}
    attention, attention_causal, attention_backward : {"axes": {"seq_q": […], "seq_k": […], "head_dim": […]}, "flops_per_s": […]}
    curves.<format>.<operator>                      : {"bytes": […], "seconds": […]}, bytes read and written, seconds as Python sees the call
    host                                            : {"view_s", "call_s", "call_hot_s", "backward_s", "floor_s"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from thrifty.cost.columns import Columns, Floats
from thrifty.errors import BadFile
from thrifty.hardware.device import Device
from thrifty.workload.table import Kind, Phase

SCHEMA: Final = 1
DEFAULT_CURVE: Final = "add"
CURVE_OF_KIND: Final[Mapping[Kind, str]] = {
    Kind.NORM: "native_layer_norm", Kind.SOFTMAX: "_softmax", Kind.MEMORY: "clone", Kind.EMBEDDING: "embedding", Kind.ELEMENTWISE: "add",
    Kind.SAMPLING: "argmax",
}  # fmt: skip
"""The measured curve that stands for an operator which has none of its own."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Rates on a grid, linear in the logarithms between its points, constant beyond its edges. log_axes: ascending; log_rate: one axis each."""

    names: tuple[str, ...]
    log_axes: tuple[Floats, ...]
    log_rate: Floats

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Surface:
        axes = content["axes"]
        rate = np.log2(np.asarray(content["flops_per_s"], dtype=np.float64))
        if rate.shape != tuple(len(sizes) for sizes in axes.values()) or not np.isfinite(rate).all():
            raise ValueError("a surface whose rates do not fill its axes")
        return cls(tuple(axes), tuple(np.log2(np.asarray(a, dtype=np.float64)) for a in axes.values()), rate)

    def rate(self, sizes: Mapping[str, Floats]) -> Floats:
        """FLOP/s at each of the given sizes (R,) per axis."""
        lower, weight = [], []
        for name, axis in zip(self.names, self.log_axes, strict=True):
            x = np.clip(np.log2(np.maximum(sizes[name], 1.0)), axis[0], axis[-1])
            index = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, max(len(axis) - 2, 0))
            span = axis[np.minimum(index + 1, len(axis) - 1)] - axis[index]
            lower.append(index)
            weight.append(np.where(span > 0, (x - axis[index]) / np.where(span > 0, span, 1.0), 0.0))
        total = np.zeros(len(lower[0]))
        for corner in product((0, 1), repeat=len(self.names)):
            share = np.ones(len(total))
            place = []
            for axis, side, index, w in zip(self.log_axes, corner, lower, weight, strict=True):
                share = share * (w if side else 1.0 - w)
                place.append(np.minimum(index + side, len(axis) - 1))
            total += share * self.log_rate[tuple(place)]
        return np.asarray(np.exp2(total))


@dataclass(frozen=True, slots=True)
class Curve:
    """Seconds by bytes, linear in the logarithms between points; beyond the last, the last rate; below the first, the first time."""

    log_bytes: Floats
    log_seconds: Floats

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Curve:
        return cls(np.log(np.asarray(content["bytes"], dtype=np.float64)), np.log(np.asarray(content["seconds"], dtype=np.float64)))

    def cold_seconds(self, size_bytes: Floats) -> Floats:
        """At the rate of the largest size, which no cache holds; at least what it takes warm."""
        return np.asarray(np.maximum(self.seconds(size_bytes), size_bytes * np.exp(self.log_seconds[-1] - self.log_bytes[-1])))

    def seconds(self, size_bytes: Floats) -> Floats:
        """From caches, as far as they hold that much."""
        x = np.log(np.maximum(size_bytes, 1.0))
        inside = np.interp(x, self.log_bytes, self.log_seconds)
        return np.asarray(np.exp(inside + np.maximum(x - self.log_bytes[-1], 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """A calibration, ready to price operators."""

    surfaces: Mapping[str, Surface]
    curves: Mapping[str, Curve]
    host: Mapping[str, float]

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Sustained:
        """Raises BadFile when the content is not of this schema."""
        try:
            if content["schema"] != SCHEMA:
                raise BadFile(f"calibration has schema {content['schema']}, not {SCHEMA}. Make it again: thrifty hardware calibrate")
            surfaces = {
                f"{group}.{name}" if name else group: Surface.read(surface)
                for group in ("linear", "bmm", "conv")
                for name, surface in content[group].items()
            }  # fmt: skip
            surfaces |= {name: Surface.read(content[name]) for name in ("attention", "attention_causal", "attention_backward")}
            curves = {f"{fmt}.{op}": Curve.read(curve) for fmt, ops in content["curves"].items() for op, curve in ops.items()}
            return cls(surfaces=surfaces, curves=curves, host={k: float(v) for k, v in content["host"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadFile(f"calibration lacks or garbles {error}. Make it again: thrifty hardware calibrate") from error

    def _surface(self, group: str, formats: Sequence[str], index: int) -> Surface:
        name = f"{group}.{formats[index]}"
        return self.surfaces.get(name) or self.surfaces[f"{group}.fp32"]

    def host_seconds(self, columns: Columns) -> Floats:
        """(R,) seconds that the framework takes around each operator: views, module calls, autograd nodes."""
        call_s = np.where(columns.hot > 0.0, self.host.get("call_hot_s", self.host["call_s"]), self.host["call_s"])
        around = columns.views * self.host["view_s"] + columns.calls * call_s
        return np.asarray(around + np.where(columns.phase == Phase.BACKWARD, self.host["backward_s"], 0.0))

    def seconds(self, columns: Columns) -> Floats:
        """(R,) seconds inside each operator, from the call to its return."""
        total = np.zeros(len(columns))
        matrix = np.isin(columns.kernel, (Kind.LINEAR, Kind.CONV))
        for fmt in np.unique(columns.format[matrix]):
            of_format = columns.format == fmt
            for group, mask in (
                ("linear", (columns.kernel == Kind.LINEAR) & (columns.batch <= 1)),
                ("bmm", (columns.kernel == Kind.LINEAR) & (columns.batch > 1)),
                ("conv", columns.kernel == Kind.CONV),
            ):
                chosen = np.flatnonzero(mask & of_format)
                if len(chosen):
                    taps = np.maximum(columns.taps[chosen], 1.0)
                    sizes = {
                        "batch": columns.batch[chosen], "m": columns.m[chosen], "n": columns.n[chosen], "k": columns.k[chosen] / taps, "taps": taps,
                        "groups": columns.batch[chosen],
                    }  # fmt: skip
                    work = np.maximum(columns.flops_matrix[chosen], 1.0)
                    total[chosen] += work / self._surface(group, columns.formats, int(fmt)).rate(sizes)
        self._attention(columns, total)
        self._streams(columns, total)
        return total

    def _attention(self, columns: Columns, total: Floats) -> None:
        backward = columns.phase == Phase.BACKWARD
        causal = (columns.flops_skipped > 0) & ~backward
        is_attention = columns.kernel == Kind.ATTENTION
        for name, mask in (("attention", ~backward & ~causal), ("attention_causal", causal), ("attention_backward", backward)):
            chosen = np.flatnonzero(is_attention & mask)
            if len(chosen):
                sizes = {"seq_q": columns.seq_q[chosen], "seq_k": columns.seq_k[chosen], "head_dim": columns.head_dim[chosen]}
                total[chosen] += columns.flops_matrix[chosen] / self.surfaces[name].rate(sizes)

    def _streams(self, columns: Columns, total: Floats) -> None:
        rest = ~np.isin(columns.kernel, (Kind.LINEAR, Kind.CONV, Kind.ATTENTION))
        names = [name.rpartition(".")[2].rstrip("_") or name for name in columns.strings]
        for fmt, op, kind in {(int(f), int(o), int(k)) for f, o, k in zip(columns.format[rest], columns.op[rest], columns.kernel[rest], strict=True)}:
            chosen = np.flatnonzero(rest & (columns.format == fmt) & (columns.op == op) & (columns.kernel == kind))
            curve = self.curve(columns.formats[fmt], names[op], Kind(kind))
            moved = columns.bytes_moved[chosen]
            cold = np.minimum(columns.bytes_cold[chosen] / np.maximum(moved, 1.0), 1.0)
            total[chosen] += (1.0 - cold) * curve.seconds(moved) + cold * curve.cold_seconds(moved)

    def curve(self, format_name: str, op: str, kind: Kind) -> Curve:
        """The curve of an operator in a format: its own, else its kind's, else the plain addition's; in fp32 where the format has none."""
        for fmt in (format_name, "fp32"):
            for name in (op, CURVE_OF_KIND.get(kind, DEFAULT_CURVE)):
                if f"{fmt}.{name}" in self.curves:
                    return self.curves[f"{fmt}.{name}"]
        return self.curves[f"fp32.{DEFAULT_CURVE}"]


def sustained_of(device: Device) -> Sustained | None:
    """What `device` was seen to sustain; None for a device known from its data sheet only."""
    return Sustained.read(device.calibration.content) if device.calibration is not None else None


def calibrated_parts(columns: Columns, device: Device, sustained: Sustained, inside: Floats, host: Floats) -> Floats:
    """(R, 3) seconds that compute, memory and overhead would take alone at the device's best; the largest is what an operator is bound by."""
    peak = np.array([device.peak(name) for name in columns.formats] or [1.0])[columns.format]
    compute = columns.flops_matrix / peak + columns.flops_vector / device.vector_flops
    memory = columns.bytes_moved / device.bandwidth_bytes_per_s
    floor = np.minimum(columns.launches * sustained.host["floor_s"], inside)
    return np.stack([compute, memory, host + floor], axis=1)
