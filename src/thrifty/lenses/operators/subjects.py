"""Finds what a user means, and takes it apart into stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from thrifty.cost import Priced, price
from thrifty.errors import BadValue
from thrifty.hardware import Device, Site
from thrifty.workload import Stage, Workload, WorkPhase, load
from thrifty.workload.attention_forms import in_form
from thrifty.workload.entries import as_published, entry_names, find_entry, stem_of
from thrifty.workload.entry import Entry
from thrifty.workload.pipelines import Pipeline, PipelineSheet, PlannedStage

PROMPT: Final = 2048
ANSWER: Final = 128
"""Tokens that a language model reads and writes where nobody says how many."""
_SUFFIXES: Final[dict[str, WorkPhase]] = {"-prefill": "prefill", "-decode": "decode"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A workload in one form of attention, on a device where one is named.

    workload : its table has every attention as `form` says ("as it is": as it was found)
    """

    workload: Workload
    form: str = "as it is"
    device: Device | None = None
    site: Site | None = None

    @cached_property
    def priced(self) -> Priced | None:
        """What it costs; None without a device."""
        if self.device is None:
            return None
        return price(self.workload, self.device) if self.site is None else price(self.workload, self.device, site=self.site)

    def in_form(self, form: str) -> Subject:
        """The same with every attention "eager" or "fused". Raises BadValue for another form."""
        return replace(self, workload=replace(self.workload, table=in_form(self.workload.table, form)), form=form)

    def on(self, device: Device | None) -> Subject:
        return replace(self, device=device)

    @cached_property
    def stages(self) -> tuple[tuple[Stage, Workload], ...]:
        """Each stage's own workload, with how often it runs; of a stage in pieces (a growing context) the middle one stands for all."""
        source = self.workload.source
        if not isinstance(source, Pipeline):
            name = self.workload.table.stages[0].name
            return ((Stage(self.workload.phase if name == "main" else name, 1), self.workload),)
        pieces: dict[str, list[Any]] = {}
        for segment in source.segments(self.workload.point):
            pieces.setdefault(segment.stage.name, []).append(segment)
        found = []
        for name, segments in pieces.items():
            middle = segments[len(segments) // 2]
            work = load(middle.stage.component, phase=middle.phase, format=self.workload.format, **middle.point)
            if self.form != "as it is":
                work = replace(work, table=in_form(work.table, self.form))
            growth = max(segment.growth for segment in segments)
            found.append((Stage(name, sum(segment.repeat for segment in segments), growth), work))
        return tuple(found)


def find_subject(
    name: str, sizes: Mapping[str, Any] | None = None, *, preset: str | None = None, phase: WorkPhase | None = None, format: str | None = None,
    captured: bool = False,
) -> Subject:  # fmt: skip
    """What `name` means: a model of the catalogue, a pipeline end to end, PIPELINE-STAGE, a language model's whole generation (its bare name), its
    MODEL-prefill or MODEL-decode, or anything that `load` understands.

    sizes    : of its symbols; a language model given `kv` is its decode step against so many cached tokens
    preset   : "tiny", "small" or "paper", as if written name@preset
    captured : record the torch twin instead of the family's table (models of the catalogue; needs torch)
    Raises UnknownName, BadValue, BadFile, each one line with rule, value and fix.
    """
    point = dict(sizes or {})
    text = as_published(name if preset is None or "@" in name else f"{name}@{preset}")
    entry = find_entry(stem_of(text)) if stem_of(text).lower() in entry_names() else None
    chosen = phase
    if entry is not None and entry.kind == "lm" and phase is None and "kv" in point:
        chosen = "decode"
    for suffix, of_suffix in _SUFFIXES.items():
        stem = stem_of(text.lower())
        if entry is None and stem.endswith(suffix) and stem.removesuffix(suffix) in entry_names():
            text, chosen = text.lower().replace(suffix, "", 1), of_suffix
            entry = find_entry(stem_of(text))
    if entry is not None and entry.kind == "lm":
        if chosen is None:
            return Subject(workload=load(_generation(entry, text), format=format, **point))
        if chosen == "decode" and "kv" in point:
            point["seq"] = point.pop("kv")
    work = load(text, phase=chosen, format=format, **point)
    return Subject(workload=_captured(work, text) if captured else work)


def _captured(work: Workload, name: str) -> Workload:
    """The same point, recorded from the torch twin. Raises BadValue for a pipeline, whose stages are captured one by one."""
    from thrifty.workload.building import recorded_twin

    if isinstance(work.source, Pipeline):
        raise BadValue(f"'{name}' is a pipeline; its stages are captured one by one. Name one of them, e.g. {name}-{work.source.sheet.stages[0].name}.")
    entry = find_entry(work.name)
    return work if entry is None else recorded_twin(work, entry)  # a module of the user's own was recorded as it was loaded


def _generation(entry: Entry, name: str) -> Pipeline:
    """A language model reading a prompt and writing an answer."""
    context = entry.context or PROMPT + ANSWER
    answer = min(ANSWER, max(context // 2, 1))
    prompt = min(PROMPT, context - answer)
    sizes = {"batch": "batch", "seq": "seq"}
    sheet = PipelineSheet(
        name=name, title=entry.title, format=entry.format, symbols={"batch": 1, "seq": prompt, "tokens": answer}, licence=entry.licence,
        notes=(f"reads a prompt of seq tokens, then writes tokens of them one by one; {name}-prefill and {name}-decode are the two alone",),
        stages=(
            PlannedStage(name="prefill", component=name, phase="prefill", at=sizes),
            PlannedStage(name="decode", component=name, phase="decode", repeat="tokens", grows="seq", at=sizes),
        ),
    )  # fmt: skip
    return Pipeline(sheet)
