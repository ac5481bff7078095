"""Pipelines: what one request really runs, as stages that repeat. A text encoder, fifty denoising steps, super-resolution, a decoder of latents.

A pipeline's sheet names components of the catalogue, says how often each runs and at which sizes, in small formulas of the pipeline's own symbols
(batch, image, frames, steps, guidance, text). It is never unrolled: a stage's operators stand once in the table, with their number of repeats, and a
stage whose context grows (tokens decoded against a cache) stands as a few pieces whose middle is exact for counts that grow evenly. Data flows
in this order: `formulas` evaluates sizes, `sheet` reads a pipeline, `joining` puts tables one after the other, `pipeline` is the source of tables.

What it does not know: work between stages (schedulers' few numbers a step, tokenizers, encoding the file) and overlap of stages.
"""

from __future__ import annotations

from thrifty.workload.pipelines.pipeline import Pipeline, Segment
from thrifty.workload.pipelines.sheet import PipelineSheet, PlannedStage, read_pipeline

__all__ = ["Pipeline", "PipelineSheet", "PlannedStage", "Segment", "read_pipeline"]
