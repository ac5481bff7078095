"""Ways to look: a lens looks at a workload on a device and changes nothing.

`contract` says what a lens promises, `catalogue` lists them all (packages add theirs through entry points); a folder beside is one lens each. A lens never
imports a lens: what two of them need stands on a lower floor.
"""

from thrifty.lenses.catalogue import LENSES, all_lenses
from thrifty.lenses.contract import Finding, Lens

__all__ = ["LENSES", "Finding", "Lens", "all_lenses"]
