"""Reports: the numbers of a standard, the formulas behind them, and the list of inputs that are missing. Never a claim of compliance.

- `inputs` reads a file of numbers with units and tells a typo; `contents` is what a report holds, with dated facts from `reports.toml` of the pack
- `sci` (ISO/IEC 21031), `ghg` (scopes 1 to 3, scope 2 twice) and `eu` (data centres, EU 2024/1364) are one standard each; `standards` is the door

Thresholds and dates are facts as read on a day; whether a rule applies, or is met, is not for a program to say.
"""

from thrifty.lenses.carbon.reports.contents import DatedFact, Line, Missing, Report
from thrifty.lenses.carbon.reports.standards import STANDARDS, example_of, report_on

__all__ = ["STANDARDS", "DatedFact", "Line", "Missing", "Report", "example_of", "report_on"]
