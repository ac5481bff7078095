"""A pipeline as a source of tables, at any point of its symbols."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, unknown_name
from thrifty.quantities import positive_int
from thrifty.workload.entries import entry_names, find_entry
from thrifty.workload.entry import Entry
from thrifty.workload.families import Family, family_of, parameter_count
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.pipelines.formulas import evaluate
from thrifty.workload.pipelines.joining import Part, join
from thrifty.workload.pipelines.sheet import PipelineSheet, PlannedStage
from thrifty.workload.points import check_point, overridden
from thrifty.workload.table import COUNTS, OperatorTable, Stage

PIECES: Final = 16
"""Into about how many pieces a stage is cut whose context grows; counts that grow evenly come out exact with any number."""
MEANINGS: Final = {
    "batch": "requests at once", "image": "image side in pixels", "frames": "frames of the video", "height": "height in pixels", "width": "width in pixels",
    "text": "text tokens", "steps": "denoising steps", "guidance": "guidance scale; above 1 the denoiser runs twice", "seq": "tokens of the prompt",
    "tokens": "tokens generated",
}  # fmt: skip
"""What symbols of pipelines mean to their readers."""


def component_entry(name: str) -> Entry:
    """The sheet of a component. Raises UnknownName."""
    found = find_entry(name)
    if found is None:
        raise unknown_name("component", name, entry_names(), "thrifty workload list")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stage, or a piece of one whose context grows, at numbers.

    repeat : how often it runs; growth: by how much `grows`, a size of the component, is larger at each repeat (the point is the middle one)
    """

    stage: PlannedStage
    phase: WorkPhase
    point: Mapping[str, int]
    repeat: int
    growth: int = 0


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A sheet with its components. Implements `model.Source`."""

    sheet: PipelineSheet

    @functools.cached_property
    def families(self) -> dict[str, Family]:
        """By component."""
        return {stage.component: family_of(component_entry(stage.component)) for stage in self.sheet.stages}

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """Its own sizes. Raises BadValue for another phase than forward: a pipeline is what a request runs."""
        if phase != "forward":
            raise BadValue(f"'{self.sheet.name}' is a pipeline of stages, which only runs forward, not {phase}. Name one of its components for that.")
        return tuple(Symbol(name=name, default=default, meaning=MEANINGS.get(name, name)) for name, default in self.sheet.symbols.items())

    def with_image(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """`point` with the image's side in place of its latent's, where a stage says how many pixels make one; any other point as it is."""
        factor = next((text.removeprefix("image / ") for stage in self.sheet.stages for name, text in stage.at.items() if name == "latent"), "")
        if "latent" not in point or "latent" in self.sheet.symbols or not factor.isdigit():
            return dict(point)
        if "image" in point:
            raise BadValue("latent and image are two names of one size. Give one of them.")
        side = positive_int("latent", point["latent"])
        return {**{name: size for name, size in point.items() if name != "latent"}, "image": side * int(factor)}

    def parameter_total(self) -> int:
        """Of all components, each once."""
        return sum(parameter_count(family) for family in self.families.values())

    def segments(self, point: Mapping[str, int]) -> tuple[Segment, ...]:
        """What runs at `point`, in order. Raises BadValue for sizes that do not go together, in the words of the stage."""
        return tuple(segment for stage in self.sheet.stages for segment in self._segments(stage, point))

    def _segments(self, stage: PlannedStage, point: Mapping[str, int]) -> Iterator[Segment]:
        repeat = self.repeat_of(stage, point)
        sizes = {name: self.size_of(stage, name, text, point) for name, text in stage.at.items()}
        phase = self.phase_of(stage)
        if stage.grows is None:
            if repeat:
                yield Segment(stage=stage, phase=phase, point=self._point(stage, phase, sizes), repeat=repeat)
            return
        start, left = sizes[stage.grows], repeat
        length = max(1, -(-repeat // PIECES) // 2 * 2 + 1)
        while left:
            piece = min(length, left if left % 2 else left - 1)  # odd, so that its middle is a whole number
            middle = {**sizes, stage.grows: start + piece // 2}
            yield Segment(stage=stage, phase=phase, point=self._point(stage, phase, middle), repeat=piece, growth=1 if piece > 1 else 0)
            start, left = start + piece, left - piece

    def phase_of(self, stage: PlannedStage) -> WorkPhase:
        """Of a stage: what its sheet says, else forward."""
        return stage.phase or "forward"

    def repeat_of(self, stage: PlannedStage, point: Mapping[str, Any]) -> Any:
        """How often a stage runs; an array where the point's sizes are."""
        repeat = evaluate(stage.repeat, point)
        if np.any(np.asarray(repeat) < 0):
            raise BadValue(f"stage '{stage.name}' of '{self.sheet.name}' would run {repeat} times. Mend its sizes.")
        return repeat

    def size_of(self, stage: PlannedStage, name: str, text: str, point: Mapping[str, Any]) -> Any:
        """A size of a stage's component by its formula `text`, likewise. Raises BadValue that names the stage."""
        try:
            return evaluate(text, point)
        except BadValue as error:
            raise BadValue(f"stage '{stage.name}' of '{self.sheet.name}', {name}: {error}") from None

    def _point(self, stage: PlannedStage, phase: WorkPhase, sizes: Mapping[str, int]) -> dict[str, int]:
        entry = component_entry(stage.component)
        try:
            symbols = self.families[stage.component].symbols(phase)
            return check_point(symbols, overridden(symbols, entry.point, sizes), stage.component)
        except BadValue as error:
            raise BadValue(f"stage '{stage.name}' of '{self.sheet.name}': {error}") from None

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every stage's operators, once each, with their repeats."""
        self.symbols(phase)
        parts = []
        for segment in self.segments(point):
            table = self.families[segment.stage.component].table(segment.phase, format_name, segment.point)
            parts.append(Part(stage=Stage(segment.stage.name, segment.repeat, segment.growth), table=table, weights=segment.stage.component))
        return join(parts)

    def totals(self, format_name: str, points: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[np.int64]]:
        """Counts of the whole pipeline at P points, exact, without making a table at each: stages' polynomials times their repeats.

        The keys of `table.COUNTS` but bytes_weight; each (P,).
        """
        arrays = {name: np.atleast_1d(np.asarray(points.get(name, default), dtype=np.int64)) for name, default in self.sheet.symbols.items()}
        arrays = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
        result = {name: np.zeros(next(iter(arrays.values())).shape, dtype=np.int64) for name in COUNTS if name != "bytes_weight"}
        for stage in self.sheet.stages:
            repeat = np.broadcast_to(self.repeat_of(stage, arrays), result["flops_matrix"].shape)
            sizes = {name: np.broadcast_to(self.size_of(stage, name, text, arrays), repeat.shape) for name, text in stage.at.items()}
            polynomials = self._polynomials(stage, format_name)
            if stage.grows is None:
                for name, values in polynomials.totals(sizes).items():
                    if name in result:
                        result[name] += values * repeat
                continue
            ends = [polynomials.totals({**sizes, stage.grows: sizes[stage.grows] + last}) for last in (0 * repeat, np.maximum(repeat - 1, 0))]
            for name in result:  # an even growth from the first to the last
                result[name] += (ends[0][name] + ends[1][name]) * repeat // 2
        return result

    def _polynomials(self, stage: PlannedStage, format_name: str) -> Any:
        key = (stage.component, self.phase_of(stage), format_name)
        if key not in self._known:
            from thrifty.workload.library import load

            self._known[key] = load(stage.component, phase=self.phase_of(stage), format=format_name).polynomials
        return self._known[key]

    @functools.cached_property
    def _known(self) -> dict[tuple[str, WorkPhase, str], Any]:
        return {}
