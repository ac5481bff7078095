"""Places at which attention rounds a result, and sums whose keeping is chosen. A site inherits: ``o.mul`` from ``o``, and that from ``*``."""

from __future__ import annotations

from typing import Final

SITES: Final[dict[str, str]] = {
    "in.q": "queries as they come in",
    "in.k": "keys as they come in",
    "in.v": "values as they come in",
    "in.do": "gradient of the output as it comes in (backward pass)",
    "s.store": "scores QKᵀ, where their accumulation ends",
    "s.scale": "scores times 1/√d",
    "s.bias": "scores plus a bias (ALiBi)",
    "s.sub": "score minus the maximum it is held against",
    "p.exp": "e to that",
    "p.store": "P as it goes into PV",
    "p.div": "P over its row's sum (baseline)",
    "l.store": "row sum of P, where its accumulation ends",
    "l.mul": "old or new row sum times its factor",
    "l.add": "row sums of tiles added",
    "alpha.sub": "difference of two maxima",
    "alpha.exp": "factor e to that",
    "pv.store": "PV of a tile, where its accumulation ends",
    "o.mul": "old or new output times its factor",
    "o.add": "outputs of tiles added",
    "o.div": "output over the row sum",
    "o.store": "output as it goes out",
    "lse": "m + log l, kept for the backward pass and for joining splits",
    "b.dsum": "D: row sum of dO·O (or of P·dP)",
    "b.p": "P recomputed from scores and lse",
    "b.dp": "dP = dO Vᵀ",
    "b.sub": "dP − D",
    "b.ds": "dS = P·(dP − D), as it goes into products",
    "b.dq": "dQ of a tile, and each addition of tiles",
    "b.dk": "dK, likewise",
    "b.dv": "dV, likewise",
    "b.out": "dQ, dK and dV as they go out",
}
"""Site → what is rounded there."""

ACCUMULATORS: Final[dict[str, str]] = {
    "s.acc": "QKᵀ along the head dimension",
    "l.acc": "row sum of P within a tile",
    "o.acc": "PV along the keys of a tile",
    "b.acc": "products of the backward pass",
    "d.acc": "D of the backward pass: the row sum of dO·O or of P·dP",
}
"""Sum → what is added up. Its value is an accumulator of `thrifty.formats` such as ``fma:fp32`` or ``hopper-bf16``."""

WORKING: Final = "dt"
"""The format that a policy leaves open: the caller's `format`."""
