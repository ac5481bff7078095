"""The default `thrifty assess`, first calibration included, takes at most 2 minutes on 2 cores and writes a page of at most 1.5 MB."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _claim import report

LIMIT_S, LIMIT_BYTES = 120.0, 1.5e6

with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "report"
    environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}  # an empty cache: this machine is calibrated first
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "thrifty", "assess", "--out", str(out)], check=True, env=environment, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    size = (out / "report.html").stat().st_size
report("default assess <= 2 min, page <= 1.5 MB", seconds <= LIMIT_S and size <= LIMIT_BYTES, {"seconds": seconds, "page_bytes": size}, "torch", "transformers")
