"""What papers say about deviation, beside what is measured here: one table, from one tool and one switch of policy.

`claims` reads the table of published figures and the bands in which ours are expected (claims.toml); `measuring` measures each; `finding` holds both.
"""

from thrifty.lenses.numerics.paper.claims import Claim, Paper, all_claims, papers
from thrifty.lenses.numerics.paper.finding import PaperFinding, Row, check_papers

__all__ = ["Claim", "Paper", "PaperFinding", "Row", "all_claims", "check_papers", "papers"]
