"""Every figure and table of the paper, made afresh from operator tables, the published number beside ours.

`published` reads what others said and how it was read; `suite` looks at the paper's eight systems and at today's, once with attention spelled out and once
fused; `abstract` holds the abstract's sentences against what was found; `figures` and `video` draw; `report` puts it on one page.

What it does not know: the paper's fleet, its profiler's kernels and its quality runs; those stand here as published, and a proxy is called one.
"""

from thrifty.lenses.operators.paper.abstract import Claim, claims
from thrifty.lenses.operators.paper.report import PaperReport, make_report
from thrifty.lenses.operators.paper.suite import SUITE, TODAY, SuiteRow, see_suite

__all__ = ["SUITE", "TODAY", "Claim", "PaperReport", "SuiteRow", "claims", "make_report", "see_suite"]
