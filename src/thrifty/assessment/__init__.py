"""The main job: one case, really run where it can be, priced everywhere, with what would help most, as one page.

`steps` is the job, readable as a list, and `result` what it gives back; `side_by_side` holds the model against the measurement; `page` turns the
result into blocks of a report (`sections`, one file each); `outputs` writes report.html, report.json and trace.json; `comparing` says what
changed between two report.json and why.
"""

from thrifty.assessment.comparing import Comparison, compare
from thrifty.assessment.result import Assessment
from thrifty.assessment.steps import assess

__all__ = ["Assessment", "Comparison", "assess", "compare"]
