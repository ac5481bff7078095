"""What did making it emit? Parts priced by several public models at once, and whole machines as trees of parts."""

from thrifty.cost.carbon.embodied.device import Embodied

__all__ = ["Embodied"]
