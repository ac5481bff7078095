"""Any operator of torch under a rounding policy, without changing it; and where its deviation comes from.

After section VI of "Is Flash Attention Stable?" (Golden et al., 2024), which promises the method for any optimisation. `numbers` rounds tensors and does one
operation at a time; `operators` says what each operator of torch does in such operations; `mode` sends everything that torch runs there. `recording` notes
every rounding beside golden's result, `running` runs a subject in FP64, under the policy and site by site, `finding` is its report; `subjects` are those that
come along, `loading` finds those of users. `calls` is what users call. The room does not know the order of sums within operators that it does not list
(`operators.kinds`): those are done in FP64 and rounded once.
"""

from thrifty.lenses.numerics.auditing.calls import audit, emulate
from thrifty.lenses.numerics.auditing.finding import AuditFinding, Call, SiteShare

__all__ = ["AuditFinding", "Call", "SiteShare", "audit", "emulate"]
