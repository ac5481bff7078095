"""Single numbers and whole files in any format: what they become, by how much that is off, and what lies beside.

`targets` reads a format with its options (``e4m3``, ``mxfp4``, ``bfp:8:16``, ``int4:128``) and rounds to it; `rows` tells one number after the other;
`summaries` tells a file.
"""

from thrifty.lenses.numerics.roundings.rows import Row, value_rows
from thrifty.lenses.numerics.roundings.summaries import Summary, summarise
from thrifty.lenses.numerics.roundings.targets import Rounded, Target, known_targets, parse_target

__all__ = ["Rounded", "Row", "Summary", "Target", "known_targets", "parse_target", "summarise", "value_rows"]
