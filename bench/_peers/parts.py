"""Making of parts, devices and a server: boaviztapi beside our statement of its model, and beside all our models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from _peers.asking import Boavizta, taken
from _peers.rows import Row, Step
from thrifty.cost.carbon.embodied import Part, parse_part, price
from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, fact

GPUS = {
    "a100-40gb": "NVIDIA A100 SXM4 40GB", "a100-pcie-80gb": "NVIDIA A100 PCIe 80GB", "h100-sxm5": "NVIDIA H100 SXM 80GB", "l4": "NVIDIA L4",
    "l40s": "NVIDIA L40S 48GB", "v100-sxm2-32gb": "NVIDIA Tesla V100 SXM2 32GB", "t4": "NVIDIA T4", "mi300x": "AMD Instinct MI300X 192GB",
}  # fmt: skip
BOARD = {"kg": "weight", "heatsink_kg": "heatsink_weight", "casing_kg": "casing_weight", "board_cm2": "pwb_surface"}


def ours(text: str, models: str = "boavizta") -> float:
    return price(parse_part(text), models).kgco2e.mid


def span(*texts: str) -> dict[str, float]:
    found = [price(parse_part(text)).kgco2e for text in texts]
    return {"low": sum(each.low for each in found), "high": sum(each.high for each in found)}


def part_rows(peer: Boavizta) -> list[Row]:
    """One row a component by size."""
    rows = []
    plain = [
        ("processor, 694 mm²", "cpu", {"die_size": 694}, "logic:area_mm2=694,node_nm=14,use=cpu"),
        ("EPYC 9654, the package", "cpu", {"name": "AMD EPYC 9654"}, "logic:area_mm2=1261,node_nm=5,use=cpu"),
        ("hard disk", "hdd", {}, "hdd:gb=4000"), ("power supply, 1 kg", "power_supply", {"unit_weight": 1}, "psu:kg=1"),
        ("case, rack", "case", {"case_type": "rack"}, "case"), ("case, blade", "case", {"case_type": "blade"}, "case:type=blade"),
        ("mainboard", "motherboard", {"usage": {"hours_life_time": 26280}}, "mainboard"),
    ]  # fmt: skip
    for item, component, content, text in plain:
        theirs, _ = peer.made_kg(component, content)
        rows.append(Row(peer="boaviztapi", item=item, unit="kg", theirs=theirs, ours=ours(text), **span(text)))
    for item, component, gb, kind in (
        ("memory, 32 GB", "ram", 32, "dram"), ("memory, 64 GB", "ram", 64, "dram"), ("SSD, 1 TB", "ssd", 1000, "ssd"), ("SSD, 3.84 TB", "ssd", 3840, "ssd"),
    ):  # fmt: skip
        rows.append(_by_density(peer, item, component, gb, kind))
    theirs, said = peer.made_kg("power_supply", {})
    exact, _ = peer.made_kg("power_supply", {"unit_weight": said["unit_weight"]})
    rows.append(Row(
        peer="boaviztapi", item="power supply, by default", unit="kg", theirs=theirs, ours=ours("psu"), **span("psu"),
        steps=[Step(reason="rounded by it", theirs=exact, ours=ours("psu"))],
    ))  # fmt: skip
    return rows


def _by_density(peer: Boavizta, item: str, component: str, gb: int, kind: str) -> Row:
    theirs, said = peer.made_kg(component, {"capacity": gb})
    exact, _ = peer.made_kg(component, {"capacity": gb, "density": said["density"]})
    start, modules = ours(f"{kind}:gb={gb}"), ",modules=1" if kind == "dram" else ""
    one = ours(f"{kind}:gb={gb}{modules}")
    alike = ours(f"{kind}:gb={gb}{modules},density={said['density']}")
    usual = fact(f"memory:{kind}.boavizta.density", "capacity_per_area") * MM2_PER_CM2 / 1e9
    return Row(peer="boaviztapi", item=item, unit="kg", theirs=theirs, ours=start, **span(f"{kind}:gb={gb}"), steps=[
        Step(reason="rounded by it, for its default is uncertain", theirs=exact, ours=start),
        Step(reason="one module for our two of 32 GB", theirs=exact, ours=one),
        Step(reason=f"it takes {said['density']:.3g} GB/cm², we {usual:.3g}", theirs=exact, ours=alike),
    ])  # fmt: skip


def _pieces(parts: list[Part]) -> float:
    return sum(price(part, "boavizta").kgco2e.mid for part in parts if "boavizta" in price(part).by_model)


def _said(part: Part, **changed: Any) -> Part:
    return replace(part, parameters={**part.parameters, **changed})


def device_rows(peer: Boavizta) -> list[Row]:
    """GPUs by name, and two processors whose boundary or die differ."""
    rows = []
    per_mm2 = fact("logic:boavizta.gpu.per_mm2", "carbon_per_area") / MM2_PER_CM2
    for name, title in GPUS.items():
        theirs, said = peer.made_kg("gpu", {"name": title})
        whole = price(parse_part(name))
        parts = [piece.part for piece in whole.pieces]
        step = dict.fromkeys(("memory", "stacks", "board"), 0.0)
        parts = [_said(each, gb=said["vram"]) if each.kind == "dram" else each for each in parts]
        step["memory"] = _pieces(parts)
        parts = [_said(each, stacks=said["vram_dies"]) if each.kind == "dram" else each for each in parts]
        step["stacks"] = _pieces(parts)
        parts = [_said(each, **{key: max(said[its], 1e-9) for key, its in BOARD.items()}) if each.kind == "gpu-board" else each for each in parts]
        step["board"] = _pieces(parts)
        ours_used = 1e3 * _pieces([each for each in parts if each.kind == "logic"]) / per_mm2
        same_die, _ = peer.made_kg("gpu", {"name": title, "gpu_surface": ours_used})
        rows.append(Row(
            peer="boaviztapi", item=name, unit="kg", theirs=theirs, ours=whole.by_model["boavizta"], low=whole.kgco2e.low, high=whole.kgco2e.high, steps=[
                Step(reason=f"it counts {said['vram']} GB, we as many GiB", theirs=theirs, ours=step["memory"]),
                Step(reason=f"it knows {said['vram_dies']} memory dies, we take 6", theirs=theirs, ours=step["stacks"]),
                Step(reason="its board's mass and area, our default ones", theirs=theirs, ours=step["board"]),
                Step(reason=f"its dies use up {said['gpu_surface']:.0f} mm² of wafer, ours {ours_used:.0f}", theirs=same_die, ours=step["board"]),
            ],
        ))  # fmt: skip
    theirs, _ = peer.made_kg("cpu", {"name": "AMD EPYC 9654"})
    whole = price(parse_part("epyc-9654"))
    rows.append(Row(
        peer="boaviztapi", item="epyc-9654", unit="kg", theirs=theirs, ours=whole.by_model["boavizta"], low=whole.kgco2e.low, high=whole.kgco2e.high,
    ))  # fmt: skip
    theirs, said = peer.made_kg("cpu", {"name": "Intel Xeon Platinum 8380"})
    unknown = fact("embodied:die_unknown.cpu.mid", "area")
    text = "logic:area_mm2={},node_nm=10,use=cpu"
    rows.append(Row(
        peer="boaviztapi", item="Xeon 8380, the package", unit="kg", theirs=theirs, ours=ours(text.format(unknown)),
        steps=[Step(reason=f"no die stated: it takes {said['die_size']:.0f} mm², we {unknown:.0f}", theirs=theirs, ours=ours(text.format(said["die_size"])))],
    ))  # fmt: skip
    return rows


def server_content(dies: float = 694, memory: int = 32, drive: int = 1000, supply: float = 2.99, *, exact: bool) -> dict[str, Any]:
    """A server of two processors, twelve modules, four drives and two supplies; exact: our densities stated, else its defaults."""
    ram, disk = ({"density": 1.79}, {"density": 48.5}) if exact else ({}, {})
    return {"model": {"type": "rack"}, "configuration": {
        "cpu": {"units": 2, "die_size": dies}, "ram": [{"units": 12, "capacity": memory, **ram}],
        "disk": [{"units": 4, "type": "ssd", "capacity": drive, **disk}], "power_supply": {"units": 2, "unit_weight": supply},
    }}  # fmt: skip


SERVER = ("2*logic:area_mm2=694,node_nm=14,use=cpu", "12*dram:gb=32,modules=1{ram}", "4*ssd:gb=1000{ssd}", "2*psu:kg=2.99", "case", "mainboard", "assembly")


def server_rows(peer: Boavizta) -> list[Row]:
    """A whole server, by its defaults and with densities stated."""
    texts = [text.format(ram="", ssd="") for text in SERVER]
    start = sum(map(ours, texts))
    said = peer.ask("server/", server_content(exact=False))["said"]
    parts = {name: each for name, each in said["verbose"].items() if isinstance(each, dict) and "impacts" in each}
    found = {name.split("-")[0]: taken(each) for name, each in parts.items()}
    exact = peer.ask("server/", server_content(exact=True))["said"]["impacts"]["gwp"]["embedded"]["value"]
    alike = [text.format(ram=f",density={found['RAM']['density']}", ssd=f",density={found['SSD']['density']}") for text in SERVER]
    stated = server_content(exact=True)
    stated["configuration"]["ram"][0]["density"], stated["configuration"]["disk"][0]["density"] = found["RAM"]["density"], found["SSD"]["density"]
    unrounded = peer.ask("server/", stated)["said"]["impacts"]["gwp"]["embedded"]["value"]
    both = {"peer": "boaviztapi", "unit": "kg", "ours": start, **span(*texts)}
    return [
        Row(item="server, by default", theirs=said["impacts"]["gwp"]["embedded"]["value"], steps=[
            Step(reason="rounded by it", theirs=unrounded, ours=start),
            Step(reason="its densities of memory and flash, our common ones", theirs=unrounded, ours=sum(map(ours, alike))),
        ], **both),
        Row(item="server, densities stated", theirs=exact, **both),
    ]  # fmt: skip
