"""Three whole sheets as text, to be broken one line at a time."""

from __future__ import annotations

from pathlib import Path

DEVICE = """\
name = "toy"
title = "A toy"
vendor = "Toys"
kind = "gpu"
year = 2024
memory_technology = "HBM3"
notes = ["Made up for a test."]

[sources.toy-sheet]
title = "Data sheet of the toy"
publisher = "Toys"
date = "2024"
licence = "CC0-1.0"

[peak.bf16]
value = 100
unit = "TFLOP/s"
source = "toy-sheet"
where = "row BF16"
read_on = 2026-11-24

[vector]
value = 10
unit = "TFLOP/s"
source = "toy-sheet"
where = "row FP32"
read_on = 2026-11-24

[memory.hbm.capacity]
value = 80
unit = "GB"
source = "toy-sheet"
where = "row memory"
read_on = 2026-11-24

[memory.hbm.bandwidth]
value = 2
unit = "TB/s"
source = "toy-sheet"
where = "row bandwidth"
read_on = 2026-11-24
note = "at boost"
disagrees_with = "the box: 1.9 TB/s"

[power.tdp]
value = 0.5
unit = "kW"
source = "toy-sheet"
where = "row power"
read_on = 2026-11-24
"""

GROUND = '\nsource = "mad-max-2024"\nwhere = "made up for a test"\nread_on = 2026-11-24\n'

SYSTEM = f"""\
name = "toys"
title = "A box of toys"
device = "h100-sxm5"
year = 2024

[tiers.wire]
count = 4

[tiers.wire.bandwidth]
value = 100
unit = "GB/s"{GROUND}
[tiers.wire.latency]
value = 2
unit = "us"{GROUND}
[power.host]
value = 1
unit = "kW"{GROUND}"""

SITE = f"""\
name = "toyland"
title = "Toyland"
country = "TOY"
year = 2024
intensity_scope = "direct"

[intensity]
value = 100
unit = "gCO2e/kWh"{GROUND}
[pue]
value = 1.2
unit = "dimensionless"{GROUND}
[mix]
unit = "TWh"
total = 10{GROUND}
[mix.generation]
coal = 2.5
wind = 7.5
"""


def broken(folder: Path, text: str, old: str, new: str) -> Path:
    """`text` with its first `old` replaced, as a file of its own."""
    assert old in text, old
    path = folder / "toy.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path
