"""Does a plan fit? If not, how much is missing, and the smallest change of the plan that fits.

Smallest is fewest changes; among single changes the one that costs the least time comes first: kernels and sequence parallelism (nothing), smaller
micro-batches, selective recomputation, sharding of states, then of weights, full recomputation, more tensor or pipeline parallelism, and the host's memory.
Where no single one is enough, they are added up in this order, and those that turn out not to be needed are taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.placing import Placed, place
from thrifty.cost.plans.plan import SHARDED_TABLES, Level, Levels, Offload, Plan, Strategy
from thrifty.errors import BadValue
from thrifty.quantities import show

Step = tuple[str, Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a plan needs of a device and has; `changes`: the fewest that fit, in words, and `plan` with them; none where it fits or where nothing helps.

    least_bytes: what the leanest plan that was tried needs
    """

    needed_bytes: float
    capacity_bytes: float
    least_bytes: float
    changes: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def fits(self) -> bool:
        return self.needed_bytes <= self.capacity_bytes

    @property
    def shortfall_bytes(self) -> float:
        return max(0.0, self.needed_bytes - self.capacity_bytes)

    @property
    def text(self) -> str:
        """One line for people."""
        needed, capacity = show(self.needed_bytes, "B"), show(self.capacity_bytes, "B")
        if self.fits:
            return f"needs {needed} of {capacity}: fits"
        short = f"needs {needed} of {capacity}: {show(self.shortfall_bytes, 'B')} too much"
        if self.plan is None:
            return f"{short}. No change of the plan fits; the leanest one tried needs {show(self.least_bytes, 'B')}. Use more devices or larger ones."
        return f"{short}. Smallest change that fits: {', '.join(self.changes)} ({show(self.least_bytes, 'B')})."


def smallest_change_that_fits(placed: Placed) -> Fit:
    """What `placed` needs, and if that is more than its device has, the smallest change of its plan that is less."""
    needed, capacity = account(placed).total_bytes, placed.system.device.memory_bytes
    if needed <= capacity:
        return Fit(needed_bytes=needed, capacity_bytes=capacity, least_bytes=needed)
    least = needed
    for words, plan in _steps(placed, placed.plan):
        held = _needs(placed, plan)
        if held is not None and held <= capacity:
            return Fit(needed_bytes=needed, capacity_bytes=capacity, least_bytes=held, changes=(words,), plan=plan)
    taken: list[str] = []
    current = placed.plan
    for words in [words for words, _ in _steps(placed, placed.plan)]:
        found = next((plan for other, plan in _steps(placed, current) if other == words), None)
        held = None if found is None else _needs(placed, found)
        if found is not None and held is not None and held < least:
            current, least = found, held
            taken.append(words)
            if held <= capacity:
                return _pruned(placed, taken, needed, capacity)
    return Fit(needed_bytes=needed, capacity_bytes=capacity, least_bytes=least)


def _pruned(placed: Placed, taken: Sequence[str], needed: float, capacity: float) -> Fit:
    """Changes that fit together, less those without which they still do."""
    kept = list(taken)
    for words in taken:
        fewer = [other for other in kept if other != words]
        plan = _with(placed, fewer)
        held = None if plan is None else _needs(placed, plan)
        if held is not None and held <= capacity:
            kept = fewer
    plan = _with(placed, kept)
    held = None if plan is None else _needs(placed, plan)
    return Fit(needed_bytes=needed, capacity_bytes=capacity, least_bytes=needed if held is None else held, changes=tuple(kept), plan=plan)


def _with(placed: Placed, changes: Sequence[str]) -> Plan | None:
    plan: Plan | None = placed.plan
    for words in changes:
        plan = None if plan is None else next((found for other, found in _steps(placed, plan) if other == words), None)
    return plan


def _needs(placed: Placed, plan: Plan) -> float | None:
    """Bytes of the fullest device under `plan`; None where it breaks a rule."""
    try:
        return account(place(plan, placed.layers, placed.system, batch=placed.batch, task=placed.task)).total_bytes
    except BadValue:
        return None


def _steps(placed: Placed, plan: Plan) -> Iterator[Step]:
    """Single changes of `plan`, cheap ones first."""
    trains = placed.task.trains
    strategies = {level.strategy for levels in plan.levels.values() for level in levels}
    if not plan.fused:
        yield "fused=on", replace(plan, fused=True)
    if "tp" in strategies and not plan.sequence:
        yield "sequence=on", replace(plan, sequence=True)
    if trains and plan.schedule == "gpipe":
        yield "schedule=1f1b", replace(plan, schedule="1f1b")
    micro = placed.micro_batch
    while micro > 1 and micro % 2 == 0:
        micro //= 2
        yield f"micro={micro}", replace(plan, micro_batch=micro)
    if trains and plan.recompute == "none" and not plan.fused:
        yield "recompute=selective", replace(plan, recompute="selective")
    if placed.layers.is_recommender and not any(level.strategy in SHARDED_TABLES for level in plan.levels.get("embedding", (Level("mp"),))):
        yield "embedding=mp", replace(plan, levels={**plan.levels, "embedding": (Level("mp"),)})
    sharded: tuple[Strategy, ...] = ("zero1", "zero2", "fsdp") if trains else ("fsdp",)
    for strategy in sharded:
        changed = {key: _swapped(levels, strategy) for key, levels in plan.levels.items()}
        if changed != dict(plan.levels):
            yield f"{strategy} instead of copies", replace(plan, levels=changed)
    if trains and plan.recompute != "full":
        yield "recompute=full", replace(plan, recompute="full")
    for strategy in ("tp", "pp"):
        for factor in (2, 4, 8):
            changed = {key: _deeper(levels, strategy, factor) for key, levels in plan.levels.items()}
            if changed != dict(plan.levels):
                yield f"{factor} times the {strategy}", replace(plan, levels=changed)
    if any(link.name.startswith("pcie") for link in placed.system.device.links):
        for what in _HOSTED:
            if what not in plan.offload and (trains or what == "weights"):
                yield f"offload={what}", replace(plan, offload=plan.offload | {what})


_HOSTED: tuple[Offload, ...] = ("optimizer", "activations", "weights")
_ORDER: tuple[Strategy, ...] = ("ddp", "zero1", "zero2", "fsdp")


def _swapped(levels: Levels, strategy: Strategy) -> Levels:
    """Levels with every weaker sharding replaced; two that become one are left as they are."""
    found = tuple(Level(strategy, level.degree) if level.strategy in _ORDER[: _ORDER.index(strategy)] else level for level in levels)
    return found if len({level.strategy for level in found}) == len(found) else levels


def _deeper(levels: Levels, strategy: str, factor: int) -> Levels:
    """More of tensor or pipeline parallelism, out of what replicates; levels that leave no room as they are."""
    at = next((i for i, level in enumerate(levels) if level.strategy in _ORDER and (level.degree == 0 or level.degree % factor == 0)), None)
    if at is None:
        return levels
    giver, found = levels[at], list(levels)
    if giver.degree:
        found[at] = Level(giver.strategy, giver.degree // factor)
    mine = next((i for i, level in enumerate(found) if level.strategy == strategy), None)
    if mine is None:
        new = Level("tp", factor) if strategy == "tp" else Level("pp", factor)
        found = [new, *found] if strategy == "tp" else [*found, new]
    elif found[mine].degree:
        found[mine] = Level(found[mine].strategy, found[mine].degree * factor)
    else:
        return levels
    return tuple(level for level in found if level.degree != 1)
