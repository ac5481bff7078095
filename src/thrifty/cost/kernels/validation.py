"""How far the model is off: its answer for every measured kernel at hand, by device, told apart by whether the device's rows were used in the fit.

`validate_gemm` and `validate_attention` use the constants of `kernels.toml` as they stand. A device whose family's fit comes from another device
(H200 from H100; B300 and GB200 from B200) is held out whole; of a device with its own fit only rows that the fit did not see count. Baselines of the same
rows: flat utilisation and the roofline, each with its best share of peak, and the roofline with 4 us more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np

from thrifty.cost.agreement import spearman
from thrifty.cost.facts import load_facts
from thrifty.cost.kernels.fitting import predict_row, split_rows
from thrifty.cost.kernels.measured import FOLDERS, FORMATS, Floats, Measured, measured_attention, measured_gemm
from thrifty.cost.kernels.parameters import kernel_parameters
from thrifty.formats import get_format
from thrifty.hardware import load
from thrifty.hardware.device import Device

KINDS: Final = ("gemm", "prefill", "decode")
LAUNCH_S: Final = 4e-6
"""What the third baseline adds to the roofline (brief of the lever)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelError:
    """The model on R measured kernels of one device.

    use: "held out rows" of a device with its own fit, or "held out device". errors are means of |predicted / measured − 1|; spearman the rank
    correlation; baselines: the same error of simpler models, each with the share of peak that suits these rows best. measured_s_R and predicted_s_R: (R,).
    """

    device: str
    format: str
    kind: str
    use: Literal["held out rows", "held out device"]
    fitted_on: str
    rows: int
    mape: float
    median: float
    p90: float
    spearman: float
    baselines: dict[str, float]
    sizes: dict[str, Floats] = field(repr=False)
    measured_s_R: Floats = field(repr=False)
    predicted_s_R: Floats = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Without the rows."""
        return {k: v for k, v in asdict(self).items() if k not in ("sizes", "measured_s_R", "predicted_s_R")}


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelValidation:
    """All devices; mape_rows over held-out rows of fitted devices, mape_device over held-out devices, each the mean over devices."""

    results: tuple[KernelError, ...]
    mape_rows: float
    mape_device: float
    spearman: float

    def rows(self) -> list[dict[str, Any]]:
        """Every measured kernel: device, sizes, measured and predicted in seconds."""
        return [
            {"device": r.device, "format": r.format, "kind": r.kind, **{k: float(v[i]) for k, v in r.sizes.items()},
             "measured": float(r.measured_s_R[i]), "predicted": float(r.predicted_s_R[i])}
            for r in self.results for i in range(r.rows)
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The summary, without single rows."""
        return {
            "mape_rows": self.mape_rows, "mape_device": self.mape_device, "spearman": self.spearman, "results": [r.to_dict() for r in self.results],
        }  # fmt: skip


def validate_gemm(
    devices: Sequence[str] | None = None, *, format_name: str = "bf16", frameworks: Sequence[str] | None = None, fitted_on: str | None = None
) -> KernelValidation:  # fmt: skip
    """Matrix products of every measured device (default: all). frameworks: whose rows (default: their median); fitted_on: carry over this device's fit.

    Raises MissingExtra where aiconfigurator-core or pyarrow is absent.
    """
    chosen = devices or [name for name in FOLDERS if format_name in FORMATS and _has(name, format_name)]
    return _summary([_error(load(name), measured_gemm(name, format_name, frameworks), fitted_on) for name in chosen])


def validate_attention(kind: Literal["prefill", "decode"], devices: Sequence[str] | None = None, *, fitted_on: str | None = None) -> KernelValidation:
    """Causal BF16 attention of every measured device, as `validate_gemm`."""
    return _summary([_error(load(name), measured_attention(name, kind), fitted_on) for name in devices or FOLDERS])


def donor_of(device: Device) -> str:
    """The device whose fit `device` takes; "" where its family has none."""
    return str(load_facts("kernels").texts.get(f"family.{device.chip}", ""))


def _has(name: str, format_name: str) -> bool:
    """Whether the package has products of `device` in the format: it does where the device's own arithmetic is as narrow."""
    arithmetic = load(name).runs_in(format_name)
    return get_format(arithmetic).bits == get_format(format_name).bits


def _error(device: Device, rows: Measured, fitted_on: str | None) -> KernelError:
    donor = fitted_on or donor_of(device)
    own = donor == device.name
    if own:
        rows = split_rows(rows)[1]
    predicted = predict_row(rows, kernel_parameters(device, rows.format, replayed=True, fitted_on=donor))
    error = np.abs(predicted / rows.seconds_R - 1.0)
    return KernelError(
        device=device.name, format=rows.format, kind=rows.kind, use="held out rows" if own else "held out device", fitted_on=donor,
        rows=len(error), mape=float(error.mean()), median=float(np.median(error)), p90=float(np.quantile(error, 0.9)),
        spearman=spearman(predicted, rows.seconds_R), baselines=_baselines(device, rows) if rows.kind == "gemm" else {},
        sizes=rows.sizes, measured_s_R=rows.seconds_R, predicted_s_R=predicted,
    )  # fmt: skip


def _baselines(device: Device, rows: Measured) -> dict[str, float]:
    m, n, k = (rows.sizes[name] for name in ("m", "n", "k"))
    compute_s = 2.0 * m * n * k / device.peak(rows.format)
    stored = get_format(rows.format).bytes_per_number
    memory_s = ((m + n) * k * stored + m * n * max(stored, 2.0)) / device.bandwidth_bytes_per_s
    roof_s = np.maximum(compute_s, memory_s)
    models = {"flat utilisation": (compute_s, 0.0), "roofline": (roof_s, 0.0), "roofline + 4 us": (roof_s, LAUNCH_S)}
    shares = np.linspace(0.05, 1.0, 96)
    return {name: min(float(np.abs((s / share + more) / rows.seconds_R - 1.0).mean()) for share in shares) for name, (s, more) in models.items()}


def _summary(results: Sequence[KernelError]) -> KernelValidation:
    def mean(use: str) -> float:
        chosen = [result.mape for result in results if result.use == use]
        return float(np.mean(chosen)) if chosen else float("nan")

    return KernelValidation(
        results=tuple(results), mape_rows=mean("held out rows"), mape_device=mean("held out device"),
        spearman=float(np.mean([result.spearman for result in results])),
    )  # fmt: skip
