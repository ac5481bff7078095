"""Many independent tasks, resumable, on one machine or a cluster.

A task is a pure function of (configuration, seed). `run` gives every configuration to the function and keeps what it answers, one flat mapping or several,
as Parquet parts in a folder. A result is keyed by the hash of function, version, seed and configuration, so the same call made again runs only what is
missing: a killed campaign loses no chunk that had come back, and a longer list of configurations costs only its new ones. The same call runs on the
processes or threads of this machine (joblib), on a Ray cluster or on a Dask cluster; workers send rows to the driver, which alone writes, so
no shared file system is needed. A task that raises is kept with its error and stops no other; one that kills its worker is found and kept likewise.

Data flows through `tasks` (keys and seeds), `folders` (the lock and the manifest), `rows` (what a task may answer, and what runs on a worker), `engines`
(who runs them), `parts` (Parquet files named by the hash of their bytes, so that a damaged one is noticed and its tasks run again), `running` (the loop of
the driver) and `results` (rows in the order of the configurations, read when asked for).

Not known here: dependencies between tasks, and files that tasks write themselves. A task that needs the network, a clock or another task's result is not
pure, and its key says too little.
"""

from thrifty.campaign.engines import BACKENDS
from thrifty.campaign.results import Failure, Results, read_results
from thrifty.campaign.running import run
from thrifty.campaign.tasks import task_key, task_seed

__all__ = ["BACKENDS", "Failure", "Results", "read_results", "run", "task_key", "task_seed"]
