"""Makes the hourly series that ship with thrifty again from public data: generation by fuel (EIA-930, 2020) and typical weather years (NREL).

    python tools/carbon_series.py --eia FOLDER --out src/thrifty/cost/carbon/series/data

FOLDER holds one folder a region (caiso2020, isone2020, north_west2020) with the monthly exports of the EIA-930 grid monitor. Weather comes from the
TMY files that pvlib carries; it needs `pip install pvlib==0.16.1`. Run once a version of the data; the outputs' hashes are kept in `series/data.toml`.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import hashlib
import itertools
import re
from pathlib import Path

import numpy as np

FUELS = ("wind", "solar", "hydro", "other", "oil", "gas", "coal", "nuclear")
"""In the order of the export's columns."""
REGIONS = {"eia-cal": "caiso2020", "eia-ne": "isone2020", "eia-nw": "north_west2020"}
OFFSETS = {"PST": -8, "PDT": -7, "EST": -5, "EDT": -4}
STAMP = re.compile(r"(\d+)/(\d+)/(\d+) (\d+) ([ap])\.m\. (\w+)")
HUB_M, MAST_M, SHEAR = 100.0, 10.0, 1 / 7
CUT_IN, RATED, CUT_OUT = 3.0, 12.0, 25.0
"""A generic turbine in m/s: cube law from cut-in to rated; no maker's curve is copied."""


def generation(folder: Path) -> tuple[np.datetime64, np.ndarray]:
    """Start of the first hour (UTC) and megawatt-hours (T, fuels) of one region.

    Stamps are local with their abbreviation and end the hour. Months overlap by an hour that both state alike. Hours in which every fuel is
    stated as zero are holes of the export: they become the smallest int32, which readers take as missing.
    """
    rows: dict[dt.datetime, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as stream:
            for row in list(csv.reader(stream))[1:]:
                match = STAMP.fullmatch(row[1])
                assert match, row
                month, day, year, hour = (int(part) for part in match.group(1, 2, 3, 4))
                local = dt.datetime(year, month, day, hour % 12 + (12 if match[5] == "p" else 0))
                end = local - dt.timedelta(hours=OFFSETS[match[6]])
                values = tuple(int(cell) for cell in row[2:])
                assert rows.setdefault(end, values) == values, (file, row)
    ends = sorted(rows)
    assert all(b - a == dt.timedelta(hours=1) for a, b in itertools.pairwise(ends)), folder
    table = np.array([rows[end] for end in ends], dtype=np.int32)
    table[~table.any(axis=1)] = np.iinfo(np.int32).min
    return np.datetime64(ends[0] - dt.timedelta(hours=1), "s"), table


def weather() -> dict[str, np.ndarray]:
    """GHI (W/m²), wind at the mast (m/s), air (°C), and shares of rated power of a fixed array tilted to its latitude and of a generic turbine, by place."""
    import pandas as pd
    import pvlib

    data = Path(pvlib.__file__).parent / "data"
    found: dict[str, np.ndarray] = {}
    for place, file in (("greensboro", "723170TYA.CSV"), ("sand-point", "703165TY.csv"), ("miami", "12839.tm2")):
        if file.endswith("tm2"):
            frame, meta = pvlib.iotools.read_tmy2(data / file)
            frame = frame.rename(columns={"GHI": "ghi", "DNI": "dni", "DHI": "dhi", "DryBulb": "temp_air", "Wspd": "wind_speed"})
            frame["temp_air"], frame["wind_speed"] = frame["temp_air"] / 10, frame["wind_speed"] / 10
            latitude, longitude, zone = float(meta["latitude"]), float(meta["longitude"]), float(meta["TZ"])
        else:
            frame, meta = pvlib.iotools.read_tmy3(data / file, map_variables=True, coerce_year=1990)
            latitude, longitude, zone = float(meta["latitude"]), float(meta["longitude"]), float(meta["TZ"])
        # A typical year has no year: hours begin at midnight of standard time on 1 January of a common year; the sun stands as at mid-hour.
        start = pd.Timestamp("1990-01-01") - pd.Timedelta(hours=zone)
        frame.index = pd.date_range(start, periods=len(frame), freq="h", tz="UTC")
        place_of = pvlib.location.Location(latitude, longitude)
        sun = place_of.get_solarposition(frame.index + pd.Timedelta(minutes=30))
        sun.index = frame.index
        plane = pvlib.irradiance.get_total_irradiance(latitude, 180, sun["apparent_zenith"], sun["azimuth"], frame["dni"], frame["ghi"], frame["dhi"])
        cell = pvlib.temperature.faiman(plane["poa_global"].fillna(0), frame["temp_air"], frame["wind_speed"])
        dc = pvlib.pvsystem.pvwatts_dc(plane["poa_global"].fillna(0), cell, 1.0, -0.0037)
        solar = pvlib.inverter.pvwatts(dc * (1 - pvlib.pvsystem.pvwatts_losses() / 100), 1.0).clip(0, 1).fillna(0)
        hub = frame["wind_speed"].to_numpy() * (HUB_M / MAST_M) ** SHEAR
        wind = np.where((hub < CUT_IN) | (hub > CUT_OUT), 0, np.clip((hub**3 - CUT_IN**3) / (RATED**3 - CUT_IN**3), 0, 1))
        found |= {
            f"{place}.zone_h": np.array(zone), f"{place}.ghi_w_per_m2": frame["ghi"].to_numpy().astype(np.uint16),
            f"{place}.wind_m_per_s": frame["wind_speed"].to_numpy().round(1).astype(np.float32),
            f"{place}.air_c": frame["temp_air"].to_numpy().astype(np.float32),
            f"{place}.solar_share": solar.to_numpy().round(4).astype(np.float32), f"{place}.wind_share": wind.round(4).astype(np.float32),
        }  # fmt: skip
        print(place, {name.split(".")[1]: round(float(value.mean()), 4) for name, value in found.items() if name.startswith(place)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eia", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    grids: dict[str, np.ndarray] = {"fuels": np.array(FUELS)}
    for name, folder in REGIONS.items():
        start, table = generation(options.eia / folder)
        grids[f"{name}.start"], grids[f"{name}.mwh"] = start, table
        print(name, start, table.shape, "missing hours:", int((table == np.iinfo(np.int32).min).all(axis=1).sum()))
    for file, arrays in (("eia930-2020.npz", grids), ("weather.npz", weather())):
        np.savez_compressed(options.out / file, **arrays)
        print(file, (options.out / file).stat().st_size, hashlib.sha256((options.out / file).read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
