"""Any operator of torch under a rounding policy, without changing it; and where its deviation comes from.

After section VI of "Is Flash Attention Stable?" (Golden et al., 2024), which promises the method for any optimisation. `kinds` says what kind of work an operator
does; `values` knows which numbers a tensor holds; `arithmetic` does one operation and rounds it once; `steps`, `attending` and `convolving` take apart what
a kernel runs in several steps; `mode` sends everything that torch runs through them. `recording` notes every rounding beside golden's result, `running` runs a subject in FP64, under the policy and
site by site, `finding` is its report; `subjects` are those that come along, `loading` finds those of users; `probing` infers in which order this machine
adds. `calls` is what users call. It does not know the order of sums within operators
that it does not list (`kinds`): those are done in FP64 and rounded once.
"""

from thrifty.lenses.numerics.auditing.calls import audit, emulate
from thrifty.lenses.numerics.auditing.finding import AuditFinding, Call, SiteShare

__all__ = ["AuditFinding", "Call", "SiteShare", "audit", "emulate"]
