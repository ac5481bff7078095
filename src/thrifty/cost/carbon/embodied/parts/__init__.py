"""Parts as users say them: kinds and their keys, checks, text, and names of devices.

- `kinds` lists what can be said of each kind; `checking` refuses what cannot be and fills in defaults; `part` reads text; `naming` finds devices.
"""

from thrifty.cost.carbon.embodied.parts.kinds import KINDS
from thrifty.cost.carbon.embodied.parts.naming import Silicon, find_named
from thrifty.cost.carbon.embodied.parts.part import Part, parse_part, part_of

__all__ = ["KINDS", "Part", "Silicon", "find_named", "parse_part", "part_of"]
