"""What an audit found: frozen, flat for machines, as sections for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from thrifty.lenses.numerics.deviations import Deviation

if TYPE_CHECKING:
    from thrifty.report import Block, Section


HEADLINE: Final = ("max", "mean", "bias_ratio", "rmse", "w1", "ratio_to_baseline", "at_floor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One rounding.

    local_max, local_rms : what this rounding alone changed
    max, rms, bias_ratio : distance of the result from golden's at the same call, its mean over its RMS; None where golden took another path or was not kept
    level : root mean square of the result
    """

    number: int
    site: str
    shape: tuple[int, ...]
    local_max: float
    local_rms: float
    max: float | None
    rms: float | None
    bias_ratio: float | None
    level: float
    nans: int
    infinities: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteShare:
    """All calls of one site. alone_max, alone_rms: deviation of the outputs when this site alone follows the policy; share: of the squares of all such."""

    site: str
    calls: int
    rule: str
    accumulator: str
    alone_max: float
    alone_rms: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """An operator under a policy, beside the same in FP64.

    subject, baseline : names; baseline "" without one
    outputs   : deviation of each output from golden (and the baseline's), in the order in which they come
    calls     : every rounding of the subject, in order
    sites     : by site, the largest contribution first; empty where none was asked for
    inputs    : their names, shapes and where they come from
    """

    subject: str
    baseline: str
    policy: str
    policy_hash: str
    format: str
    fused: tuple[str, ...]
    seed: int
    golden: str
    inputs: Mapping[str, str]
    outputs: tuple[Deviation, ...]
    calls: tuple[Call, ...]
    sites: tuple[SiteShare, ...]
    notes: tuple[str, ...]

    @property
    def worst(self) -> Deviation:
        """Of the output that deviates most, measured by its RMSE relative to golden."""
        return max(self.outputs, key=lambda each: each.optimised.frobenius if each.optimised.frobenius == each.optimised.frobenius else 0.0)

    @property
    def first_nonfinite(self) -> Call | None:
        """The first rounding whose result holds NaN, or an infinity that did not come with a mask."""
        return next((call for call in self.calls if call.nans), next((call for call in self.calls if call.infinities), None))

    def to_dict(self) -> dict[str, Any]:
        first = self.first_nonfinite
        return {
            "truth": "measured", "subject": self.subject, "baseline": self.baseline, "policy": self.policy, "policy_hash": self.policy_hash,
            "format": self.format, "fused": list(self.fused), "seed": self.seed, "golden": self.golden, "inputs": dict(self.inputs),
            **{name: value for name, value in self.worst.to_dict().items() if name in HEADLINE},
            "outputs": [each.to_dict() for each in self.outputs], "largest_contributor": self.sites[0].site if self.sites else None,
            "sites": [asdict(each) for each in self.sites], "calls": [{**asdict(each), "shape": list(each.shape)} for each in self.calls],
            "first_nonfinite": None if first is None else {"number": first.number, "site": first.site, "nans": first.nans, "infinities": first.infinities},
            "notes": list(self.notes),
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.audit import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.audit import brief_of

        return brief_of(self)
