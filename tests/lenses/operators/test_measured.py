"""Stages really run here, beside a model: a toy calibration stands in for this machine's, which takes half a minute to make."""

from __future__ import annotations

import pytest
from tests.assessment.cases import calibrated

from thrifty.lenses.operators import find_subject
from thrifty.lenses.operators.measured import measure_subject

pytest.importorskip("diffusers")


def test_every_stage_runs_and_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import thrifty.measure.calibration

    monkeypatch.setattr(thrifty.measure.calibration, "calibrate", lambda **_: calibrated())
    found = measure_subject(find_subject("sd-1.5@tiny"), budget_s=0.05)
    assert [(each.stage.name, each.stage.repeat) for each in found.stages] == [("text", 1), ("unet", 4), ("vae-decoder", 1)]
    rows = [each.row for each in found.stages]
    assert all(row.measured_s > 0 and row.modelled_s > 0 and row.run_overhead > 0 for row in rows)
    assert found.measured_s == pytest.approx(rows[0].measured_s + 4 * rows[1].measured_s + rows[2].measured_s)
    said = found.to_dict()
    assert said["time_error"] == pytest.approx(found.modelled_s / found.measured_s - 1)
    assert {"conv", "linear", "attention", "norm"} <= set(said["by_class"])
    again = measure_subject(find_subject("sd-1.5@tiny"), budget_s=0.05)
    assert again.modelled_s == found.modelled_s and again.measured_s != found.measured_s  # a clock moves what is measured, never the model
