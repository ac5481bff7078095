"""Phases of families that generate nothing."""

from __future__ import annotations

from thrifty.errors import BadValue
from thrifty.workload.model import WorkPhase


def refuse_generation(phase: WorkPhase, what: str) -> None:
    """Raise BadValue for a phase that only a generating model has."""
    if phase not in ("forward", "training"):
        raise BadValue(f"phase='{phase}' does not exist for {what}, which generates nothing. Choose forward or training.")
