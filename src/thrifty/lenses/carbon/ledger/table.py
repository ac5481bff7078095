"""The ledger: carbon by asset, phase, scope, hour and tenant, as columns. A row exists only where there is carbon to tell of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.series.stamps import YEARS
from thrifty.errors import BadValue, unknown_name
from thrifty.lenses.carbon.ledger.checks import check_columns, check_counted_once
from thrifty.lenses.carbon.ledger.coding import Coded, coded, joined
from thrifty.lenses.carbon.ledger.columns import COLUMNS, DEFAULTS, GROUPS, METHODS, TEXTS

Floats = npt.NDArray[np.float64]
CONSERVED: Final = 1e-9
"""Share of a total by which rounding may move it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ledger:
    """Grams of CO2e a row. Made by `Ledger.of` or `Ledger.of_columns`; never changed: every operation returns a new ledger.

    texts   : columns asset, phase, method, tenant, line, truth and source as `Coded`
    scope_R : 1, 2 or 3; hour_R: the hour (UTC) in which carbon is counted, NaT for the whole period; carbon_gco2e_R: at least 0
    """

    texts: Mapping[str, Coded] = field(repr=False)
    scope_R: npt.NDArray[np.int8] = field(repr=False)
    hour_R: npt.NDArray[np.datetime64] = field(repr=False)
    carbon_gco2e_R: Floats = field(repr=False)

    def __post_init__(self) -> None:
        check_columns(self.texts, self.scope_R, self.hour_R, self.carbon_gco2e_R)
        check_counted_once(self.texts, self.scope_R, self.hour_R)
        for array in (self.scope_R, self.hour_R, self.carbon_gco2e_R, *(column.code_R for column in self.texts.values())):
            array.flags.writeable = False

    @classmethod
    def of_columns(cls, **columns: Any) -> Ledger:
        """From arrays or single values by column name; single values hold for every row. `asset`, `phase`, `scope` and `carbon_gco2e` are needed.

        Raises BadValue for an unknown or missing column, a word outside its list, negative carbon (an offset is no emission), or carbon counted twice.
        """
        for name in columns:
            if name not in COLUMNS:
                raise BadValue(f"'{name}' is no column of a ledger. Columns: {', '.join(COLUMNS)}.")
        missing = [name for name in COLUMNS if name not in columns and name not in DEFAULTS]
        if missing:
            raise BadValue(f"a ledger needs {', '.join(missing)}. Give a value, or one a row.")
        filled = {**DEFAULTS, **columns}
        sizes = {len(value) for value in filled.values() if not isinstance(value, str | bytes) and np.ndim(value) > 0}
        if len(sizes) > 1:
            raise BadValue(f"columns of {' and '.join(str(size) for size in sorted(sizes))} rows do not fit one ledger. Give one value a row in each.")
        rows = sizes.pop() if sizes else 1
        return cls(
            texts={name: coded(filled[name], rows) for name in TEXTS},
            scope_R=_column(filled["scope"], rows, np.int8, "scope"),
            hour_R=_hours(filled["hour"], rows),
            carbon_gco2e_R=_column(filled["carbon_gco2e"], rows, np.float64, "carbon_gco2e"),
        )

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Ledger:
        """From rows as mappings; columns that a row leaves out have their usual value."""
        gathered: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for number, row in enumerate(rows):
            for name in row:
                if name not in gathered:
                    raise BadValue(f"row {number} of the ledger has '{name}', which is no column. Columns: {', '.join(COLUMNS)}.")
            for name, column in gathered.items():
                if name not in row and name not in DEFAULTS:
                    raise BadValue(f"row {number} of the ledger has no {name}. Add it.")
                value = row[name] if name in row else DEFAULTS[name]
                column.append("NaT" if name == "hour" and value in (None, "") else value)
        return cls.of_columns(**gathered)

    @classmethod
    def empty(cls) -> Ledger:
        """No rows."""
        return cls.of([])

    @classmethod
    def joined(cls, ledgers: Sequence[Ledger]) -> Ledger:
        """All rows of all ledgers. Raises BadValue where two of them count the same carbon."""
        if not ledgers:
            return cls.empty()
        return cls(
            texts={name: joined([each.texts[name] for each in ledgers]) for name in TEXTS},
            scope_R=np.concatenate([each.scope_R for each in ledgers]), hour_R=np.concatenate([each.hour_R for each in ledgers]),
            carbon_gco2e_R=np.concatenate([each.carbon_gco2e_R for each in ledgers]),
        )  # fmt: skip

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger.joined([self, other])

    def __len__(self) -> int:
        return len(self.carbon_gco2e_R)

    def names(self, column: str) -> tuple[str, ...]:
        """The words that occur in a text column, in the order of their first row."""
        if column not in self.texts:
            raise BadValue(f"'{column}' is no text column of a ledger. Text columns: {', '.join(TEXTS)}.")
        return self.texts[column].used()

    def taken(self, keep_R: npt.NDArray[Any]) -> Ledger:
        """The rows of a mask, or of row numbers."""
        return Ledger(
            texts={name: column.taken(keep_R) for name, column in self.texts.items()},
            scope_R=self.scope_R[keep_R], hour_R=self.hour_R[keep_R], carbon_gco2e_R=self.carbon_gco2e_R[keep_R],
        )  # fmt: skip

    def select(
        self, *, start: str | np.datetime64 | None = None, end: str | np.datetime64 | None = None, scope: int | Sequence[int] | None = None,
        **words: str | Sequence[str],
    ) -> Ledger:  # fmt: skip
        """The rows whose columns have the given words (`asset="web"`, `phase=["use", "transport"]`), and whose hour lies from `start` to before `end` (UTC).

        Raises UnknownName for a word that no row has, BadValue for a column that there is not.
        """
        keep_R = np.ones(len(self), dtype=bool)
        if scope is not None:
            keep_R &= np.isin(self.scope_R, [scope] if isinstance(scope, int) else list(scope))
        for column, wanted in words.items():
            known = self.names(column)
            chosen = [wanted] if isinstance(wanted, str) else list(wanted)
            for word in chosen:
                if word not in known:
                    raise unknown_name(f"{column} in this ledger", word, known, f"thrifty carbon account FLEET --by {column}")
            keep_R &= self.texts[column].among(chosen)
        if start is not None:
            keep_R &= self.hour_R >= _hour(start)
        if end is not None:
            keep_R &= self.hour_R < _hour(end)
        return self.taken(keep_R)

    def counted(self, method: str) -> Ledger:
        """Scopes 1 and 3, and scope 2 by one method: what may be added up."""
        if method not in METHODS[1:]:
            raise BadValue(f"'{method}' is no way to count scope 2. Choose from: {', '.join(METHODS[1:])}.")
        return self.taken(self.texts["method"].among(["", method]))

    def total_g(self, method: str | None = None) -> float:
        """Grams of all rows. Where scope 2 is there by both methods, `method` says which counts; raises BadValue where it does not."""
        if method is not None:
            return self.counted(method).total_g()
        self._one_method()
        return math.fsum(self.carbon_gco2e_R) if len(self) < 100_000 else float(self.carbon_gco2e_R.sum())

    def by(self, *columns: str, method: str | None = None) -> dict[Any, float]:
        """Grams by one column (`{"use": 12.0}`) or by several (`{("web", "use"): 12.0}`), in the order in which words first occur.

        Columns: those of the ledger, and day and month (UTC). Hours are text such as "2020-07-01T05", empty for the whole period.
        """
        if method is not None:
            return self.counted(method).by(*columns)
        self._one_method()
        if not columns:
            raise BadValue(f"totals by nothing are `total_g`. Name one or more of: {', '.join(GROUPS)}.")
        codes, names = [], []
        for column in columns:
            code_R, words = self._group(column)
            codes.append(code_R)
            names.append(words)
        if not len(self):
            return {}
        flat_R = np.ravel_multi_index(codes, [len(words) for words in names])
        present, first, place_R = np.unique(flat_R, return_index=True, return_inverse=True)
        sums = np.bincount(place_R, weights=self.carbon_gco2e_R, minlength=len(present))
        result: dict[Any, float] = {}
        for index in np.argsort(first):
            places = np.unravel_index(present[index], [len(words) for words in names])
            words_of = tuple(words[int(place)] for words, place in zip(names, places, strict=True))
            result[words_of[0] if len(columns) == 1 else words_of] = float(sums[index])
        return result

    def _group(self, column: str) -> tuple[npt.NDArray[np.int64], Sequence[Any]]:
        if column not in GROUPS:
            raise BadValue(f"'{column}' is nothing that totals can be told apart by. Choose from: {', '.join(GROUPS)}.")
        if column in self.texts:
            return self.texts[column].code_R.astype(np.int64), self.texts[column].names
        if column == "scope":
            return self.scope_R.astype(np.int64), (0, 1, 2, 3)
        unit = {"hour": "h", "day": "D", "month": "M"}[column]
        found, place_R = np.unique(self.hour_R.astype(f"datetime64[{unit}]"), return_inverse=True)
        return place_R.astype(np.int64), ["" if np.isnat(each) else str(each) for each in found]

    def _one_method(self) -> None:
        if len(set(self.names("method")) - {""}) > 1:
            raise BadValue("this ledger counts scope 2 both by location and by market; their sum means nothing. Choose one: --method location or market.")

    def rows(self, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
        """Rows as mappings of plain values, in the order of `COLUMNS`; hours as text, None for the whole period."""
        part = slice(first, last)
        hours = np.datetime_as_string(self.hour_R[part], unit="h")
        columns: dict[str, Sequence[Any]] = {name: self.texts[name].words(part) for name in TEXTS}
        columns |= {"scope": self.scope_R[part].tolist(), "hour": [None if hour == "NaT" else f"{hour}:00Z" for hour in hours]}
        columns |= {"carbon_gco2e": self.carbon_gco2e_R[part].tolist()}
        return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*(columns[name] for name in COLUMNS), strict=True)]


