"""Which policies the compiled loop serves, and how it is called. May be imported where Numba is not.

It serves what it computes bit by bit as `plain` does: sums kept by fused chains, all in FP32 or all in FP64, and rounding to nearest. With FP64 sums
all steps are FP64 as they are in `plain`. With FP32 sums the output is FP32 at every step, and an FP32 operation rounded again is the FP64 operation
rounded once where the site keeps FP32, or at most 11 bits and what goes into the operation is no finer than what comes out: 24 ≥ 2·11 + 2 (Figueroa 1995).
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from thrifty.formats import FloatSpec, Rounding, float_spec
from thrifty.formats.accumulators import parse_accumulator
from thrifty.lenses.numerics.laboratory.prepare import Problem
from thrifty.lenses.numerics.laboratory.steps import Floats
from thrifty.loops import has_numba

SITES = (
    "s.store", "s.scale", "s.bias", "s.sub", "p.exp", "p.div", "p.store", "l.store", "l.mul", "l.add", "alpha.sub", "alpha.exp", "pv.store", "o.mul",
    "o.add", "o.div",
)  # fmt: skip
MANY: Final = 64
"""Answers about a policy that are held."""
_STEPS = {
    "fa1": (("o.mul", "l.mul", "o.div", "alpha.exp", "pv.store"), ("o.add", "o.mul"), ("o.div", "o.add", "l.add")),
    "fa2": (("o.mul", "alpha.exp", "o.add"), ("o.add", "o.mul", "pv.store"), ("o.div", "o.add", "l.add")),
    "baseline": (("o.div", "pv.store", "l.store"),),
}
"""Algorithm → operations on the output: (site of the result, sites of what goes in)."""


def served(problem: Problem) -> type[np.float32] | type[np.float64] | None:
    """What the compiled loop would compute in, None where it does not serve."""
    if not has_numba() or not problem.steps.compiled or 0 in (problem.q.size, problem.k.size):
        return None
    kept, key = problem.steps.worked_out, ("served", problem.sight.everything)
    if key not in kept:
        kept[key] = _served(problem)
    return kept[key]  # type: ignore[no-any-return]


def _served(problem: Problem) -> type[np.float32] | type[np.float64] | None:
    policy, roundings = problem.policy, problem.steps.roundings
    sums = {str(parse_accumulator(problem.steps.accumulator(site))) for site in ("s.acc", "l.acc", "o.acc")}
    used = [roundings[site] for site in (*SITES, "in.q", "in.k", "in.v")]
    if not all(_nearest_alone(to) for to in used):
        return None
    if not problem.sight.everything and (roundings["s.sub"].overflow != "inf"):
        return None
    if policy.options.rescale_log2 and not (_plain(roundings["o.mul"]) and roundings["o.mul"].spec.holds(roundings["o.add"].spec)):
        return None
    if sums == {"fma:fp64"}:
        return np.float64
    single = float_spec("fp32")
    if sums != {"fma:fp32"} or not all(single.holds(to.spec) for to in used):
        return None
    steps = _STEPS.get(policy.algorithm, _STEPS["fa2"])
    sites = {site for step in steps for site in step if site.startswith("o.")} | {"pv.store"}
    if not all(_in_single(roundings[site]) for site in sites):
        return None
    for into, *given in steps:
        if roundings[into].spec != single and not all(roundings[into].spec.holds(roundings[site].spec) for site in given):
            return None
    return np.float32


def _plain(to: Rounding) -> bool:
    return to.mode == "rne" and not to.flush and to.overflow == "inf"


def _nearest_alone(to: Rounding) -> bool:
    """To nearest, FP64, FP32 or a format whose spacing FP64's own addition can take; numbers too large become infinite, or the largest (FP32: infinite)."""
    spec = to.spec
    if to.mode != "rne" or to.flush or (to.overflow == "nan" and spec.infinities) or not spec.signed or not spec.subnormals or spec.no_number == "minus_zero":
        return False
    if spec.name in ("fp64", "fp32"):
        return to.overflow == "inf"
    return 0 < spec.mantissa_bits < 52 and spec.emin - spec.mantissa_bits > -1000 and spec.emax + 53 - spec.mantissa_bits <= 1023


def _in_single(to: Rounding) -> bool:
    """FP32, or a format whose rounding of an FP32 operation is as good as one rounding, also where numbers are subnormal."""
    spec = to.spec
    if spec == float_spec("fp32"):
        return True
    far = 2 * (spec.emin - spec.mantissa_bits) >= -149 and spec.emin - spec.mantissa_bits >= -100
    return spec.mantissa_bits <= 10 and ((far and spec.emax < 100) or _shares(spec))


def _shares(spec: FloatSpec) -> bool:
    """FP32's exponents, and at most 8 bits of significand."""
    return (spec.exponent_bits, spec.bias, spec.no_number) == (8, 127, "ieee") and spec.mantissa_bits <= 7


