"""Whether bounds hold: many runs of attention, or of a sum, against what bounds said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, unknown_name
from thrifty.formats import float_spec, round_to
from thrifty.formats.accumulators import accumulate, parse_accumulator
from thrifty.formats.rounding.plain import random_words
from thrifty.lenses.numerics.bounds import constants
from thrifty.lenses.numerics.bounds.attention_bounds import attention_bound
from thrifty.lenses.numerics.bounds.digits import monte_carlo_digits
from thrifty.lenses.numerics.bounds.finding import BoundStudy, Row, curve_of, quantiles_of
from thrifty.lenses.numerics.bounds.widths import depth, sum_width
from thrifty.lenses.numerics.inputs import draw
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.progress import Progress

Floats = npt.NDArray[np.float64]
CHANCE = "roundings independent, of mean zero"
SUMMANDS = {"uniform": "U(0, 1)", "normal": "N(0, 1)", "ones": "1, n times"}


def _silent(what: str, share: float) -> None:
    del what, share


def attention_study(
    *, policy: str | Policy = "fa_paper", format: str = "bf16", seq: int = 1024, head_dim: int = 64, block_k: int | None = None, inputs: str = "uniform",
    runs: int = 50, rows: int = 8, confidence: float = 0.95, seed: int = 0, digits: int = 0, rounding: str = "random", progress: Progress = _silent,
) -> BoundStudy:  # fmt: skip
    """`runs` draws of inputs, attention under the policy each time, its errors against golden beside the bounds that walking the policy gives.

    rows   : of queries looked at in each run, spread evenly; rows do not know of each other, so the others need not be computed
    digits : runs with roundings left to chance (`rounding`), of the first draw; 0: none
    """
    for name, value in (("runs", runs), ("rows", rows), ("seq", seq), ("head_dim", head_dim)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadValue(f"{name}={value!r} must be a whole number of at least 1.")
    said = as_policy(policy)
    at = np.unique(np.linspace(0, seq - 1, min(rows, seq)).round().astype(int))
    errors, found = [], []
    for run in range(runs):
        progress(f"runs: {run + 1} of {runs}", run / runs)
        drawn = draw(inputs, seq=seq, head_dim=head_dim, seed=seed + run)
        q = drawn.q[..., at, :]
        best = golden(q, drawn.k, drawn.v, policy=said, format=format, block_k=block_k, seed=seed + run)
        got = attend(q, drawn.k, drawn.v, policy=said, format=format, block_k=block_k, seed=seed + run)
        errors.append(np.abs(got.out - best))
        found.append(attention_bound(
            q, drawn.k, drawn.v, policy=said, format=format, block_k=block_k, rows=range(len(at)), confidence=confidence, seed=seed + run
        ))  # fmt: skip
    error = np.stack(errors)
    worst, probable, everywhere = (np.stack([getattr(each, part)[0] for each in found]) for part in ("worst", "probable", "everywhere"))
    notes, chance = [], None
    if not np.isfinite(error).all():
        notes.append(f"{int((~np.isfinite(error)).sum())} errors are NaN or infinite, and count as beyond every bound")
        error = np.where(np.isfinite(error), error, np.inf)
    if digits:
        progress("chance: roundings up or down", 1.0)
        chance = _digits_of(said, format, seq, head_dim, block_k, inputs, at, seed, digits, rounding, confidence)
    first = found[0]
    return BoundStudy(
        subject=f"attention under {said.name} in {first.format}", settings={
            "policy": said.name, "hash": said.hash(first.format), "format": first.format, "seq": seq, "head_dim": head_dim, "block_k": got.block_k,
            "inputs": inputs, "rows": len(at), "confidence": confidence, "seed": seed, "golden": "FP64, of the inputs as the policy rounds them",
        },
        runs=runs, elements=error.size, measured=quantiles_of(error), notes=tuple(notes), sites=first.sites, digits=chance,
        curve=curve_of(**{"measured": error, "probable bound": probable, "worst case": worst}),
        bounds=(
            Row.of("worst case, first order", "nothing but first order", worst, error, 1.0),
            Row.of("probable, each element", CHANCE, probable, error, confidence),
            Row.of("probable, all elements of a run", CHANCE, everywhere, error, confidence, whole_runs=True),
        ),
    )  # fmt: skip


def _digits_of(
    policy: Policy, format: str, seq: int, head_dim: int, block_k: int | None, inputs: str, at: Any, seed: int, runs: int, rounding: str, confidence: float,
) -> dict[str, Any]:  # fmt: skip
    """Digits by chance, beside those that the policy itself gets right."""
    drawn = draw(inputs, seq=seq, head_dim=head_dim, seed=seed)
    q = drawn.q[..., at, :]
    best = np.asarray(golden(q, drawn.k, drawn.v, policy=policy, format=format, block_k=block_k))

    def run(chance: Policy, number: int) -> Any:
        return attend(q, drawn.k, drawn.v, policy=chance, format=format, block_k=block_k, seed=number).out

    found = monte_carlo_digits(run, policy, rounding=rounding, runs=runs, confidence=confidence)
    own = np.asarray(attend(q, drawn.k, drawn.v, policy=policy, format=format, block_k=block_k).out)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = -np.log10(np.abs(own - best) / np.abs(best))
    share = float(np.mean(right[np.isfinite(right)] >= found.sure[np.isfinite(right)])) if np.isfinite(right).any() else 1.0
    kept = right[np.isfinite(right)]
    return {**found.to_dict(), "rounding": rounding, "right": float(np.median(kept)) if kept.size else None, "right_at_least_sure": share}


def sum_study(
    n: int, *, format: str = "bf16", accumulator: str | None = None, inputs: str = "uniform", rounding: str = "rne", runs: int = 50, confidence: float = 0.95,
    seed: int = 0, progress: Progress = _silent,
) -> BoundStudy:  # fmt: skip
    """`runs` sums of n numbers of the format, kept by `accumulator` (sequential in the format where none is given), beside every bound of it.

    rounding : "rne", or "stochastic" for a sum in order whose every addition is rounded so
    """
    for name, value in (("n", n), ("runs", runs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadValue(f"{name}={value!r} must be a whole number of at least 1.")
    if inputs not in SUMMANDS:
        raise unknown_name("summands", inputs, SUMMANDS, "thrifty numerics bounds --help")
    if rounding not in ("rne", "stochastic"):
        raise BadValue(f"rounding='{rounding}' is not studied for sums. Choose rne or stochastic.")
    how = parse_accumulator(accumulator or f"sequential:{float_spec(format).name}")
    if rounding == "stochastic" and how.kind != "sequential":
        raise BadValue(f"accumulator='{how.name}' rounds to nearest. Stochastic rounding needs a sequential sum.")
    x = _summands(inputs, runs, n, seed, format)
    exact = np.array([math.fsum(row) for row in x.tolist()])
    progress("sums", 0.2)
    with np.errstate(over="ignore", invalid="ignore"):
        got = _stochastic(x, how.spec.name, seed) if rounding == "stochastic" else np.asarray(accumulate(x, how), dtype=np.float64)
        error = np.abs(got - exact)
    error = np.where(np.isfinite(error), error, np.inf)
    size, u, steps = np.abs(x).sum(axis=1), how.spec.unit_roundoff, depth(how, n)
    width = sum_width(x, how, products=False)
    grown = 2.0 if rounding == "stochastic" or how.kind == "tensor_core" else 1.0  # how many u one rounding may be off
    rows = [
        Row.of("γ(n) Σ|x|", "nothing", _times(constants.gamma(steps, grown * u), size), error, 1.0),
        Row.of("walked, worst case", "nothing but first order", grown * width.worst, error, 1.0),
    ]
    probable = grown * np.minimum(width.worst, width.drift + constants.lambda_of(confidence) * np.sqrt(width.square))
    if how.kind != "tensor_core":  # which cuts toward zero: nothing cancels
        chance = "nothing: stochastic rounding is of mean zero" if rounding == "stochastic" else CHANCE
        closed = (constants.gamma_stochastic if rounding == "stochastic" else constants.gamma_probable)(steps, u, confidence, events=n)
        rows += [
            Row.of("γ(n, λ) Σ|x|", chance, _times(closed, size), error, confidence), Row.of("walked, probable", chance, probable, error, confidence),
        ]  # fmt: skip
        if how.kind in ("sequential", "fma") and inputs != "ones":
            mean, spread = (0.5, 0.5) if inputs == "uniform" else (0.0, 1.0)
            zero = np.full(runs, grown * constants.zero_mean_error(n, u, mean, spread, confidence))
            rows.append(Row.of("λ·u·√Σs², from mean and spread", f"{chance}; numbers independent", zero, error, confidence))
    notes = []
    if how.kind in ("sequential", "fma") and rounding == "rne" and (np.abs(got) < 0.75 * np.abs(exact)).mean() > 0.5 and exact.min() > 0:
        notes.append(
            f"the sum stagnates: once it is {1 / u:g} times a summand, adding that one rounds to no change, so roundings all point one way and no probable "
            "bound to nearest can hold"
        )
    return BoundStudy(
        subject=f"a sum of {n} numbers kept by {how.name}" + (", rounded stochastically" if rounding == "stochastic" else ""), settings={
            "n": n, "format": float_spec(format).name, "accumulator": how.name, "rounding": rounding, "inputs": inputs, "confidence": confidence, "seed": seed,
            "roundings_in_a_row": steps, "relative_error": float(np.median(error / np.abs(exact))) if np.all(exact != 0) and np.isfinite(error).all() else None,
            "golden": "exact sums of the numbers as rounded to the format",
        },
        runs=runs, elements=error.size, measured=quantiles_of(error), bounds=tuple(rows), sites=(), digits=None, notes=tuple(notes),
        curve=curve_of(**{"measured": error, "probable bound": probable, "worst case": grown * width.worst}),
    )  # fmt: skip


def _times(constant: float, size: Floats) -> Floats:
    return np.where(size == 0, 0.0, constant * size)


def _summands(inputs: str, runs: int, n: int, seed: int, format: str) -> Floats:
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = np.ones((runs, n)) if inputs == "ones" else rng.random((runs, n)) if inputs == "uniform" else rng.standard_normal((runs, n))
    return np.asarray(round_to(drawn, format, overflow="saturate"), dtype=np.float64)


def _stochastic(x: Floats, format: str, seed: int) -> Floats:
    """Sums in order, each addition rounded by a draw of its own."""
    total = np.zeros(x.shape[0])
    for k, word in enumerate(random_words(seed, 0, x.shape[1]).tolist()):
        total = np.asarray(round_to(total + x[:, k], format, rounding="stochastic", overflow="saturate", seed=word), dtype=np.float64)
    return total
