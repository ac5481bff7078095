"""What dominates? Operators, stages and kinds of attention of any workload, in FLOPs, bytes, time, energy and carbon.

After Golden et al., "Generative AI Beyond LLMs: System Implications of Multi-Modal Generation" (ISPASS 2024): text-to-image and text-to-video models against
language models, whole pipelines with text encoders, decoders and super-resolution, measured here and modelled on any device of the catalogue from one
and the same operator table. Data flows in this order:

- `subjects` finds what is meant (a model, a pipeline, a stage of one, a language model's whole generation) and takes it apart into stages;
- `views` are the ways to see its table: groups by class, module, stage or kind of attention, work per byte, likeness to an LLM's phases, sequence lengths,
  scores in memory, frames against space, maps over two sizes; `caching` simulates why rows that lie far apart are slow;
- `finding` puts it together, `lens` is what `assess` sees, `page` shows it, `cli` and `commands` print it;
- `comparing` holds two subjects against each other, `budgets` fails a user's CI, `counting` says who counts what, `measured` runs the small presets here
  beside the model, and `paper` makes every figure of the paper afresh.

What it does not know: work of schedulers and tokenizers between stages, overlap of stages, and counters of a GPU's caches (simulated, not read).
"""

from __future__ import annotations

from thrifty.lenses.operators.finding import OperatorsFinding, look
from thrifty.lenses.operators.subjects import Subject, find_subject
from thrifty.lenses.operators.views.grouping import Group, breakdown
from thrifty.lenses.operators.views.likeness import Verdict, verdict

__all__ = ["Group", "OperatorsFinding", "Subject", "Verdict", "breakdown", "find_subject", "look", "verdict"]
