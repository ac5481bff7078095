"""A driver killed in mid-campaign: what had come back is there, and only that is not run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from thrifty import campaign
from thrifty.campaign import parts

ROOT = Path(__file__).parents[2]
FUNCTION = "tests.campaign.toys:logged"
TASKS, CHUNK = 60, 2
DRIVER = """
import sys
from thrifty import campaign
folder, log, backend = sys.argv[1:]
configurations = [{{"x": x, "seconds": 0.02, "log": log}} for x in range({tasks})]
campaign.run("{function}", configurations, folder=folder, backend=backend, workers=2, chunk={chunk})
"""


# How many chunks are in flight under loky depends on how busy the machine is.
@pytest.mark.parametrize(("backend", "flying"), [("serial", 1), ("loky", None)])
def test_property_a_killed_campaign_loses_nothing_and_goes_on(backend: str, flying: int | None, tmp_path: Path) -> None:
    folder, log = tmp_path / "campaign", tmp_path / "log"
    code = DRIVER.format(tasks=TASKS, function=FUNCTION, chunk=CHUNK)
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(log), backend], env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    while len(parts.list_parts(folder, "rows")) < 5:
        assert driver.poll() is None, "the driver ended before it could be killed"
        time.sleep(0.005)
    os.killpg(driver.pid, signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    configurations = [{"x": x, "seconds": 0.02, "log": str(log)} for x in range(TASKS)]
    kept = {row["x"] for row in campaign.read_results(folder)}
    halfway = campaign.read_results(folder, configurations)
    assert 5 * CHUNK <= len(kept) < TASKS
    assert (len(halfway), halfway.missing) == (len(kept), TASKS - len(kept))
    results = campaign.run(FUNCTION, configurations, folder=folder, backend="serial", chunk=CHUNK)
    assert (results.ran, results.reused, results.damaged) == (TASKS - len(kept), len(kept), ())
    assert results.columns("y")["y"].tolist() == [x**2 for x in range(TASKS)]
    ran = Counter(map(int, log.read_text().split()))
    assert all(ran[x] == 1 for x in kept)
    assert flying is None or sum(ran.values()) - TASKS <= flying * CHUNK
    assert not list(folder.glob(".*.part"))