def conserved(before_g: float, after_g: float) -> None:
    """Our own mistake, and nobody else's, if carbon appeared or went missing."""
    assert abs(before_g - after_g) <= CONSERVED * max(1.0, abs(before_g)), f"{before_g} g became {after_g} g"


def _column(value: Any, rows: int, kind: type[Any], name: str) -> npt.NDArray[Any]:
    try:
        array = np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), rows))
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"column {name} holds something that is no number. Give numbers.") from None
    if kind is np.int8 and not np.isin(array, (1, 2, 3)).all():
        raise BadValue("a scope of the GHG Protocol is 1, 2 or 3. Mend column scope.")
    return array.astype(kind)


def _hours(value: Any, rows: int) -> npt.NDArray[np.datetime64]:
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        hours = value.astype("datetime64[h]")
    else:
        texts = [value] if isinstance(value, str) or np.ndim(value) == 0 else value
        hours = np.array([_hour(text) for text in texts], dtype="datetime64[h]")
    return np.array(np.broadcast_to(hours, rows) if len(hours) != rows else hours)


def _hour(value: Any) -> np.datetime64:
    """The hour of UTC in which an instant lies; text without a zone is UTC."""
    moment = value
    if isinstance(value, np.datetime64):
        hour: np.datetime64 = np.array([value]).astype("datetime64[h]")[0]
        return hour
    if isinstance(value, str):
        if value == "NaT":
            return np.datetime64("NaT", "h")
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise BadValue(f"hour '{value}' is no hour of UTC. Write it like 2020-07-01T05:00Z.") from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise BadValue(f"hour '{value}' is no hour of UTC. Write it like 2020-07-01T05:00Z.")
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise BadValue(f"hour '{value}' lies outside the years {YEARS[0]} to {YEARS[1]}. Mend it.")
    if moment.tzinfo is None:
        raise BadValue(f"hour {value} names no time zone. Give an instant such as 2020-07-01T05:00Z.")
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "h")
