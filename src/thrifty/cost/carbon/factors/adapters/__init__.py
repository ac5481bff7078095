"""Catalogues of other packages, read where the user has them: thousands of chips by name, yearly mixes of hundreds of places.

- `installed` finds a package's data files without importing it; `chips` and `mixes` read them; `sources` says whose they are and under which licence.

Nothing of them is copied into thrifty: some stand under a copyleft licence, all may change. A package that is absent just adds nothing, and a name that
then cannot be found says which packages would know more. Numbers found here carry the package's name and version.
"""

from thrifty.cost.carbon.factors.adapters.chips import Chip, all_chips, find_chip
from thrifty.cost.carbon.factors.adapters.mixes import Mix, find_mixes
from thrifty.cost.carbon.factors.adapters.sources import ADAPTERS, Adapter

__all__ = ["ADAPTERS", "Adapter", "Chip", "Mix", "all_chips", "find_chip", "find_mixes"]
