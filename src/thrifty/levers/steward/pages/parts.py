"""What pages of this lever share: a certificate as facts, and keys of sources as sources."""

from __future__ import annotations

from typing import Final

from thrifty.levers.steward.decision import Certificate
from thrifty.report import Facts, Number

_ROUNDING: Final = 1e-9
"""A gap below this is what is left of floating point."""


def certificate_facts(certificate: Certificate, unit: str, *, ours: str = "this plan", bound: str = "no plan is below") -> dict[str, Number | str]:
    """What the plan has, what none can be below, how far they lie apart, and how that is known."""
    gap = certificate.gap if certificate.gap > _ROUNDING else 0.0
    return {
        ours: Number(value=certificate.value, unit=unit, truth="modelled"), bound: Number(value=certificate.bound, unit=unit, truth="modelled"),
        "gap": Number(value=gap, truth="modelled", style="percent"), "proved by": certificate.by,
    }  # fmt: skip


def certificate_block(certificate: Certificate, unit: str, *, ours: str = "this plan", bound: str = "no plan is below") -> Facts:
    return Facts(certificate_facts(certificate, unit, ours=ours, bound=bound))
