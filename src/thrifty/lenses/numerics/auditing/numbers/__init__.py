"""Numbers under a policy: `rounding` rounds tensors, `values` knows which numbers a tensor holds, `arithmetic` does one operation and rounds it once.

`kernels` holds compiled loops. All import torch.
"""

__all__: list[str] = []
