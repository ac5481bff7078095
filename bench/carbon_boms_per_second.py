"""At least 100 000 bills of materials a second on one core, equal to the scalar path; the peer in process where it is at hand (90 to 200 a second)."""

import asyncio
import importlib.util
import json
import time

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost.carbon.embodied import Assembly, Columns, part_of, price_assembly, price_batch

LEAST_PER_S = 100e3
BILLS, BY_HAND = 100_000, 100

draw = np.random.default_rng(0)
columns = [
    Columns(kind="logic", said={"area_mm2": draw.uniform(50, 800, BILLS), "node_nm": draw.choice([5.0, 7.0, 10.0, 14.0], BILLS), "use": "cpu"}, count=2),
    Columns(kind="logic", said={"area_mm2": draw.uniform(50, 800, BILLS), "node_nm": draw.choice([5.0, 7.0], BILLS), "use": "gpu"},
            count=draw.integers(0, 9, BILLS)),
    Columns(kind="dram", said={"gb": draw.choice([16.0, 32.0, 64.0], BILLS), "type": draw.choice(["ddr4", "ddr5"], BILLS)}, count=12),
    Columns(kind="dram", said={"gb": draw.choice([16.0, 80.0], BILLS), "type": "hbm3"}, count=8),
    Columns(kind="ssd", said={"gb": draw.uniform(200, 8000, BILLS)}, count=4), Columns(kind="hdd", said={"gb": draw.uniform(1000, 20000, BILLS)}, count=4),
    Columns(kind="psu", said={"kg": draw.uniform(1, 3, BILLS)}, count=2), Columns(kind="board", said={"area_cm2": draw.uniform(100, 3000, BILLS)}),
    Columns(kind="base", said={"u": draw.integers(1, 3, BILLS).astype(float)}), Columns(kind="nic"),
]  # fmt: skip


def bill(row: int) -> Assembly:
    """One row of the columns as a tree."""
    parts = []
    for column in columns:
        count = int(np.broadcast_to(column.count, (BILLS,))[row])
        said = {name: value[row].item() if isinstance(value, np.ndarray) else value for name, value in column.said.items()}
        if count:
            parts.append(part_of(column.kind, {**said, "count": count}))
    return Assembly(name=str(row), parts=tuple(parts))


def by_hand() -> np.ndarray:
    found = [price_assembly(bill(row)).kgco2e for row in range(BY_HAND)]
    return np.array([(each.low, each.mid, each.high) for each in found]).T


def peer_per_s() -> float | None:
    """boaviztapi's own servers, asked one by one in process; None where it is not installed here."""
    if importlib.util.find_spec("boaviztapi") is None:
        return None
    from boaviztapi.main import app

    asked = json.dumps({"model": {"type": "rack"}, "configuration": {"cpu": {"units": 2, "die_size": 694}, "ram": [{"units": 12, "capacity": 32}],
                        "disk": [{"units": 4, "type": "ssd", "capacity": 1000}], "power_supply": {"units": 2, "unit_weight": 2.99}}}).encode()  # fmt: skip
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/v1/server/", "raw_path": b"/v1/server/",
        "scheme": "http", "query_string": b"verbose=false&criteria=gwp", "headers": [(b"content-type", b"application/json")], "root_path": "",
        "client": ("here", 1), "server": ("here", 80),
    }  # fmt: skip
    status: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": asked, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            status.append(int(str(message["status"])))

    async def many(count: int) -> None:
        for _ in range(count):
            await app(dict(scope), receive, send)

    asyncio.run(many(3))
    start = time.perf_counter()
    asyncio.run(many(50))
    seconds = time.perf_counter() - start
    return 50 / seconds if set(status) == {200} else None


batch = price_batch(columns)
np.testing.assert_allclose(np.stack([batch.low_kg_N, batch.mid_kg_N, batch.high_kg_N])[:, :BY_HAND], by_hand(), rtol=1e-12)
seconds = in_turns({"batch": lambda: price_batch(columns), "scalar": by_hand}, repeats=9)
rate = {
    "batch": spread([BILLS / each for each in seconds["batch"]]),
    "scalar": spread([BY_HAND / each for each in seconds["scalar"]]),
}  # fmt: skip
report(
    "bills of materials >= 100 000/s on one core", rate["batch"]["median"] >= LEAST_PER_S,
    {"bills": BILLS, "parts_a_bill": len(columns), "bills_per_s": rate["batch"], "scalar_bills_per_s": rate["scalar"],
     "ratio": rate["batch"]["median"] / rate["scalar"]["median"], "peer_servers_per_s": peer_per_s()}, "numpy",
)  # fmt: skip
