"""A real kernel: PyTorch's attention on this CPU, as a check on what is emulated.

`running` runs its paths, `probing` finds what its exponential is, `emulating` is the flash path as its outputs show it, `comparing` puts both beside golden.
Nothing of its source was used: tile, state, casts and exponential are what outputs tell (torch 2.13, AVX-512). What stays unknown is the order in which its
products add up, which moves one element in a thousand by an ulp.
"""

from thrifty.lenses.numerics.sdpa.comparing import MATH, Likeness, RealKernelFinding, real_kernel
from thrifty.lenses.numerics.sdpa.emulating import emulate_flash, fast_exp
from thrifty.lenses.numerics.sdpa.probing import Exponential, probe_exponential

__all__ = ["MATH", "Exponential", "Likeness", "RealKernelFinding", "emulate_flash", "fast_exp", "probe_exponential", "real_kernel"]
