"""Every system of the suite, end to end: tables made, priced in both forms of attention, and the paper's page written, within a minute and 4 GiB."""

import resource
import tempfile
import time
from pathlib import Path

from _claim import report

LEAST_SECONDS, LEAST_BYTES = 60.0, 4 * 2**30

began = time.perf_counter()
from thrifty.hardware import load  # noqa: E402 (the import is part of what is timed)
from thrifty.lenses.operators.paper import make_report, see_suite  # noqa: E402
from thrifty.report import write_html  # noqa: E402

imported = time.perf_counter()
rows = see_suite(load("a100-80gb"))
seen = time.perf_counter()
found = make_report("a100-80gb")
with tempfile.TemporaryDirectory() as folder:
    page = Path(folder) / "paper.html"
    write_html(found.page, page)
    size = page.stat().st_size
written = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
report(
    f"whole suite on one page <= {LEAST_SECONDS:.0f} s and {LEAST_BYTES / 2**30:.0f} GiB",
    written - seen + imported - began <= LEAST_SECONDS and peak <= LEAST_BYTES,
    {
        "systems": len(rows), "trace_and_price_s": seen - imported, "paper_s": written - seen, "import_s": imported - began, "peak_rss_bytes": peak,
        "page_bytes": size, "claims": {claim.sentence: claim.holds for claim in found.claims},
    },
    "numpy", "numba", "altair",
)  # fmt: skip
