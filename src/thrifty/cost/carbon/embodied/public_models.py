"""Carbon of making silicon and memory, one function a public model, each as its authors state it. Grams of CO2e throughout.

    ACT        (CI_fab · EPA + GPA + MPA) / Y   per area, package K            (Gupta et al., ISCA 2022)
    imec       a table of carbon per area by node
    LLMCarbon  a table of carbon per area by node; DRAM per byte
    Boavizta   CPU: a · mm² + b; RAM: module + die area from density; GPU: per effective wafer area
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from thrifty.cost.facts import Facts, load_facts
from thrifty.errors import BadValue

MM2_PER_CM2: Final = 100.0
WAFER_MM: Final = 300.0  # a standard, not a measurement


def _sheet() -> Facts:
    return load_facts("carbon")


def nearest_node(prefix: str, node_nm: float) -> str:
    """The row of the table `prefix` whose node is nearest to `node_nm` in log(node); ties go to the finer node."""
    if not (math.isfinite(node_nm) and node_nm > 0):
        raise BadValue(f"process_node_nm={node_nm} is not above 0. Give the node in nanometres, e.g. 5.")
    return min(_sheet().under(prefix), key=lambda row: (abs(math.log(float(row[1:]) / node_nm)), float(row[1:])))


def _check_area(die_mm2: float) -> None:
    if not (math.isfinite(die_mm2) and die_mm2 > 0):
        raise BadValue(f"die_area_mm2={die_mm2} is not above 0. Give the die area in mm², e.g. 814.")


def act_cpa_g_per_cm2(node_nm: float) -> float:
    """ACT: carbon per good area, at 97 % abatement (the mean of its 95 % and 99 % tables)."""
    sheet = _sheet()
    row = nearest_node("act.epa", node_nm)
    gas = (sheet.get(f"act.gpa95.{row}", "carbon_per_area") + sheet.get(f"act.gpa99.{row}", "carbon_per_area")) / 2
    electricity = sheet.get("act.fab_intensity", "carbon_per_energy") * sheet.get(f"act.epa.{row}", "energy_per_area")
    return (electricity + gas + sheet.get("act.mpa", "carbon_per_area")) / sheet.get("act.fab_yield", "ratio")


def act_die_g(die_mm2: float, node_nm: float) -> float:
    """ACT: one die, package left out."""
    _check_area(die_mm2)
    return act_cpa_g_per_cm2(node_nm) * die_mm2 / MM2_PER_CM2


def package_g() -> float:
    """ACT: packaging of one chip."""
    return _sheet().get("act.package", "carbon")


def imec_die_g(die_mm2: float, node_nm: float) -> float:
    """imec: one die."""
    _check_area(die_mm2)
    return _sheet().get(f"imec.cpa.{nearest_node('imec.cpa', node_nm)}", "carbon_per_area") * die_mm2 / MM2_PER_CM2


def llmcarbon_die_g(die_mm2: float, node_nm: float) -> float:
    """LLMCarbon: one die."""
    _check_area(die_mm2)
    return _sheet().get(f"llmcarbon.cpa.{nearest_node('llmcarbon.cpa', node_nm)}", "carbon_per_area") * die_mm2 / MM2_PER_CM2


def boavizta_cpu_g(die_mm2: float) -> float:
    """Boavizta: a packaged CPU, whatever its node."""
    _check_area(die_mm2)
    sheet = _sheet()
    return sheet.get("boavizta.cpu.per_mm2", "carbon_per_area") * die_mm2 / MM2_PER_CM2 + sheet.get("boavizta.cpu.base", "carbon")


def effective_wafer_mm2(die_mm2: float) -> float:
    """Wafer area that one good die uses up: cuts between dies, the wafer's rim, and dies that fail.

    With side² = (√A + kerf)², dies per wafer = W / side² − π d / √(2 side²), good share exp(−√(D side²)); a square die.
    """
    _check_area(die_mm2)
    sheet = _sheet()
    cut_mm2 = (math.sqrt(die_mm2) + sheet.get("boavizta.gpu.kerf_mm", "ratio")) ** 2
    wafer_mm2 = math.pi * (WAFER_MM / 2) ** 2
    dies = wafer_mm2 / cut_mm2 - math.pi * WAFER_MM / math.sqrt(2 * cut_mm2)
    if dies < 1:
        raise BadValue(f"die_area_mm2={die_mm2:g} leaves no whole die on a {WAFER_MM:g} mm wafer. Give the area of one die.")
    good = math.exp(-math.sqrt(cut_mm2 / MM2_PER_CM2 * sheet.get("boavizta.gpu.defects_per_cm2", "ratio")))
    return wafer_mm2 / dies / good


def boavizta_gpu_die_g(die_mm2: float) -> float:
    """Boavizta: a GPU's silicon by the wafer area that it uses up; more than one exposure field holds counts as equal dies side by side."""
    _check_area(die_mm2)
    sheet = _sheet()
    dies = math.ceil(die_mm2 / sheet.get("boavizta.gpu.field_mm2", "area"))
    return sheet.get("boavizta.gpu.per_mm2", "carbon_per_area") * dies * effective_wafer_mm2(die_mm2 / dies) / MM2_PER_CM2


