"""boaviztapi, codecarbon and ecologits agree with our statement of their models once defaults are set alike; servers by batch ≥ 1,000 × boaviztapi's.

Run with --peers PYTHON where another interpreter has boaviztapi (it wants an older importlib-metadata than ours); without it and without the
package here, its rows are left out and said to be. Every difference above 5 % has a reason. A reason is checked where a setting can be made alike:
the table says what each setting takes out, and that the rest is equal; a cause that nobody can set alike (another year's mix) is marked as stated.
Unexplained rows, slips that we take, and a batch that is not fast enough break the claim. boaviztapi's application is called without a socket, so
no network time counts against it.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from _claim import in_turns, report, spread
from _peers import parts, running
from _peers.asking import Boavizta
from _peers.rows import Row, counts, table
from _peers.slips import Slip, boavizta_slips, codecarbon_slips, ecologits_slips, left_out, mainboard_fails, slip_table
from thrifty.cost.carbon.embodied import Columns, price_batch
from thrifty.lenses.carbon.workloads.predictors import ecologits_request

SERVERS, BATCH, REPEATS, LEAST = 50, 20_000, 7, 1000


def server_columns(count: int) -> tuple[list[Columns], list[dict[str, Any]]]:
    """`count` random servers, as columns for us and as questions for boaviztapi."""
    draw = np.random.default_rng(0)
    dies, memory, drive = draw.integers(100, 900, count), draw.choice([16, 32, 64], count), draw.integers(200, 8000, count)
    supply = draw.integers(10, 40, count) / 10
    columns = [
        Columns(kind="logic", said={"area_mm2": dies.astype(float), "node_nm": 14.0, "use": "cpu"}, count=2),
        Columns(kind="dram", said={"gb": memory.astype(float), "modules": 1.0}, count=12), Columns(kind="ssd", said={"gb": drive.astype(float)}, count=4),
        Columns(kind="psu", said={"kg": supply}, count=2), Columns(kind="case"), Columns(kind="mainboard"), Columns(kind="assembly"),
    ]  # fmt: skip
    rows = zip(dies.tolist(), memory.tolist(), drive.tolist(), supply.tolist(), strict=True)
    return columns, [parts.server_content(*row, exact=True) for row in rows]


def server_speed(peer: Boavizta) -> dict[str, Any]:
    """Servers a second, one by one in its process and in one batch of ours, in turns; equal to the four digits that it prints."""
    few, asked = server_columns(SERVERS)
    theirs = peer.ask("server/", asked)["said"]
    said = [each["impacts"]["gwp"]["embedded"]["value"] for each in theirs]
    np.testing.assert_allclose(price_batch(few, "boavizta").mid_kg_N, said, rtol=6e-4)
    many, _ = server_columns(BATCH)
    took: list[float] = []
    seconds = in_turns({
        "peer": lambda: took.append(peer.ask("server/", asked, query="verbose=false&criteria=gwp")["seconds"]),
        "one model": lambda: price_batch(many, "boavizta"), "all models": lambda: price_batch(many),
    }, REPEATS)  # fmt: skip
    per_s = {"peer": spread([SERVERS / each for each in took[1:]]), **{
        name: spread([BATCH / each for each in seconds[name]]) for name in ("one model", "all models")}}  # fmt: skip
    ratio = {name: spread([p / SERVERS / (a / BATCH) for p, a in zip(took[1:], seconds[name], strict=True)]) for name in ("one model", "all models")}
    return {"servers_per_s": per_s, "ratio": ratio, "servers_checked_equal": SERVERS}


def request_speed() -> dict[str, Any]:
    """Requests a second, one by one, both in Python."""
    from ecologits.impacts.llm import compute_llm_impacts

    rest = {"if_electricity_mix_adpe": 0, "if_electricity_mix_pe": 0, "if_electricity_mix_wue": 0, "datacenter_wue": 0}
    sizes = np.random.default_rng(0).uniform(1, 400, 200).tolist()

    def theirs() -> list[float]:
        return [
            compute_llm_impacts(
                model_active_parameter_count=size, model_total_parameter_count=size, output_token_count=400, if_electricity_mix_gwp=0.481,
                datacenter_pue=1.2, **rest,
            ).energy.value for size in sizes
        ]  # fmt: skip

    def ours() -> list[float]:
        return [ecologits_request(size * 1e9, size * 1e9, 400, pue=1.2, intensity_g_per_kwh=481).energy_j / 3.6e6 for size in sizes]

    np.testing.assert_allclose(ours(), theirs(), rtol=1e-9)
    seconds = in_turns({"peer": theirs, "ours": ours}, REPEATS)
    return {name: spread([len(sizes) / each for each in samples]) for name, samples in seconds.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--peers", metavar="PYTHON", help="an interpreter that has boaviztapi")
    chosen = options.parse_args()
    tables: dict[str, Callable[[], list[Row]]] = {}
    slips: list[Slip] = []
    found: dict[str, Any] = {}
    peer = Boavizta.at_hand(chosen.peers)
    if peer is None:
        print("boaviztapi is not here: name an interpreter that has it with --peers PYTHON. Its rows are left out.\n")
    else:
        tables |= {
            f"boaviztapi {peer.version}: {title}": lambda rows=rows: rows(peer) for title, rows in (
                ("parts", parts.part_rows), ("devices by name", parts.device_rows), ("a server", parts.server_rows), ("power", running.power_rows),
                ("carbon of use", running.use_rows), ("places", running.place_rows),
            )
        }  # fmt: skip
        slips += boavizta_slips(peer)
        found["mainboard"] = mainboard_fails(peer)
        found["boaviztapi speed"] = server_speed(peer)
    meters = importlib.util.find_spec("codecarbon") is not None and importlib.util.find_spec("ecologits") is not None
    if not meters:
        print("codecarbon or ecologits is not here: pip install codecarbon ecologits. Their rows are left out.\n")
    else:
        from _peers import meters as of_meters
        from _peers import tokens

        tables |= {
            "codecarbon: places": of_meters.place_rows, "codecarbon: a second of 120 W": of_meters.meter_rows, "codecarbon: hours": of_meters.hour_rows,
            "codecarbon: powers": of_meters.rule_rows, "ecologits: its predictor": tokens.request_rows, "ecologits: our own model": tokens.service_rows,
            "ecologits: making": tokens.making_rows,
        }  # fmt: skip
        slips += [*codecarbon_slips(), *ecologits_slips()]
        found["has no word for"] = [what for what, absent in left_out().items() if absent]
        found["ecologits requests_per_s"] = request_speed()
    every: dict[str, dict[str, int]] = {}
    for title, make in tables.items():
        rows = make()
        every[title] = counts(rows)
        print(table(title, rows))
    if peer is not None:
        peer.close()
    print(slip_table(slips))
    unexplained, missed = sum(each["unexplained"] for each in every.values()), [each.asked for each in slips if not each.refusal]
    fast = found["boaviztapi speed"]["ratio"]["one model"]["median"] >= LEAST if peer is not None else True
    report((__doc__ or "").splitlines()[0], bool(tables) and not unexplained and not missed and fast, {
        "tables": every, "unexplained": unexplained, "slips": len(slips), "peers take": sum(each.taken for each in slips), "we take": missed, **found,
        "boaviztapi": None if peer is None else peer.version,
    }, *(("codecarbon", "ecologits") if meters else ()), "numpy")  # fmt: skip


if __name__ == "__main__":
    main()
