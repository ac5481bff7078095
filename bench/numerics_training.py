"""Training under a BF16 policy takes at most 4 times FP32 training: attention emulated forward and backward, or every result and gradient rounded.

The same model, data and optimiser, one thread each, in turns: FP32 as torch does it (the limit: emulation cannot be faster), attention as the paper's
baseline and as its Flash in BF16, autocast, and pure BF16. Two runs of each kind give the same bits.
"""

import os

os.environ["NUMBA_NUM_THREADS"] = "1"  # as in a study, where each run has one core

from _claim import in_turns, report, spread
from thrifty.lenses.numerics.training.running.runs import train
from thrifty.lenses.numerics.training.running.variants import Asked, runs_of

STEPS, MOST = 60, 4.0
ratios: dict[str, dict[str, float]] = {}
seconds: dict[str, dict[str, float]] = {}
same = True
for model in ("digits", "text"):
    asked = Asked.of(model, steps=STEPS, every=STEPS // 2, low=("autocast:bf16", "pure:bf16"))
    kinds = {run.name: run.configuration for run in runs_of(asked, {}) if run.init == 0 and run.name not in ("repeat", "floor")}
    digests: dict[str, set[str]] = {name: set() for name in kinds}

    def once(name: str, kinds: dict = kinds, digests: dict = digests) -> None:
        digests[name].add(train(kinds[name])[-1]["digest"])

    taken = in_turns({name: (lambda name=name: once(name)) for name in kinds}, repeats=5)
    same &= all(len(found) == 1 for found in digests.values())
    seconds |= {f"{model} {name}": spread([each / STEPS for each in samples]) for name, samples in taken.items()}
    # Pairs of one turn see the same machine.
    ratios[model] = {
        name: round(spread([one / other for one, other in zip(samples, taken["fp32"], strict=True)])["median"], 2)
        for name, samples in taken.items() if name != "fp32"
    }  # fmt: skip
worst = max(value for each in ratios.values() for value in each.values())
report(
    __doc__.splitlines()[0], worst <= MOST and same,
    {"times FP32": ratios, "worst": worst, "seconds a step": seconds, "same bits in every repeat": same, "reached of the limit": round(1 / worst, 3)},
    "numpy", "numba", "torch",
)  # fmt: skip