def act_memory_g(memory_bytes: float, family: str) -> float:
    """ACT: memory dies of a family (ddr, lpddr, hbm, gddr), over yield."""
    sheet = _sheet()
    return sheet.get(f"memory.act.{family}", "carbon_per_capacity") * memory_bytes / sheet.get("act.fab_yield", "ratio")


def llmcarbon_memory_g(memory_bytes: float) -> float:
    """LLMCarbon: DRAM of any kind."""
    return _sheet().get("memory.llmcarbon.any", "carbon_per_capacity") * memory_bytes


def fair_co2_memory_g(memory_bytes: float) -> float:
    """Fair-CO2's node table: DDR4 modules."""
    return _sheet().get("memory.fair_co2.any", "carbon_per_capacity") * memory_bytes


def greensku_memory_g(memory_bytes: float) -> float:
    """GreenSKU's open data, from vendors' assessments: DDR5 modules."""
    return _sheet().get("memory.greensku.ddr", "carbon_per_capacity") * memory_bytes


def nvidia_hbm_g(memory_bytes: float) -> float:
    """NVIDIA's product carbon footprint of HGX H100: its HBM3."""
    return _sheet().get("memory.nvidia.hbm", "carbon_per_capacity") * memory_bytes


def boavizta_ram_g(memory_bytes: float, modules: int | None = None) -> float:
    """Boavizta: memory in modules, 2.20 kg/cm² × GB / density + 5.22 kg a module (default: as many 32 GB modules as it takes)."""
    sheet = _sheet()
    gigabytes = memory_bytes / 1e9
    count = math.ceil(gigabytes / sheet.get("memory.boavizta.module_gb", "ratio")) if modules is None else modules
    die_cm2 = gigabytes / sheet.get("memory.boavizta.density_gb_per_cm2", "ratio")
    return sheet.get("memory.boavizta.die_per_cm2", "carbon_per_area") * die_cm2 + sheet.get("memory.boavizta.module", "carbon") * count


def boavizta_vram_g(memory_bytes: float) -> float:
    """Boavizta: memory of a graphics board by die area."""
    sheet = _sheet()
    die_cm2 = memory_bytes / 1e9 * sheet.get("memory.boavizta.vram_mm2_per_gb", "ratio") / MM2_PER_CM2
    return sheet.get("memory.boavizta.vram_per_mm2", "carbon_per_area") * die_cm2


DIE_MODELS: Final[Mapping[str, Callable[[float, float], float]]] = MappingProxyType(
    {"act": act_die_g, "imec": imec_die_g, "llmcarbon": llmcarbon_die_g}
)
"""Models of any logic die by area and node; Boavizta's joins them by kind of device."""
