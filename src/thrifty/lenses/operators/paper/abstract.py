"""The abstract's sentences, each reproduced or contradicted with our number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.hardware import Device
from thrifty.lenses.operators.paper.published import Published, published
from thrifty.lenses.operators.paper.suite import SuiteRow
from thrifty.lenses.operators.subjects import find_subject
from thrifty.lenses.operators.views.temporal import TemporalStudy, temporal_study

NEAR: Final = 0.25
"""How far ours may be from a published share, relative to it, to count as the same: what another GPU, library or step count moves it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence. holds: whether ours is on the same side; said: what ours is, in words."""

    sentence: str
    published: Published
    ours: float
    holds: bool
    said: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "sentence": self.sentence, "published": self.published.value, "source": self.published.source, "read": self.published.read, "ours": self.ours,
            "holds": self.holds, "said": self.said,
        }  # fmt: skip


def temporal_of(name: str, device: Device) -> TemporalStudy:
    """A video model's two kinds of attention, fused, in fp16."""
    return temporal_study(find_subject(name, format="fp16").on(device).in_form("fused"))


def claims(rows: Sequence[SuiteRow], device: Device) -> tuple[Claim, ...]:
    """Of the rows of the paper's suite on `device`."""
    facts = published("claims")
    diffusion = [row for row in rows if row.family == "diffusion"]
    images = [row for row in diffusion if row.name != "make-a-video"]
    transformers = [row for row in rows if row.family == "transformer"]
    found = []
    if diffusion:
        conv = {row.name: row.share("conv") for row in images}
        name = max(conv, key=lambda each: conv[each])
        latent = conv.get("sd-1.5", 0.0)
        found.append(
            Claim(
                sentence="After fused attention, convolution takes up to 44 % of the time of diffusion models.", published=facts["conv_share"],
                ours=conv[name], holds=_near(conv[name], facts["conv_share"]),
                said=f"up to {conv[name]:.0%} ({name}), {latent:.0%} in Stable Diffusion; in each: " + ", ".join(f"{k} {v:.0%}" for k, v in conv.items()),
            )
        )  # fmt: skip
    if transformers:
        linear = {row.name: row.share("linear") for row in transformers}
        name = max(linear, key=lambda each: linear[each])
        found.append(
            Claim(
                sentence="Linear layers take up to 49 % of the time of transformer-based models.", published=facts["linear_share"], ours=linear[name],
                holds=_near(linear[name], facts["linear_share"]),
                said=f"up to {linear[name]:.0%} ({name}); in each: " + ", ".join(f"{k} {v:.0%}" for k, v in linear.items()),
            )
        )  # fmt: skip
    image_transformers = [row for row in transformers if row.name in ("muse-3b", "parti-20b")]
    if images and image_transformers:
        ratios = [a.gain / b.gain for a in images for b in image_transformers]
        cores = [a.attention_gain / b.attention_gain for a in images for b in image_transformers]
        low, high = facts["gain_ratio_low"].value, facts["gain_ratio_high"].value
        middle = float(np.median(cores))
        found.append(
            Claim(
                sentence="Diffusion image models gain 1.1 to 2.5 times as much from fused attention as transformer ones.",
                published=facts["gain_ratio_high"], ours=middle, holds=low <= middle <= high,
                said=f"core attention {min(cores):.2f} to {max(cores):.2f} times (median {middle:.2f}), end to end {min(ratios):.2f} to {max(ratios):.2f}",
            )
        )  # fmt: skip
    steps = {row.name: row.neighbour_ratio for row in images if row.neighbour_ratio}
    if steps:
        found.append(
            Claim(
                sentence="Sequence length varies up to 4 times in diffusion inference.", published=facts["neighbour_ratio"], ours=max(steps.values()),
                holds=max(steps.values()) == facts["neighbour_ratio"].value,
                said="from one resolution to the next " + ", ".join(f"{k} {v:.0f}" for k, v in steps.items())
                + "; over a whole network more: " + ", ".join(f"{row.name} {_spread(row):.0f}" for row in images),
            )
        )  # fmt: skip
    for name in ("make-a-video-decoder", "modelscope-unet"):
        study = temporal_of(name, device)
        share = study.share_of_attention_time or 0.0
        found.append(
            Claim(
                sentence=f"Temporal attention takes over 60 % of attention's time ({name}).", published=facts["temporal_share"], ours=share,
                holds=share > facts["temporal_share"].value,
                said=f"{share:.0%} of spatial and temporal core attention, with {1 / study.flops_ratio:.2f} of spatial's FLOPs; modelled without the cache's "
                "part in it, which the cache study shows",
            )
        )  # fmt: skip
    return tuple(found)


def _near(ours: float, said: Published) -> bool:
    """Whether an "up to" comes out within a quarter of what was published: neither far below it nor beyond."""
    return abs(ours - said.value) <= NEAR * said.value


def _spread(row: SuiteRow) -> float:
    lengths = [length for length in row.histogram if length > 1]
    return max(lengths) / min(lengths) if lengths else 1.0
