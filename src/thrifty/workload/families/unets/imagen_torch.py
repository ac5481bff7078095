"""Imagen's denoisers in torch, the twin of `imagen`: written from the paper (Saharia et al., 2022), small and plain. Imported only where torch is wanted.

A UNet over pixels. Residual blocks are group norm, SiLU and convolution twice, the second norm scaled and shifted by what the step says. At chosen
sides the first block of a level lets pixels attend to the text, and a transformer after the last lets them attend to each other and to the text at
once. The nets that enlarge an image halve before their blocks instead of after them ("efficient"), and see the small image beside the noisy one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SKIP = 2**-0.5
"""By which what went down is scaled before it is joined to what comes up."""


def tokens_of(image: Tensor) -> Tensor:
    """(batch, channels, height, width) to (batch, pixels, channels), as a copy."""
    return image.flatten(2).transpose(1, 2).contiguous()


def image_of(tokens: Tensor, like: Tensor) -> Tensor:
    """The way back, as a copy."""
    return tokens.transpose(1, 2).contiguous().view_as(like)


class Waves(nn.Module):  # type: ignore[misc]
    """A number as itself and as sines and cosines of it at learned frequencies."""

    def __init__(self, frequencies: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(frequencies))

    def forward(self, time: Tensor) -> Tensor:
        column = time[:, None]
        angles = column * self.weight * (2 * math.pi)
        return torch.cat((column, angles.sin(), angles.cos()), dim=-1)


class Clock(nn.Module):  # type: ignore[misc]
    """What a time says: (batch, width) to every block, and some tokens to attend to."""

    def __init__(self, frequencies: int, width: int, tokens: int, channels: int) -> None:
        super().__init__()
        self.waves = Waves(frequencies)
        self.hidden = nn.Linear(2 * frequencies + 1, width)
        self.activation = nn.SiLU()
        self.tokens = nn.Linear(width, tokens * channels)
        self.step = nn.Linear(width, width)
        self.channels = channels

    def forward(self, time: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.activation(self.hidden(self.waves(time)))
        return self.step(hidden), self.tokens(hidden).view(len(time), -1, self.channels)


class Attention(nn.Module):  # type: ignore[misc]
    """Pixels to the tokens that are told, or (`own`) to those and to each other as one sequence."""

    def __init__(self, channels: int, told: int, heads: int, head_dim: int, *, own: bool) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads, self.head_dim = heads, head_dim
        self.norm = nn.LayerNorm(channels)
        self.norm_told = nn.LayerNorm(told) if own and told else None
        self.to_q = nn.Linear(channels, inner, bias=False)
        self.to_k, self.to_v = (nn.Linear(channels, inner, bias=False) if own else None for _ in range(2))
        self.told_to_k, self.told_to_v = (nn.Linear(told, inner, bias=own) if told else None for _ in range(2))
        self.to_out = nn.Linear(inner, channels, bias=False)
        self.norm_out = nn.LayerNorm(channels)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        normed = self.norm(x)
        seen = told if self.norm_told is None else self.norm_told(told)
        q, k, v = self.to_q(normed), self._both(self.told_to_k, seen, self.to_k, normed), self._both(self.told_to_v, seen, self.to_v, normed)
        q, k, v = (part.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2) for part in (q, k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.norm_out(self.to_out(mixed.transpose(1, 2).flatten(2)))

    def _both(self, of_told: nn.Linear | None, told: Tensor | None, of_own: nn.Linear | None, own: Tensor) -> Tensor:
        """Keys or values of what is told, of pixels, or of both in one sequence."""
        parts = [linear(of) for linear, of in ((of_told, told), (of_own, own)) if linear is not None]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class Transformer(nn.Module):  # type: ignore[misc]
    """Pixels as tokens: attention to each other (and to what is told), then twice their width and back."""

    def __init__(self, channels: int, told: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.attention = Attention(channels, told, heads, head_dim, own=True)
        self.feed = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels, bias=False),
            nn.GELU(),
            nn.LayerNorm(2 * channels),
            nn.Linear(2 * channels, channels, bias=False),
        )

    def forward(self, image: Tensor, told: Tensor | None = None) -> Tensor:
        x = tokens_of(image)
        x = self.attention(x, told) + x
        x = self.feed(x) + x
        return image_of(x, image)


class Gate(nn.Module):  # type: ignore[misc]
    """One factor a channel, from a mean over pixels that weighs them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)
        self.shrink = nn.Conv2d(channels, max(3, channels // 2), 1)
        self.activation = nn.SiLU()
        self.grow = nn.Conv2d(max(3, channels // 2), channels, 1)
        self.bound = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        weights = self.score(x).flatten(2).softmax(dim=-1)
        mean = torch.bmm(x.flatten(2), weights.transpose(1, 2))
        return self.bound(self.grow(self.activation(self.shrink(mean[..., None]))))


class Residual(nn.Module):  # type: ignore[misc]
    """A residual block. told: width of the tokens that pixels attend to between its convolutions, 0 for none; gated: its result times a `Gate`."""

    def __init__(self, inputs: int, outputs: int, step: int, groups: int, *, told: int = 0, heads: int = 0, head_dim: int = 0, gated: bool = False) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(groups, inputs)
        self.activation = nn.SiLU()
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.cross = Attention(outputs, told, heads, head_dim, own=False) if told else None
        self.step = nn.Linear(step, 2 * outputs)
        self.norm_2 = nn.GroupNorm(groups, outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.gate = Gate(outputs) if gated else None
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, step: Tensor, told: Tensor | None = None) -> Tensor:
        scale, shift = self.step(self.activation(step))[..., None, None].chunk(2, dim=1)
        y = self.conv_1(self.activation(self.norm_1(x)))
        if self.cross is not None:
            tokens = tokens_of(y)
            y = image_of(self.cross(tokens, told) + tokens, y)
        y = self.conv_2(self.activation(self.norm_2(y) * (1 + scale) + shift))
        if self.gate is not None:
            y = y * self.gate(y)
        return y + (x if self.shortcut is None else self.shortcut(x))


class Halve(nn.Module):  # type: ignore[misc]
    """Four pixels become the channels of one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4 * inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pixel_unshuffle(x, 2))


class Double(nn.Module):  # type: ignore[misc]
    """The channels of one pixel become four."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, 1)
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.activation(self.conv(x)), 2)


class Widen(nn.Module):  # type: ignore[misc]
    """To more channels at the same side, with a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.shortcut(x)


class Level(nn.Module):  # type: ignore[misc]
    """The blocks of one side: one that attends to the text where it is told to, gated ones, a transformer; and what changes the side."""

    def __init__(self, first: Residual, blocks: Sequence[Residual], transformer: Transformer | None, resize: nn.Module | None) -> None:
        super().__init__()
        self.first, self.blocks, self.transformer, self.resize = first, nn.ModuleList(blocks), transformer, resize


class ImagenUnet(nn.Module):  # type: ignore[misc]
    """One denoising step of Imagen.

    channels, multipliers : width of the first level, and how many of that each level has; blocks: gated residual blocks of each level beside its first
    self_attention        : by level, whether a transformer follows its blocks; cross_attention: whether its first block attends to the text
    middle_attention      : whether pixels attend to each other between the way down and the way up
    efficient             : a level halves before its blocks, and there is one block before all
    low_resolution        : it enlarges an image, which it is given at full size, with the noise that was added to it as a second time
    image                 : side in pixels that it is made for; any that halves evenly will do
    """

    def __init__(
        self, *, channels: int, multipliers: Sequence[int], blocks: Sequence[int], self_attention: Sequence[bool], cross_attention: Sequence[bool], image: int,
        middle_attention: bool = True, efficient: bool = False, low_resolution: bool = False, text_width: int = 4096, heads: int = 8, head_dim: int = 64,
        time_tokens: int = 2, frequencies: int = 8, norm_groups: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.image, self.efficient = image, efficient
        step = 4 * channels * (2 if low_resolution else 1)
        seen = {"told": channels, "heads": heads, "head_dim": head_dim}

        def residual(inputs: int, outputs: int, *, cross: bool = False, gated: bool = False) -> Residual:
            return Residual(inputs, outputs, step, norm_groups, gated=gated, **(seen if cross else {}))

        def transformer(width: int, wanted: bool, told: int = channels) -> Transformer | None:
            return Transformer(width, told, heads, head_dim) if wanted else None

        widths = list(pairwise((channels, *(channels * each for each in multipliers))))
        pixels = 6 if low_resolution else 3
        parts = (channels // 2, channels // 4, channels - channels // 2 - channels // 4)
        self.stem = nn.ModuleList(nn.Conv2d(pixels, part, kernel, padding=kernel // 2) for part, kernel in zip(parts, (3, 7, 15), strict=True))
        self.clock = Clock(frequencies, step, time_tokens, channels)
        self.low_clock = Clock(frequencies, step, time_tokens, channels) if low_resolution else None
        self.text = nn.Linear(text_width, channels)
        self.summary = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, step), nn.SiLU(), nn.Linear(step, step))
        self.norm_told = nn.LayerNorm(channels)
        self.entry = residual(channels, channels, gated=True) if efficient else None
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (inputs, outputs) in enumerate(widths):
            inner, is_last = outputs if efficient else inputs, level + 1 == len(widths)
            resize = Widen(inputs, outputs) if is_last and not efficient else Halve(inputs, outputs)
            gated = [residual(inner, inner, gated=True) for _ in range(blocks[level])]
            first = residual(inner, inner, cross=cross_attention[level])
            self.downs.append(Level(first, gated, transformer(inner, self_attention[level]), resize))
        middle = widths[-1][1]
        self.middle_1 = residual(middle, middle, cross=True)
        self.middle_transformer = transformer(middle, middle_attention, 0)
        self.middle_2 = residual(middle, middle, cross=True)
        for level, (inputs, outputs) in reversed(list(enumerate(widths))):
            joined = outputs + (outputs if efficient else inputs)
            gated = [residual(joined, outputs, gated=True) for _ in range(blocks[level])]
            first = residual(joined, outputs, cross=cross_attention[level])
            above = Double(outputs, inputs) if efficient or level else None
            self.ups.append(Level(first, gated, transformer(outputs, self_attention[level]), above))
        self.exit = residual(channels, channels, gated=True)
        self.out = nn.Conv2d(channels + (3 if low_resolution else 0), 3, 3, padding=1)

    def forward(self, image: Tensor, time: Tensor, text: Tensor, low_image: Tensor | None = None, low_time: Tensor | None = None) -> Tensor:
        """(batch, 3, side, side) of what to take away. text (batch, tokens, text_width); low_image as image; time and low_time (batch,)."""
        x = image if low_image is None else torch.cat((image, low_image), dim=1)
        x = torch.cat([conv(x) for conv in self.stem], dim=1)
        step, tokens = self.clock(time)
        if self.low_clock is not None:
            low_step, low_tokens = self.low_clock(low_time)
            step, tokens = step + low_step, torch.cat((tokens, low_tokens), dim=1)
        words = self.text(text)
        step = step + self.summary(words.mean(dim=1))
        told = self.norm_told(torch.cat((tokens, words), dim=1))
        if self.entry is not None:
            x = self.entry(x, step)
        kept: list[Tensor] = []
        for level in self.downs:
            x = level.resize(x) if self.efficient else x
            x = level.first(x, step, told)
            for block in level.blocks:
                x = block(x, step)
                kept.append(x)
            x = x if level.transformer is None else level.transformer(x, told)
            kept.append(x)
            x = x if self.efficient else level.resize(x)
        x = self.middle_1(x, step, told)
        x = x if self.middle_transformer is None else self.middle_transformer(x)
        x = self.middle_2(x, step, told)
        for level in self.ups:
            x = level.first(torch.cat((x, kept.pop() * SKIP), dim=1), step, told)
            for block in level.blocks:
                x = block(torch.cat((x, kept.pop() * SKIP), dim=1), step)
            x = x if level.transformer is None else level.transformer(x, told)
            x = x if level.resize is None else level.resize(x)
        x = self.exit(x, step)
        return self.out(x if low_image is None else torch.cat((x, low_image), dim=1))
