"""A real Dask cluster of two processes on this machine; one of them is killed in mid-campaign."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from thrifty import campaign
from thrifty.errors import BadValue

ROOT = Path(__file__).parents[2]


@pytest.fixture
def distributed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return pytest.importorskip("distributed", reason="distributed is not installed")


def test_property_a_worker_killed_in_mid_campaign_loses_nothing(distributed: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    killed: list[int] = []

    def kill() -> None:
        while not (busy := [pid for pid, count in Counter(map(int, log.read_text().split())).items() if count >= 4]):
            if over.wait(0.005):
                return
        killed.append(busy[0])
        os.kill(busy[0], signal.SIGKILL)

    over, killer = threading.Event(), threading.Thread(target=kill)
    killer.start()
    configurations = [{"x": x, "seconds": 0.05, "log": str(log)} for x in range(30)]
    results = campaign.run("tests.campaign.toys:on_a_worker", configurations, folder=tmp_path / "c", backend="dask", workers=2, chunk=3)
    over.set()
    killer.join()
    begun, ended = Counter(map(int, log.read_text().split())), Counter(row["pid"] for row in results)
    assert (len(results), results.failures, results.ran) == (30, (), 30)
    assert [row["x"] for row in results] == list(range(30))
    assert begun[killed[0]] > ended[killed[0]]
    assert sum(begun.values()) > 30


def test_property_a_cluster_at_an_address_gives_what_this_process_gives(distributed: Any, tmp_path: Path) -> None:
    configurations = [{"mean": float(mean)} for mean in range(8)]
    function = "tests.campaign.toys:thrown"
    here = campaign.run(function, configurations, folder=tmp_path / "here", backend="serial")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        there = campaign.run(function, configurations, folder=tmp_path / "there", backend="dask", address=cluster.scheduler_address)
    assert there.columns()["mean"].tolist() == here.columns()["mean"].tolist()


def test_formula_no_cluster_at_that_address(distributed: Any, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^no Dask cluster at 'nonsense://1': .*\. Start one with: dask scheduler$"):
        campaign.run("tests.campaign.toys:square", [{"x": 1}], folder=tmp_path, backend="dask", address="nonsense://1")
