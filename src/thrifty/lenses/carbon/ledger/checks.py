"""What makes a ledger wrong: words out of their lists, carbon below zero, and the same carbon counted twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger.coding import Coded
from thrifty.lenses.carbon.ledger.columns import KEY, WORDS

MOST_G = 1e24
"""The atmosphere holds 3e18 g of CO2."""


def check_columns(texts: Mapping[str, Coded], scope_R: npt.NDArray[Any], hour_R: npt.NDArray[Any], carbon_gco2e_R: npt.NDArray[Any]) -> None:
    """Raises BadValue for a word outside its list, carbon that is below 0 or no number, or a method that does not fit its scope."""
    for name, allowed in WORDS.items():
        for word in texts[name].used():
            if word not in allowed:
                raise BadValue(f"'{word}' is no {name} of a ledger. Choose from: {', '.join(repr(each) for each in allowed)}.")
    if "" in texts["asset"].used():
        raise BadValue("a row of the ledger names no asset. Say what emitted it.")
    bad = ~np.isfinite(carbon_gco2e_R) | (carbon_gco2e_R < 0)
    if bad.any():
        row = int(bad.argmax())
        asset = texts["asset"].names[int(texts["asset"].code_R[row])]
        raise BadValue(
            f"row {row} of the ledger ('{asset}') has {carbon_gco2e_R[row]} gCO2e. Carbon is finite and at least 0; "
            "offsets and credits are reported apart, they never subtract."
        )
    if len(carbon_gco2e_R) and carbon_gco2e_R.max() > MOST_G:
        row = int(carbon_gco2e_R.argmax())
        asset = texts["asset"].names[int(texts["asset"].code_R[row])]
        raise BadValue(f"row {row} of the ledger ('{asset}') has {carbon_gco2e_R[row]:g} gCO2e, more than there is on Earth. Mend it.")
    named = texts["method"].among(["location", "market"])
    wrong = named != (scope_R == 2)
    if wrong.any():
        row = int(wrong.argmax())
        raise BadValue(
            f"row {row} of the ledger has scope {scope_R[row]} and method '{texts['method'].names[int(texts['method'].code_R[row])]}'. "
            "Scope 2 is counted by location or by market, scopes 1 and 3 by neither."
        )


def check_counted_once(texts: Mapping[str, Coded], scope_R: npt.NDArray[Any], hour_R: npt.NDArray[Any]) -> None:
    """Raises BadValue where two rows share all words of the key, or where the whole period and single hours are both there."""
    if len(scope_R) < 2:
        return
    parts = {name: texts[name].code_R.astype(np.int64) for name in KEY if name in texts}
    parts["scope"] = scope_R.astype(np.int64)
    hours = hour_R.astype(np.int64)
    timed = ~np.isnat(hour_R)
    least = int(hours[timed].min()) if timed.any() else 0
    parts["hour"] = np.where(timed, hours - least + 1, 0)
    with_hour = _keys([parts[name] for name in KEY])
    order = np.argsort(with_hour, kind="stable")
    twice = np.flatnonzero(np.diff(with_hour[order]) == 0)
    if len(twice):
        raise BadValue(
            f"{_row(texts, scope_R, hour_R, int(order[twice[0] + 1]))} is counted twice. Keep one of the rows, or tell them apart by tenant or line."
        )
    if timed.any() and not timed.all():
        without = _keys([parts[name] for name in KEY if name != "hour"])
        both = np.isin(without, without[~timed]) & timed
        if both.any():
            raise BadValue(
                f"{_row(texts, scope_R, hour_R, int(both.argmax()))} is there by the hour and for the whole period. "
                "That counts it twice: keep one, or spread the period over its hours."
            )


def _keys(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """One number a row, equal where all parts are."""
    sizes = [int(part.max()) + 1 for part in parts]
    if math.prod(sizes) < 2**62:
        key = np.zeros(len(parts[0]), dtype=np.int64)
        for part, size in zip(parts, sizes, strict=True):
            key = key * size + part
        return key
    return np.asarray(np.unique(np.stack(parts, axis=1), axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _row(texts: Mapping[str, Coded], scope_R: npt.NDArray[Any], hour_R: npt.NDArray[Any], row: int) -> str:
    words = {name: texts[name].names[int(texts[name].code_R[row])] for name in ("asset", "phase", "tenant", "line")}
    when = "" if np.isnat(hour_R[row]) else f" at {np.datetime_as_string(hour_R[row], unit='h')}Z"
    whose = f" of tenant '{words['tenant']}'" if words["tenant"] else ""
    return f"carbon of asset '{words['asset']}', phase '{words['phase']}', scope {scope_R[row]}, line '{words['line']}'{whose}{when}"
