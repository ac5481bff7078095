"""`collective_time`: seconds of a collective over tiers, for one size or many, with what shares the tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from thrifty.cost.collectives import kernels
from thrifty.cost.collectives.kinds import algorithm_code, kind_code
from thrifty.cost.collectives.links import Floats, check_tier, link_parameters, shared_link
from thrifty.errors import BadValue
from thrifty.hardware.device import Device, Tier


@overload
def collective_time(
    kind: str, bytes: float, tiers: Sequence[Tier], *, algorithm: str = ..., device: Device | None = ..., links_TP: Floats | None = ...,
    sharing: float | Sequence[float] = ...,
) -> float: ...  # fmt: skip
@overload
def collective_time(
    kind: str, bytes: ArrayLike, tiers: Sequence[Tier], *, algorithm: str = ..., device: Device | None = ..., links_TP: Floats | None = ...,
    sharing: float | Sequence[float] = ...,
) -> Floats: ...  # fmt: skip
def collective_time(
    kind: str, bytes: float | ArrayLike, tiers: Sequence[Tier], *, algorithm: str = "auto", device: Device | None = None,
    links_TP: Floats | None = None, sharing: float | Sequence[float] = 1.0,
) -> float | Floats:  # fmt: skip
    """How long a collective takes, in seconds.

    kind      : all_reduce, all_gather, reduce_scatter, all_to_all, broadcast or send (point to point)
    bytes     : all_reduce, broadcast, send: the whole buffer; all_gather, reduce_scatter: the gathered buffer, all ranks' parts together;
                all_to_all: what one rank sends in all, its own part included. One number, or an array of any shape
    tiers     : where the group lies, innermost first; `count` is how many of its ranks (or of its units one tier below) sit under one unit of the tier.
                A tier with count 1 is not crossed: one GPU a node is (nvlink 1, network m) and pays the network only
    algorithm : auto (the fastest), ring, tree (double binary), direct (pairwise), recursive_doubling — over several tiers these take all ranks for
                neighbours on the slowest link —, hierarchical (phase after phase over the tiers) or overlapped (the same, chunk by chunk)
    device    : whose links the tiers are: NVLink, PCIe and networks then take the catalogue's constants. Without it the textbook's formulas hold, with
                the tier's full bandwidth and its latency_s in every step
    links_TP  : (T, P) rows of `link_parameters`, instead of device
    sharing   : how many equal flows share each tier (one number for all, or one a tier)

    Raises UnknownName for a kind or algorithm that does not exist, BadValue for one that does not fit, bytes below 0 or not finite, no tiers, and
    tiers without ranks or bandwidth. One rank takes 0 s. Errors of the fitted constants: see `validate_collectives` and the catalogue.
    """
    code = kind_code(kind)
    how = algorithm_code(kind, algorithm)
    counts_T, rows_TP = group_arrays(tiers, device=device, links_TP=links_TP, sharing=sharing)
    sizes = np.asarray(bytes, dtype=np.float64)
    if not np.isfinite(sizes).all() or (sizes < 0).any():
        bad = sizes[~(np.isfinite(sizes) & (sizes >= 0))].flat[0]
        raise BadValue(f"bytes of {kind} are {float(bad)!r}. Give a finite number of bytes, 0 or more.")
    if sizes.ndim == 0:
        return float(kernels.by_algorithm(code, how, float(sizes), counts_T, rows_TP))
    seconds = np.empty(sizes.size)
    kernels.loop()(code, how, np.ascontiguousarray(sizes).reshape(-1), counts_T, rows_TP, seconds)
    return seconds.reshape(sizes.shape)


def group_arrays(
    tiers: Sequence[Tier], *, device: Device | None = None, links_TP: Floats | None = None, sharing: float | Sequence[float] = 1.0
) -> tuple[Floats, Floats]:
    """(T,) counts and (T, P) link rows that `tiers_seconds` takes, from tiers; arguments and errors as `collective_time`."""
    if not tiers:
        raise BadValue("tiers are empty. Give at least one, innermost first.")
    for tier in tiers:
        check_tier(tier)
    if links_TP is None:
        rows_TP = np.stack([link_parameters(tier, device) for tier in tiers])
    else:
        rows_TP = np.array(links_TP, dtype=np.float64)
        if rows_TP.shape != (len(tiers), len(kernels.LINK_FIELDS)):
            raise BadValue(f"links_TP has shape {rows_TP.shape}. Give one row of {len(kernels.LINK_FIELDS)} numbers for each of the {len(tiers)} tiers.")
    factors = [float(sharing)] * len(tiers) if isinstance(sharing, int | float) else [float(factor) for factor in sharing]
    if len(factors) != len(tiers):
        raise BadValue(f"sharing has {len(factors)} numbers for {len(tiers)} tiers. Give one for all, or one a tier.")
    rows_TP = np.stack([shared_link(row, factor) for row, factor in zip(rows_TP, factors, strict=True)])
    return np.array([float(tier.count) for tier in tiers]), rows_TP
