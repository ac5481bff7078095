"""How often servers have to be repaired, when failed modules and drives may stay where they are."""

from __future__ import annotations

from thrifty.cost.carbon.embodied.servers.parts import Server, number


def repairs_per_100_server_years(server: Server, *, fail_in_place: bool = True) -> float:
    """Failures per 100 server-years, without those that need no repair: AFR of each module and drive, and of all the rest together.

    With `fail_in_place`, the stated share of failed modules and drives is mapped out and left in. Reused parts fail as often as new ones: in the field
    their rate stays flat well beyond one life (GreenSKU's data).
    """
    modules = sum(count for part, count in server.parts.items() if part.kind == "memory")
    drives = sum(count for part, count in server.parts.items() if part.kind == "storage")
    left = {kind: 1 - number(f"afr.{kind}_in_place", "ratio") if fail_in_place else 1.0 for kind in ("dram", "ssd")}
    return modules * number("afr.dram", "ratio") * left["dram"] + drives * number("afr.ssd", "ratio") * left["ssd"] + number("afr.rest", "ratio")
