"""Which runs a study has: one model, one order of data, and one thing changed at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from thrifty.errors import BadValue
from thrifty.formats import float_spec
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.lenses.numerics.training.models.shapes import MODELS, Shape

VARIANTS: Final[dict[str, tuple[str, str]]] = {
    "autocast": (
        "baseline_eager",
        "FP32 weights and AdamW; operands, results and gradients of products and of GELU rounded; norms, residual sums and the loss in FP32",
    ),
    "pure": ("baseline_paper", "weights, AdamW's moments and update, every operator's result and every gradient rounded, the loss's, too"),
}
"""Low-precision variant → (its attention's policy, its sites outside attention)."""


@dataclass(frozen=True, slots=True)
class Low:
    """A low-precision run: variant and format."""

    variant: str
    format: str

    @classmethod
    def read(cls, text: str) -> Low:
        """``autocast:bf16`` or ``pure:fp16``. Raises BadValue, UnknownName."""
        variant, colon, format = text.strip().partition(":")
        if variant not in VARIANTS or not colon:
            raise BadValue(f"low precision '{text}' is unknown. Write variant:format, such as autocast:bf16 or pure:bf16.")
        return cls(variant, float_spec(format).name)

    def __str__(self) -> str:
        return f"{self.variant} {self.format}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A study's question.

    steps, every : of training, and between snapshots; seeds: initialisations; order: seed of data and noise, the same for all runs
    baseline, optimised : attention's policies, both in `format`; block_k: keys in a tile; low: low-precision runs; text: file to train on ("": Python's)
    """

    shape: Shape
    steps: int = 1000
    every: int = 100
    seeds: int = 5
    order: int = 0
    format: str = "bf16"
    baseline: Policy = field(default_factory=lambda: as_policy("baseline_paper"))
    optimised: Policy = field(default_factory=lambda: as_policy("fa_paper"))
    block_k: int = 4
    low: tuple[Low, ...] = ()
    text: str = ""

    @classmethod
    def of(
        cls, model: str = "digits", *, steps: int = 1000, every: int = 0, seeds: int = 5, order: int = 0, format: str = "bf16",
        policy: str | Policy = "fa_paper", baseline: str | Policy = "baseline_paper", block_k: int = 0,
        low: tuple[str, ...] = ("autocast:bf16", "pure:bf16", "autocast:fp16"), text: str = "",
    ) -> Asked:  # fmt: skip
        """Checked at the door. every=0: ten snapshots; block_k=0: the model's. Raises BadValue, UnknownName, BadFile."""
        from thrifty.lenses.numerics.laboratory.backward.calls import refuse

        if model not in MODELS:
            raise BadValue(f"model='{model}' is unknown. Choose: {', '.join(MODELS)}.")
        shape = MODELS[model]
        if text and model != "text":
            raise BadValue(f"text='{text}' is no data for the model '{model}'. Leave it out, or choose model text.")
        for name, value, least in (("steps", steps, 2), ("every", every, 0), ("seeds", seeds, 2), ("order", order, 0), ("block_k", block_k, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BadValue(f"{name}={value!r} must be a whole number of at least {least}.")
        every = every or max(1, steps // 10)
        if steps // every < 2:
            raise BadValue(f"every={every} leaves {steps // every} snapshot(s) of {steps} steps; a slope needs two. Take every={max(1, steps // 10)}, say.")
        found = tuple(dict.fromkeys(Low.read(each) for each in low))
        if not found:
            raise BadValue("low is empty, and the low-precision runs are what deviation is held against. Give autocast:bf16, say.")
        working, compared, tested = float_spec(format), as_policy(baseline), as_policy(policy)
        if not working.signed:
            raise BadValue(f"format='{working.name}' holds no negative numbers; it is for scales. Name the format that attention works in.")
        for each in (compared, tested):
            refuse(each)
        return cls(
            shape=shape, steps=steps // every * every, every=every, seeds=seeds, order=order, format=working.name, baseline=compared,
            optimised=tested, block_k=block_k or shape.block_k, low=found, text=text,
        )  # fmt: skip

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Steps after which weights are kept; 0 is before the first."""
        return tuple(range(0, self.steps + 1, self.every))

    def hashes(self) -> dict[str, str]:
        """Of every policy of attention in it, with the format it works in."""
        found = {"baseline": self.baseline.hash(self.format), "optimised": self.optimised.hash(self.format)}
        return found | {str(low): as_policy(VARIANTS[low.variant][0]).hash(low.format) for low in self.low}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training. name: its part in the study; init: seed of its initialisation; configuration: all that its result depends on."""

    name: str
    init: int
    configuration: Mapping[str, Any] = field(hash=False)


def runs_of(asked: Asked, ground: Mapping[str, str]) -> tuple[Run, ...]:
    """Every run, the cheapest kinds first. ground: what else results depend on (data's hash, this machine's arithmetic)."""
    plain: dict[str, Any] = {"policy": None}
    base = _attention(asked.baseline, asked.format, asked)
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("fp32", {"attention": plain}),
        ("baseline", {"attention": base}),
        ("optimised", {"attention": _attention(asked.optimised, asked.format, asked)}),
        ("floor", {"attention": base, "nudge": "ulp"}),
    ]
    for low in asked.low:
        policy = as_policy(VARIANTS[low.variant][0])
        kinds.append((str(low), {"attention": _attention(policy, low.format, asked), "variant": low.variant, "format": low.format}))
    shared = {
        "model": asked.shape.name, "steps": asked.steps, "every": asked.every, "order": asked.order, "text": asked.text, "variant": "fp32", "format": "fp32",
        "nudge": "", "copy": 0, **ground,
    }  # fmt: skip
    made = [Run(name=name, init=init, configuration={**shared, **said, "init": init}) for name, said in kinds for init in range(asked.seeds)]
    return (*made, Run(name="repeat", init=0, configuration={**shared, "attention": base, "init": 0, "copy": 1}))


def _attention(policy: Policy, format: str, asked: Asked) -> dict[str, Any]:
    said = {**policy.to_dict(), "name": ""}
    return {"policy": said, "format": format, "block_k": asked.block_k}


def digest_of(said: Mapping[str, Any]) -> str:
    """First 16 hexadecimal digits of SHA-256 over plain values."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
