"""What pages of this lever share: a certificate as facts, and keys of sources as sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.levers.steward.decision import Certificate
from thrifty.report import Facts, Number, Source

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


def listed_sources(keys: Sequence[str]) -> list[Source]:
    """The sources of `keys`, of the factors or of the series that ship; a key that is neither (the user's own file) is left out."""
    from thrifty.cost.carbon.factors import load_pack
    from thrifty.cost.carbon.series import series_sources

    known = {**load_pack().sources, **series_sources()}
    return [
        Source(key=key, title=s.title, publisher=s.publisher, date=s.date, url=s.url, licence=s.licence) for key in dict.fromkeys(keys) if (s := known.get(key))
    ]
