"""Carbon moved between hours and between tenants. Nothing is made and nothing is lost: totals are checked after every move."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger.coding import Coded
from thrifty.lenses.carbon.ledger.columns import LINES, NOBODY
from thrifty.lenses.carbon.ledger.table import Floats, Ledger, conserved


def spread(ledger: Ledger, hours_T: npt.ArrayLike, weight_T: npt.ArrayLike | None = None) -> Ledger:
    """Rows of the whole period over `hours_T` (UTC), by `weight_T` (default: evenly); rows that have an hour stay.

    Raises BadValue for no hours, an hour twice, or weights that are negative, NaN or all 0.
    """
    hours = np.asarray(hours_T, dtype="datetime64[h]")
    if hours.ndim != 1 or not len(hours) or np.isnat(hours).any() or len(np.unique(hours)) != len(hours):
        raise BadValue("carbon is spread over one or more hours, each once. Give such hours.")
    share_T = shares_of(np.ones(len(hours)) if weight_T is None else weight_T, len(hours), "weight of an hour")
    whole = np.isnat(ledger.hour_R)
    rows = np.flatnonzero(whole)
    used = np.flatnonzero(share_T > 0)
    repeated = np.repeat(rows, len(used))
    moved = ledger.carbon_gco2e_R[rows][:, None] * share_T[used][None, :]
    kept = np.flatnonzero(~whole)
    order = np.concatenate([kept, repeated])
    result = Ledger(
        texts={name: column.taken(order) for name, column in ledger.texts.items()}, scope_R=ledger.scope_R[order],
        hour_R=np.concatenate([ledger.hour_R[kept], np.tile(hours[used], len(rows))]),
        carbon_gco2e_R=np.concatenate([ledger.carbon_gco2e_R[kept], moved.ravel()]),
    )  # fmt: skip
    conserved(float(ledger.carbon_gco2e_R.sum()), float(result.carbon_gco2e_R.sum()))
    return result


def divide(ledger: Ledger, share_by_tenant: Mapping[str, npt.ArrayLike], *, rest: Mapping[str, npt.ArrayLike] | str = "idle") -> Ledger:
    """Rows that nobody is charged for and that are in line "used", among tenants; what no tenant takes goes to a line of its own.

    share_by_tenant : a share from 0 to 1 for all rows, or one a row of those rows, in their order
    rest            : the line of the remainder ("idle"), or shares of several lines ({"idle": .., "stranded": ..}) that fill it up
    Raises BadValue for no tenant, shares out of range, or more than the whole.
    """
    if not share_by_tenant:
        raise BadValue("carbon cannot be divided among no tenants. Name at least one.")
    mine = ledger.texts["tenant"].among([NOBODY]) & ledger.texts["line"].among(["used"])
    rows = np.flatnonzero(mine)
    shares = {name: _each_row(value, len(rows), name) for name, value in share_by_tenant.items()}
    if "" in shares:
        raise BadValue("a tenant has no name. Name every tenant.")
    left_R = 1.0 - sum(shares.values(), np.zeros(len(rows)))
    if (left_R < -1e-9).any():
        raise BadValue(f"tenants take {1 - left_R.min():.6g} of the whole, which is more than there is. Shares may sum to 1.")
    left_R = np.maximum(left_R, 0.0)
    lines: dict[str, Floats] = {rest: left_R} if isinstance(rest, str) else {name: _each_row(value, len(rows), name) for name, value in rest.items()}
    if np.abs(sum(lines.values(), np.zeros(len(rows))) - left_R).max(initial=0.0) > 1e-9:
        raise BadValue("the lines of what no tenant takes do not fill it up. Give lines that sum to the remainder.")
    pieces = [ledger.taken(np.flatnonzero(~mine))]
    pieces += [_piece(ledger, rows, share_R, name, "used") for name, share_R in shares.items()]
    pieces += [_piece(ledger, rows, share_R, NOBODY, line) for line, share_R in lines.items()]
    result = Ledger.joined([piece for piece in pieces if len(piece)]) if len(ledger) else ledger
    conserved(float(ledger.carbon_gco2e_R.sum()), float(result.carbon_gco2e_R.sum()))
    return result


def charge(ledger: Ledger, line: str, share_by_tenant: Mapping[str, float]) -> Ledger:
    """A line that nobody is charged for (idle, stranded, overhead), to tenants by shares that sum to 1. It stays a line of its own on every bill."""
    if line not in LINES[1:]:
        raise BadValue(f"'{line}' is no line apart. Choose from: {', '.join(LINES[1:])}.")
    total = sum(share_by_tenant.values())
    if not abs(total - 1) <= 1e-9:
        raise BadValue(f"shares of line '{line}' sum to {total:.6g}. Give shares that sum to 1, so that nothing is lost.")
    mine = ledger.texts["tenant"].among([NOBODY]) & ledger.texts["line"].among([line])
    rows = np.flatnonzero(mine)
    pieces = [ledger.taken(np.flatnonzero(~mine))]
    pieces += [_piece(ledger, rows, _each_row(share, len(rows), name), name, line) for name, share in share_by_tenant.items()]
    result = Ledger.joined([piece for piece in pieces if len(piece)]) if len(ledger) else ledger
    conserved(float(ledger.carbon_gco2e_R.sum()), float(result.carbon_gco2e_R.sum()))
    return result


def shares_of(weight_N: npt.ArrayLike, count: int, what: str) -> Floats:
    """Weights as shares of 1. Raises BadValue for negative or NaN ones, another number of them than `count`, or no weight at all."""
    weights = np.asarray(weight_N, dtype=np.float64)
    if weights.shape != (count,):
        raise BadValue(f"{weights.shape} weights do not fit {count}. Give one each.")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise BadValue(f"a {what} is negative or no number. Give numbers of at least 0.")
    total = float(weights.sum())
    if total <= 0:
        raise BadValue(f"every {what} is 0, so there is nothing to divide by. Give at least one above 0.")
    return weights / total


def _each_row(value: npt.ArrayLike, rows: int, name: str) -> Floats:
    share = np.asarray(value, dtype=np.float64)
    if share.ndim and share.shape != (rows,):
        raise BadValue(f"'{name}' has {share.size} shares for {rows} rows. Give one, or one a row.")
    if not (np.isfinite(share).all() and (share >= -1e-12).all() and (share <= 1 + 1e-9).all()):
        raise BadValue(f"the share of '{name}' is not between 0 and 1. Mend it.")
    return np.maximum(np.broadcast_to(share, rows), 0.0)


def _piece(ledger: Ledger, rows: npt.NDArray[np.int64], share_R: Floats, tenant: str, line: str) -> Ledger:
    some = share_R > 0
    chosen = rows[some]
    texts = {name: column.taken(chosen) for name, column in ledger.texts.items()}
    zeros = np.zeros(len(chosen), dtype=np.int32)
    texts |= {"tenant": Coded((tenant,), zeros), "line": Coded((line,), zeros.copy())}
    return Ledger(texts=texts, scope_R=ledger.scope_R[chosen], hour_R=ledger.hour_R[chosen], carbon_gco2e_R=ledger.carbon_gco2e_R[chosen] * share_R[some])