def parts(problem: Problem, kind: Any, tally: Any) -> list[tuple[Floats, Floats, Floats]]:
    """For each split: output over its row sum (batch, H, N, d_v), row maximum and row sum (batch, H, N). Counts are added to `tally`."""
    from thrifty.lenses.numerics.laboratory.kernels.flash import BASELINE, FLASH1, FLASH2, attend_blocks
    from thrifty.lenses.numerics.laboratory.kernels.micro import LANES
    from thrifty.loops import in_threads

    policy = problem.policy
    kept, key = problem.steps.worked_out, (kind, problem.factor)
    if key not in kept:
        if len(kept) >= MANY:
            kept.clear()
        kept[key] = _tables(problem, kind)
    sites, kinds, floats, words, numbers, table, shape = kept[key]
    q, k, v = (_carried(_flat(x), kind) for x in (problem.q, problem.k, problem.v))
    batch, heads, seq, _ = problem.q.shape
    none = np.zeros((0, 0))
    scales = [none if x is None else np.ascontiguousarray(_flat(x)) for x in (problem.q_scale, problem.k_scale, problem.v_scale)]
    sight = problem.sight
    before, after = (-1 if side is None else side for side in sight.window)
    mask = np.zeros((0, 0, 0), dtype=np.uint8) if sight.mask is None else _flat(sight.mask).view(np.uint8)
    slopes = np.zeros(0) if sight.slopes is None else sight.slopes
    blocks = len(q) * -(-seq // LANES)
    # Under a causal mask the last blocks have the most work: first and last by turns.
    order = np.empty(blocks, dtype=np.int64)
    order[0::2], order[1::2] = np.arange(-(-blocks // 2)), np.arange(blocks - 1, -(-blocks // 2) - 1, -1)
    algorithm = {"baseline": BASELINE, "fa1": FLASH1}.get(policy.algorithm, FLASH2)
    made = []
    for split in problem.splits:
        tiles = np.array(split, dtype=np.int64).reshape(-1, 2)
        out, tops, totals = np.zeros((len(q), seq, v.shape[2])), np.full((len(q), seq), -np.inf), np.zeros((len(q), seq))
        counted: list[Any] = []

        def part(first: int, last: int, tiles: Any = tiles, out: Any = out, tops: Any = tops, totals: Any = totals, counted: Any = counted) -> None:
            counts = np.zeros(6, dtype=np.int64)
            attend_blocks(
                first, last, order, q, k, v, tiles, algorithm, numbers, scales[0], scales[1], scales[2], slopes, mask,
                np.array([seq, k.shape[1], sight.causal, before, after], dtype=np.int64), sites, kinds, floats, words, table, shape, out, tops, totals, counts,
            )  # fmt: skip
            counted.append(counts)

        keys = sum(last - first for first, last in split)
        in_threads(part, blocks, LANES * (keys * (q.shape[2] + v.shape[2] + 60) // 8 + len(split) * v.shape[2] * 4), block=1)
        for counts in counted:
            for name, count in zip(("visits", "rescales", "repeated", "seen", "underflows", "overflows"), counts, strict=True):
                setattr(tally, name, getattr(tally, name) + int(count))
        made.append((out.reshape(batch, heads, seq, v.shape[2]), tops.reshape(batch, heads, seq), totals.reshape(batch, heads, seq)))
    return made


def _tables(problem: Problem, kind: Any) -> tuple[Any, ...]:
    """The roundings as the loop takes them: sites, kinds, floats, words, numbers."""
    from thrifty.formats.words import HALVES
    from thrifty.lenses.numerics.laboratory.kernels.lanes import ALIGNED, CLIPPED, HALF, NEAREST, SINGLE, STAYS
    from thrifty.lenses.numerics.laboratory.kernels.lean import BY_TABLE, IN_DOUBLE, IN_SINGLE

    policy, options = problem.policy, problem.policy.options
    roundings = [problem.steps.roundings[site] for site in SITES]
    chunk_kinds = [STAYS if to.spec.name == "fp64" else SINGLE if to.spec.name == "fp32" else NEAREST for to in roundings]
    sites = np.array([(float(each), *_addition(to, 52)) for each, to in zip(chunk_kinds, roundings, strict=True)])
    kinds = np.full(len(SITES), -1, dtype=np.int64)
    floats, words = np.zeros((len(SITES), 5), dtype=np.float32), np.zeros((len(SITES), 2), dtype=np.uint32)
    for place, to in enumerate(roundings if kind is np.float32 else []):
        if _in_single(to):
            kinds[place] = STAYS if to.spec.name == "fp32" else NEAREST
            if _shares(to.spec):
                kinds[place] = ALIGNED if to.overflow == "inf" else CLIPPED
            elif HALVES and to.spec == float_spec("fp16") and to.overflow == "inf":
                kinds[place] = HALF
            if kinds[place] in (ALIGNED, CLIPPED):
                words[place] = 23 - to.spec.mantissa_bits, (to.spec.largest_code + (to.overflow != "saturate")) << (23 - to.spec.mantissa_bits)
            elif kinds[place] == NEAREST:
                floats[place] = _addition(to, 23)
    by_site = dict(zip(SITES, roundings, strict=True))
    again = options.p_scale != 1.0 or by_site["p.store"] != by_site["p.div" if policy.algorithm == "baseline" and not options.divide_after else "p.exp"]
    lean = options.p_scale == 1.0 and (kind is np.float64 or _lean(problem, by_site, kinds))
    way, table, shape = IN_DOUBLE, np.zeros(0, dtype=np.float32), np.zeros(4, dtype=np.uint32)
    if lean and kind is np.float32 and by_site["s.sub"].spec.name != "fp32":
        way, (table, shape) = BY_TABLE, exp_table(by_site["s.sub"].spec, by_site["p.exp"], options.exp2_degree)
    elif lean and kind is np.float32 and options.exp2_degree != 3 and by_site["p.exp"].spec.name == "fp32":
        way = IN_SINGLE
    alike = _alike([by_site[site] for site in ("pv.store", "o.mul", "o.add", "o.div")], kinds[SITES.index("o.add")])
    numbers = np.array([problem.factor or 0.0, options.p_scale, options.rescale_log2, options.repeated_max, options.exp2_degree,
                        policy.algorithm == "baseline" and options.divide_after, kind is np.float32 and kinds[0] >= 0, again,
                        -1 if alike == CLIPPED else alike, lean, way], dtype=np.float64)  # fmt: skip
    return sites, kinds, floats, words, numbers, table, shape


def _lean(problem: Problem, by_site: dict[str, Rounding], kinds: Any) -> bool:
    """Scores may be scaled, and their maximum taken off, in FP32: see the module; a power of two goes into a product without loss."""
    scores = by_site["s.store"]
    if problem.policy.options.repeated_max or any(kinds[SITES.index(site)] < 0 for site in ("s.store", "s.sub", "p.store")):
        return False
    factor = problem.factor
    if factor is not None:
        single = float(np.float32(factor)) == factor
        exact = np.frexp(factor)[0] == 0.5 and factor <= 1 and 2.0 ** (scores.spec.emin - scores.spec.mantissa_bits) * factor >= 2.0**-149
        scores = by_site["s.scale"]
        if not (single and (scores.spec.name == "fp32" or (exact and kinds[SITES.index("s.scale")] >= 0))):
            return False
    difference = by_site["s.sub"].spec
    return difference.name == "fp32" or difference.holds(scores.spec)


@functools.lru_cache(maxsize=16)
def exp_table(spec: FloatSpec, to: Rounding, degree: int) -> tuple[Any, Any]:
    """e^x of every number of a narrow format, rounded, as FP32; and (bits of FP32 to drop, first index, last, indices of one sign)."""
    from thrifty.formats.elementary import exp
    from thrifty.formats.rounding.plain import round_plain
    from thrifty.lenses.numerics.laboratory.polynomials import exp_cubic

    drop = 23 - spec.mantissa_bits
    least, largest = (int(np.float32(x).view(np.uint32)) for x in (2.0 ** (spec.emin - spec.mantissa_bits), spec.largest))
    low, top = (least >> drop) - 1, (largest >> drop) + 2  # 0, and the two that are infinite and no number
    words = np.arange(low, top + 1, dtype=np.uint32) << drop
    words[0] = 0
    words[-2:] = 0x7F800000, 0x7FC00000
    size = words.view(np.float32).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        found = round_plain((exp_cubic if degree == 3 else exp)(np.concatenate([size, -size])), to).astype(np.float32)
    return found, np.array([drop, low, top, len(size)], dtype=np.uint32)


def _carried(x: Any, kind: Any) -> Any:
    """x as the loop holds it. NaN of FP32 end in zeros, which roundings of words rely on."""
    held = np.ascontiguousarray(x, dtype=kind)
    if kind is np.float32 and np.isnan(held).any():
        held[np.isnan(held)] = np.nan
    return held


def _flat(x: Any) -> Any:
    """The first two axes as one (also where one is of length 0)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _alike(output: list[Rounding], kind: int) -> int:
    """The kind of rounding that all sites of the output share, -1 where they share none."""
    if len(set(output)) > 1:
        return -1
    free = output[0].spec.name == "fp64" and _plain(output[0])
    return 0 if free else int(kind)


def _addition(to: Rounding, bits: int) -> tuple[float, ...]:
    """(smallest normal, 2^(bits - mantissa bits), what sizes are clipped at, largest, what lies beyond) for an addition in FP32 (23) or FP64 (52)."""
    spec = to.spec
    lost = spec.largest if to.overflow == "saturate" else np.inf if to.overflow == "inf" else np.nan
    clip = spec.largest if to.overflow == "saturate" else min(spec.largest + 2.0 ** (spec.emax - spec.mantissa_bits), 2.0**1023)
    return spec.smallest_normal, 2.0 ** (bits - spec.mantissa_bits), clip, spec.largest, lost
