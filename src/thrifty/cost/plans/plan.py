"""How a model is spread: for every class of layers a strategy of levels, innermost first, and how its batch is worked through.

    embedding=mp;dense=fsdp:8,ddp:16
    attention=tp:8,pp:35,ddp:2;ffn=tp:8,pp:35,ddp:2;micro=1;interleave=3;recompute=selective

A plan is words about any model and any system; `placing.place` checks it against both and fills in the degrees left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from thrifty.cost.plans.models.layers import CLASSES
from thrifty.errors import BadValue, unknown_name

Strategy = Literal["ddp", "zero1", "zero2", "fsdp", "tp", "pp", "ep", "cp", "mp", "table_wise", "row_wise", "column_wise"]
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
SPELLINGS: Final[Mapping[str, Strategy]] = {"zero3": "fsdp", "dp": "ddp", "zero0": "ddp"}
"""Other words for a strategy. ``hsdp`` is two levels: fsdp inside a node, ddp across."""

SHARDED_TABLES: Final[tuple[Strategy, ...]] = ("mp", "table_wise", "row_wise", "column_wise")
"""Of embedding tables; `mp`, the published word, places whole tables."""

Schedule = Literal["1f1b", "gpipe", "interleaved", "zero-bubble"]
Recompute = Literal["none", "selective", "full"]
Offload = Literal["optimizer", "activations", "weights"]

_CLASS = re.compile(rf"({'|'.join(CLASSES)})(\.[0-9]+)?")
_LEVEL = re.compile(r"([a-z_0-9]+)(?::([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Level:
    """One strategy over `degree` ranks; 0: as many as are left."""

    strategy: Strategy
    degree: int = 0

    def __str__(self) -> str:
        return f"{self.strategy}:{self.degree}" if self.degree else self.strategy


Levels = tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A strategy for every class, and how the batch is worked through.

    levels       : by class, or by one layer of it (``ffn.3``), innermost level first
    micro_batch  : samples that a rank works on at once; 0: all of its share where there is no pipeline, else 1
    schedule     : of the pipeline; `interleave` model chunks a stage
    recompute    : what is run again in the backward pass: nothing, attention's core, whole layers
    sequence     : sequence parallelism, norms and residuals are cut along with tensor parallelism
    offload      : what lies in the host's memory
    fused        : attention keeps no scores (Flash)
    """

    levels: Mapping[str, Levels]
    micro_batch: int = 0
    schedule: Schedule = "1f1b"
    interleave: int = 1
    recompute: Recompute = "none"
    sequence: bool = False
    offload: frozenset[Offload] = frozenset()
    fused: bool = True
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Plan:
        """The plan that `text` states. Raises UnknownName for a class, strategy or option that does not exist, BadValue for what breaks a rule."""
        levels: dict[str, Levels] = {}
        options: dict[str, str] = {}
        for part in filter(None, (piece.strip() for piece in text.split(";"))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not value:
                raise BadValue(f"'{part}' in the plan is no CLASS=STRATEGY. Write CLASS=STRATEGY:DEGREE, as in dense=fsdp:8,ddp:16.")
            target = levels if _CLASS.fullmatch(key) else options
            if key in target:
                raise BadValue(f"'{key}' stands twice in the plan. Say it once.")
            if target is levels:
                levels[key] = read_levels(value, key)
            elif key in _OPTIONS:
                options[key] = value
            else:
                raise unknown_name("class or option of a plan", key, (*CLASSES, *_OPTIONS), "thrifty parallelize evaluate --help")
        if not levels:
            raise BadValue("the plan names no class of layers. Write CLASS=STRATEGY:DEGREE, as in dense=fsdp:8,ddp:16.")
        return cls(levels=levels, text=text, **_read_options(options))

    def of(self, layer_class: str, index: int = -1) -> Levels:
        """The levels of a class, or of its layer `index`: its own, else those of `dense`, else the first that the plan names besides tables'.

        An embedding that is not named follows the others too: `placing.place` gives a recommender's tables `mp` before it comes to that.
        """
        return self.levels[self.key_of(layer_class, index)]

    def key_of(self, layer_class: str, index: int = -1) -> str:
        """Under which word of the plan the levels of a class stand."""
        for key in (f"{layer_class}.{index}", layer_class, "dense", "ffn", "attention", "experts", "interaction"):
            if key in self.levels:
                return key
        return next(iter(self.levels))

    def __str__(self) -> str:
        """Words that `parse` reads again; no level at all, on one device, is the same as ddp over what is there."""
        said = [f"{key}={','.join(map(str, levels)) or 'ddp'}" for key, levels in self.levels.items()]
        default = Plan(levels={})
        for option, attribute in (("micro", "micro_batch"), ("schedule", "schedule"), ("interleave", "interleave"), ("recompute", "recompute")):
            if getattr(self, attribute) != getattr(default, attribute):
                said.append(f"{option}={getattr(self, attribute)}")
        if self.sequence:
            said.append("sequence=on")
        if self.offload:
            said.append(f"offload={','.join(sorted(self.offload))}")
        if not self.fused:
            said.append("fused=off")
        return ";".join(said)


def read_levels(text: str, what: str) -> Levels:
    """``fsdp:8,ddp:16`` as levels. Raises UnknownName, BadValue."""
    found: list[Level] = []
    for piece in (part.strip() for part in text.split(",")):
        match = _LEVEL.fullmatch(piece)
        if match is None:
            raise BadValue(f"'{piece}' of {what} is no STRATEGY:DEGREE. Write a strategy and a whole number, as in tp:8.")
        name, degree = match[1], match[2]
        if name == "hsdp":
            if degree:
                raise BadValue(f"hsdp:{degree} of {what} is two levels in one word. Write fsdp:{degree},ddp, or hsdp alone: fsdp in a node, ddp across.")
            found += [Level("fsdp"), Level("ddp")]
            continue
        strategy = SPELLINGS.get(name, name)
        if strategy not in STRATEGIES:
            raise unknown_name("strategy", name, (*STRATEGIES, "zero3", "hsdp"), "thrifty parallelize evaluate --help")
        if degree is not None and int(degree) < 2:
            raise BadValue(f"{piece} of {what} spreads over {degree} ranks, which is no strategy. Give 2 or more, or leave the level out.")
        found.append(Level(strategy, int(degree or 0)))
    for index, level in enumerate(found):
        if any(level.strategy == other.strategy for other in found[:index]):
            raise BadValue(f"{what} names {level.strategy} twice. Name a strategy once.")
    if sum(level.degree == 0 for level in found) > 1 and text != "hsdp":
        raise BadValue(f"{what}={text} leaves out more than one degree. Leave out one at most: it takes the ranks that are left.")
    return tuple(found)


def _read_options(options: Mapping[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in options.items():
        name, allowed = _OPTIONS[key]
        words = value.split(",")
        if allowed is int:
            if not (value.isascii() and value.isdecimal()) or int(value) < 1:
                raise BadValue(f"{key}={value} is no whole number from 1 up. Give one.")
            read[name] = int(value)
        elif any(word not in allowed for word in words) or (len(words) > 1 and key != "offload"):
            raise unknown_name(f"value of {key}", value, allowed, "thrifty parallelize evaluate --help")
        elif key == "offload":
            read[name] = frozenset(words)
        else:
            read[name] = value == "on" if allowed == ("on", "off") else value
    return read


_SWITCH: Final = ("on", "off")
_OPTIONS: Final[Mapping[str, tuple[str, Any]]] = {
    "micro": ("micro_batch", int), "interleave": ("interleave", int), "schedule": ("schedule", get_args(Schedule)),
    "recompute": ("recompute", get_args(Recompute)), "sequence": ("sequence", _SWITCH), "offload": ("offload", get_args(Offload)), "fused": ("fused", _SWITCH),
}  # fmt: skip
OPTIONS: Final[Mapping[str, str]] = {key: "N" if words is int else "|".join(words) for key, (_, words) in _OPTIONS.items()}
"""What a plan may say besides levels, and with which words."""
