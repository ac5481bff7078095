"""What did making it emit? Parts priced by several public models at once, and whole machines as trees of parts."""

from thrifty.cost.carbon.embodied.device import Embodied
from thrifty.cost.carbon.embodied.parts import KINDS, Part, Silicon, find_named, parse_part, part_of
from thrifty.cost.carbon.embodied.pricing import Priced, price

__all__ = ["KINDS", "Embodied", "Part", "Priced", "Silicon", "find_named", "parse_part", "part_of", "price"]
