"""A real Ray cluster of two nodes on this machine; one of them is killed in mid-campaign."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thrifty import campaign
from thrifty.errors import BadValue, UnknownName

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray head with one core, which the driver is at home on. Its logs go to a folder with a short name: a socket's path has 107 bytes."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as scratch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_TMPDIR", scratch)  # where Ray notes the address of its cluster, in a folder that it expects to be there
        (Path(scratch) / "ray").mkdir()
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "temp_dir": scratch})
        yield made
        ray.shutdown()
        made.shutdown()


def test_property_a_node_killed_in_mid_campaign_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    doomed = cluster.add_node(num_cpus=1)
    log = tmp_path / "log"
    log.touch()

    def kill() -> None:
        while Counter(log.read_text().split())[doomed.node_id] < 5:  # it has answered one chunk of three and is amid the next, a second before its end
            if over.wait(0.005):
                return
        cluster.remove_node(doomed, allow_graceful=False)

    over, killer = threading.Event(), threading.Thread(target=kill)
    killer.start()
    configurations = [{"x": x, "seconds": 0.5, "log": str(log)} for x in range(24)]
    results = campaign.run("tests.campaign.toys:on_a_node", configurations, folder=tmp_path / "c", backend="ray", address=cluster.address, chunk=3)
    over.set()
    killer.join()
    begun, ended = Counter(log.read_text().split()), Counter(row["node"] for row in results)
    assert (len(results), results.failures, results.ran) == (24, (), 24)
    assert [row["x"] for row in results] == list(range(24))
    assert 3 <= ended[doomed.node_id] < begun[doomed.node_id]  # it ended some, and what it had begun was run again
    assert sum(begun.values()) > 24
    assert len(ended) == 2


def test_property_ray_gives_what_this_process_gives(cluster: Any, tmp_path: Path) -> None:
    configurations = [{"mean": float(mean)} for mean in range(8)]
    function = "tests.campaign.toys:thrown"
    here = campaign.run(function, configurations, folder=tmp_path / "here", backend="serial")
    there = campaign.run(function, configurations, folder=tmp_path / "there", backend="ray", address=cluster.address)
    assert there.columns()["mean"].tolist() == here.columns()["mean"].tolist()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_formula_a_task_that_kills_its_worker_is_found(cluster: Any, tmp_path: Path) -> None:
    configurations = [{"x": x} for x in (6, 7, 8)]
    results = campaign.run("tests.campaign.toys:lethal", configurations, folder=tmp_path, backend="ray", address=cluster.address, retries=0)
    assert results.columns()["y"].tolist() == [6, 8]
    assert [failure.error for failure in results.failures] == ["WorkerDied: alone on a worker, it ended 1 of them"]


def test_formula_workers_that_cannot_find_the_function_say_so(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "only_here.py").write_text("def f(configuration, seed):\n    return {}\n")
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(UnknownName) as error:
        campaign.run("only_here:f", [{}], folder=tmp_path / "c", backend="ray", address=cluster.address)
    assert str(error.value) == "no module named 'only_here' for the task 'only_here:f'. Install it, or name package.module:function."


def test_formula_no_cluster_at_that_address(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    with pytest.raises(BadValue, match=r"^no Ray cluster at 'nonsense': .*\. Start one with: ray start --head$"):
        campaign.run("tests.campaign.toys:square", [{"x": 1}], folder=tmp_path, backend="ray", address="nonsense")
