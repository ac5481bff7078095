"""What the commands of this lens share: their options, and how a command line names a subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from thrifty.errors import BadValue
from thrifty.hardware import load as load_device
from thrifty.hardware import load_site
from thrifty.lenses.operators.subjects import Subject, find_subject
from thrifty.workload.attention_forms import FORMS
from thrifty.workload.model import PHASES
from thrifty.workload.points import read_sizes

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[
    str, typer.Argument(metavar="WORKLOAD", help="A model, a pipeline (end to end), PIPELINE-STAGE, model folder, .gguf, package.module:callable.")
]
On = Annotated[str | None, typer.Option("--on", metavar="DEVICE", help="Price it there. [default: counts only]")]
Sizes = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=N", help="A size, e.g. latent=64 (repeat for several).")]
Preset = Annotated[str | None, typer.Option(metavar="NAME", help="tiny, small or paper. [default: paper]")]
Phase = Annotated[str | None, typer.Option("--phase", help=f"One of {', '.join(PHASES)}.")]
Format = Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="Number format. [default: as published]")]
Attention = Annotated[str | None, typer.Option(metavar="FORM", help=f"{', '.join(FORMS[:-1])} or {FORMS[-1]}. [default: as the workload has it]")]
Where = Annotated[str | None, typer.Option(metavar="SITE", help="The place whose grid counts. [default: world]")]
Captured = Annotated[bool, typer.Option("--captured", help="Record the torch module instead of the family's table.")]
DEVICE: Final = "a100-80gb"
"""The paper's, where no other is named."""


def subject_of(
    name: str, sizes: Sequence[str] | None, preset: str | None = None, phase: str | None = None, number_format: str | None = None, *,
    on: str | None = None, site: str | None = None, attention: str | None = None, captured: bool = False,
) -> Subject:  # fmt: skip
    """What a command line names."""
    if phase is not None and phase not in PHASES:
        raise BadValue(f"phase='{phase}' is none of {', '.join(PHASES)}. Choose one of them.")
    found = find_subject(name, read_sizes(sizes or ()), preset=preset, phase=phase, format=number_format, captured=captured)
    if attention is not None:
        found = found.in_form(attention)
    return replace(found, device=load_device(on) if on is not None else None, site=load_site(site) if site is not None else None)
