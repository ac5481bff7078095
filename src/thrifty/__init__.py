"""thrifty: make machine-learning systems do more with less time, memory, energy and carbon, and prove it."""

from thrifty.version import __version__

__all__ = ["__version__"]
