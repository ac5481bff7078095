"""Winograd's convolution F(m, 3) in plain operators of torch, so that a policy rounds each of its steps (Lavin and Gray 2016).

A tile of m + 2 inputs is transformed (Bᵀ d B), multiplied by the transformed taps (G g Gᵀ) and summed over channels, and m results are made of it
(Aᵀ · A): fewer products than the direct way (F(2, 3): 4 for 6, in two dimensions 16 for 36; F(4, 3): 6 for 12 and 36 for 144), but sums of cancelling
terms with larger factors, so more deviation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.errors import BadValue

if TYPE_CHECKING:
    import torch

MATRICES: Final = {
    2: (
        ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, -1)),
    ),
    4: (
        ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0), (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1)),
        ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6), (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1)),
        ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
    ),
}  # fmt: skip
"""m → Bᵀ, G, Aᵀ: interpolation at 0, ±1, ∞ and (m = 4) ±2."""


def winograd_convolution(x: torch.Tensor, weight: torch.Tensor, m: int = 2, padding: int = 0) -> torch.Tensor:
    """Convolution with 3 or 3 × 3 taps, stride 1, by F(m, 3): x (B, C, L) or (B, C, H, W), weight (O, C, 3) or (O, C, 3, 3).

    Raises BadValue for other shapes and other m than 2 and 4.
    """
    import torch

    if m not in MATRICES:
        raise BadValue(f"m={m!r} is unknown. Choose: {', '.join(map(str, MATRICES))}.")
    axes = x.dim() - 2
    if axes not in (1, 2) or weight.shape[2:] != (3,) * axes or weight.shape[1] != x.shape[1]:
        raise BadValue(f"x is {list(x.shape)} and weight {list(weight.shape)}; (B, C, L) with (O, C, 3), or (B, C, H, W) with (O, C, 3, 3) is needed.")
    if min(x.shape[2:]) + 2 * padding < 3:
        raise BadValue(f"x is {list(x.shape)} with padding {padding}; every axis must hold 3 taps.")
    b, g, a = (torch.tensor(rows, dtype=x.dtype) for rows in MATRICES[m])
    out = [size + 2 * padding - 2 for size in x.shape[2:]]
    tiles = [-(-size // m) for size in out]
    held = torch.nn.functional.pad(x, [each for count, size in reversed(list(zip(tiles, x.shape[2:], strict=True)))
                                       for each in (padding, count * m + 2 - size - padding)])  # fmt: skip
    for axis in range(axes):
        held = held.unfold(2 + axis, m + 2, m)
    # held: (B, C, *tiles, *taps); taps are transformed axis by axis.
    if axes == 1:
        data = held @ b.T
        taps = weight @ g.T
        product = torch.einsum("bctu,ocu->botu", data, taps)
        return (product @ a.T).reshape(*product.shape[:2], -1)[..., : out[0]]
    data = b @ held @ b.T
    taps = g @ weight @ g.T
    product = torch.einsum("bcijuv,ocuv->boijuv", data, taps)
    made = a @ product @ a.T
    made = made.permute(0, 1, 2, 4, 3, 5).reshape(*made.shape[:2], tiles[0] * m, tiles[1] * m)
    return made[..., : out[0], : out[1]]
