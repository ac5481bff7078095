"""Calibration on small grids: what it keeps, what it refuses to trust, and that validation never saw its shapes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from thrifty.cost.sustained import Sustained
from thrifty.errors import BadFile, BadValue
from thrifty.hardware import load
from thrifty.hardware.host import calibration_path, fingerprint, read_calibration
from thrifty.measure import probes
from thrifty.measure.calibration import calibrate
from thrifty.workload import Kind

SMALL: dict[str, Any] = {
    "LINEAR_M": (1, 8), "LINEAR_N": (20, 40), "LINEAR_K": (20, 40), "BMM_BATCH": (2, 4), "BMM_SIZES": (5, 10), "CONV_TAPS": (1, 9),
    "CONV_PIXELS": (25, 100), "CONV_N": (4, 8), "CONV_K": (2, 8), "ATTENTION_Q": (1, 8), "ATTENTION_K": (8, 16), "ATTENTION_WIDTH": (8, 16),
    "BAG_ROWS": 1000, "STREAM_ELEMENTS": (30, 1000, 2000, 3000), "COLD_BYTES": 2**20,
}  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(probes, name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.usefixtures("small")
def test_calibration_is_kept_and_this_machine_is_a_device_like_any_other() -> None:
    with pytest.raises(BadFile) as missing:
        load("this-machine")
    assert str(missing.value) == "this-machine has no valid calibration. Make one (about half a minute): thrifty hardware calibrate"
    told: list[tuple[str, float]] = []
    made = calibrate(progress=lambda what, share: told.append((what, share)))
    assert told[-1] == ("done", 1.0)
    assert [share for _, share in told] == sorted(share for _, share in told)
    device = load("this-machine")
    assert device.peak_flops == made.peak_flops
    assert device.truth == "measured"
    assert device.calibration is not None
    content: Any = device.calibration.content
    assert content["spread"]["measurements"] > 100
    sustained = Sustained.read(content)
    for name in ("linear.fp32", "linear.bf16", "bmm.fp32", "conv.fp32", "attention", "attention_causal", "attention_backward"):
        assert np.isfinite(sustained.surfaces[name].log_rate).all()
    assert sustained.host["view_s"] > 0
    assert sustained.curve("fp32", "silu", Kind.ELEMENTWISE) is sustained.curves["fp32.silu"]
    again = calibrate()
    assert again.calibration is not None
    assert again.calibration.content["made_at"] == content["made_at"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["garbage", "other machine", "old schema", "part missing"])
def test_a_cache_that_is_corrupt_or_from_elsewhere_is_made_again(damage: str) -> None:
    calibrate()
    path = calibration_path()
    content = json.loads(path.read_text())
    if damage == "garbage":
        path.write_text('{"schema": 1, ')
    elif damage == "other machine":
        path.write_text(json.dumps(content | {"fingerprint": {**content["fingerprint"], "cpu": "Another CPU"}}))
    elif damage == "old schema":
        path.write_text(json.dumps(content | {"schema": 0}))
    else:
        content.pop("curves")
        path.write_text(json.dumps(content))
    if damage != "part missing":
        assert read_calibration() is None
    made = calibrate()
    assert made.calibration is not None
    assert made.calibration.content["fingerprint"] == dict(fingerprint())
    assert "curves" in json.loads(path.read_text())


def _shapes() -> set[tuple[int, ...]]:
    linear = {(m, n, k) for m in probes.LINEAR_M for n in probes.LINEAR_N for k in probes.LINEAR_K}
    return linear | {(m, n, k) for m in probes.BMM_SIZES for n in probes.BMM_SIZES for k in probes.BMM_SIZES}


def test_calibration_shares_no_shape_with_validation() -> None:
    from thrifty.measure.cases import HOST_CASES

    assert len(HOST_CASES) >= 15
    convolutions = {(taps, m, n, k) for taps in probes.CONV_TAPS for m in probes.CONV_PIXELS for n in probes.CONV_N for k in probes.CONV_K}
    shared: list[Any] = []
    for case in HOST_CASES:
        rows = case.table().rows
        for row in rows[np.isin(rows["kind"], (Kind.LINEAR, Kind.CONV))]:
            m, n, k, taps = (int(row[name]) for name in ("m", "n", "k", "taps"))
            if row["kind"] == Kind.LINEAR and (m, n, k) in _shapes():
                shared.append((case.name, m, n, k))
            if row["kind"] == Kind.CONV and (taps, m, n, k // max(taps, 1)) in convolutions:
                shared.append((case.name, taps, m, n, k))
    assert not shared


def test_a_cuda_device_is_asked_for_by_name_and_by_its_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(BadValue) as refused:
        calibrate(device="cuda", like="h100-sxm5")
    assert str(refused.value) == "device='cuda' cannot be calibrated: torch sees no CUDA device here. Choose cpu, or install a CUDA build of torch."
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("thrifty.hardware.host.cuda_name", lambda: "Some GPU sm_90")
    with pytest.raises(BadValue) as refused:
        calibrate(device="cuda")
    assert str(refused.value) == (
        "device='cuda' needs the sheet of the same device, for its power and die. Name it with --like; list them with: thrifty hardware list"
    )
    with pytest.raises(BadValue) as refused:
        calibrate(device="tpu")
    assert str(refused.value) == "device='tpu' cannot be calibrated. Choose from: cpu, cuda."
    with pytest.raises(BadFile) as missing:
        load("this-machine-cuda")
    assert str(missing.value) == (
        "this-machine-cuda has no valid calibration. Make one (about half a minute): thrifty hardware calibrate --device cuda --like SHEET"
    )
