"""Make-A-Video's UNet in torch, the twin of `make_a_video`: written from the paper (Singer et al., 2022), small and plain.

A video passes as batch · frames images through image layers; behind each comes its temporal half, a convolution or attention over frames, which a single
frame leaves out: an image takes the path of the image model that the video model was made from. Imported only where torch is wanted.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate

from thrifty.workload.families.token_transformers.token_blocks_torch import Attention


class Pseudo3dConv(nn.Module):  # type: ignore[misc]
    """A convolution over an image, then one over frames, which begins as the identity."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, temporal: bool = True) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        if temporal:
            self.temporal = nn.Conv1d(outputs, outputs, 3, padding=1)
            nn.init.dirac_(self.temporal.weight)
            nn.init.zeros_(self.temporal.bias)

    def forward(self, x: torch.Tensor, frames: int) -> torch.Tensor:
        """x (batch · frames, channels, height, width)."""
        x = self.spatial(x)
        if frames == 1 or not hasattr(self, "temporal"):
            return x
        height, width = x.shape[2:]
        rows = x.unflatten(0, (-1, frames)).permute(0, 3, 4, 2, 1).flatten(0, 2).contiguous()
        made = self.temporal(rows).unflatten(0, (-1, height, width))
        return made.permute(0, 4, 3, 1, 2).flatten(0, 1).contiguous()


class ResidualBlock(nn.Module):  # type: ignore[misc]
    """Norm, SiLU and convolution twice; in between the step scales and shifts what the second norm gave."""

    def __init__(self, inputs: int, outputs: int, step: int, groups: int, *, temporal: bool) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.act = nn.SiLU()
        self.conv1 = Pseudo3dConv(inputs, outputs, temporal=temporal)
        self.step = nn.Linear(step, 2 * outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = Pseudo3dConv(outputs, outputs, temporal=temporal)
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: torch.Tensor, step: torch.Tensor, frames: int) -> torch.Tensor:
        y = self.conv1(self.act(self.norm1(x)), frames)
        by, plus = self.step(self.act(step))[:, :, None, None].chunk(2, dim=1)
        y = self.norm2(y) * (1 + by) + plus
        y = self.conv2(self.act(y), frames)
        return (self.shortcut(x) if hasattr(self, "shortcut") else x) + y


class Pseudo3dAttention(nn.Module):  # type: ignore[misc]
    """Pixels of a frame attend to each other, then to the text, then every pixel's frames to each other; the last begins as nothing added."""

    def __init__(self, channels: int, heads: int, context: int, groups: int, *, temporal: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.spatial = Attention(channels, heads)
        if context:
            self.cross_norm = nn.GroupNorm(groups, channels)
            self.cross = Attention(channels, heads, context=context)
        if temporal:
            self.temporal_norm = nn.GroupNorm(groups, channels)
            self.temporal = Attention(channels, heads)
            nn.init.zeros_(self.temporal.o.weight)

    def forward(self, x: torch.Tensor, words: torch.Tensor | None, frames: int) -> torch.Tensor:
        """x (batch · frames, channels, height, width); words (batch · frames, text, context)."""
        height, width = x.shape[2:]
        made = self.spatial(_pixels(self.norm(x)))
        x = x + made.transpose(1, 2).unflatten(2, (height, width))
        if words is not None:
            made = self.cross(_pixels(self.cross_norm(x)), words)
            x = x + made.transpose(1, 2).unflatten(2, (height, width))
        if frames > 1 and hasattr(self, "temporal"):
            rows = self.temporal_norm(x).unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2).flatten(0, 2).contiguous()
            made = self.temporal(rows).unflatten(0, (-1, height, width))
            x = x + made.permute(0, 3, 4, 1, 2).flatten(0, 1).contiguous()
        return x


def _pixels(x: torch.Tensor) -> torch.Tensor:
    """(images, channels, height, width) → (images, pixels, channels)."""
    return x.flatten(2).transpose(1, 2).contiguous()


class MakeAVideoUnet(nn.Module):  # type: ignore[misc]
    """One denoising step; sizes as in `make_a_video.MakeAVideoShape`."""

    def __init__(
        self, *, image: int = 64, frames: int = 16, in_channels: int = 3, condition_channels: int = 0, out_channels: int = 3, base: int = 512,
        multipliers: tuple[int, ...] = (1, 2, 3, 4), blocks: tuple[int, ...] = (3, 3, 3, 3), attention: tuple[bool, ...] = (False, True, True, True),
        head_dim: int = 64, groups: int = 32, context: int = 0, embedding: int = 0, rates: int = 0, temporal: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.base, self.step_width, levels = base, 4 * base, range(len(multipliers))
        channels = [base * multiplier for multiplier in multipliers]

        def residual(inputs: int, outputs: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, self.step_width, groups, temporal=temporal)

        def attend(level: int) -> nn.Module:
            if not attention[level]:
                return nn.Identity()
            return Pseudo3dAttention(channels[level], channels[level] // head_dim, context, groups, temporal=temporal)

        self.step = nn.Sequential(nn.Linear(base, self.step_width), nn.SiLU(), nn.Linear(self.step_width, self.step_width))
        if rates:
            self.rate = nn.Embedding(rates, self.step_width)
        if embedding:
            self.seen = nn.Linear(embedding, self.step_width)
        self.first = Pseudo3dConv(in_channels + condition_channels, base, temporal=temporal)
        self.down, self.down_attention, self.halvings = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.up, self.up_attention, self.doublings = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width, kept = base, [base]
        for level in levels:
            self.down.append(nn.ModuleList(residual(width if place == 0 else channels[level], channels[level]) for place in range(blocks[level])))
            self.down_attention.append(nn.ModuleList(attend(level) for _ in range(blocks[level])))
            width = channels[level]
            kept += [width] * blocks[level]
            if level < levels[-1]:
                self.halvings.append(Pseudo3dConv(width, width, stride=2, temporal=temporal))
                kept.append(width)
        self.middle = nn.ModuleList((residual(width, width), attend(levels[-1]), residual(width, width)))
        for level in reversed(levels):
            self.up.append(nn.ModuleList())
            for place in range(blocks[level] + 1):
                self.up[-1].append(residual((width if place == 0 else channels[level]) + kept.pop(), channels[level]))
            self.up_attention.append(nn.ModuleList(attend(level) for _ in range(blocks[level] + 1)))
            width = channels[level]
            if level:
                self.doublings.append(Pseudo3dConv(width, width, temporal=temporal))
        self.norm = nn.GroupNorm(groups, width)
        self.act = nn.SiLU()
        self.last = Pseudo3dConv(width, out_channels, temporal=temporal)

    def forward(
        self, video: torch.Tensor, step: torch.Tensor, condition: torch.Tensor | None = None, words: torch.Tensor | None = None,
        seen: torch.Tensor | None = None, rate: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """What is left of the noise in video (batch, channels, frames, height, width).

        step: (batch,); condition: channels beside the video's (a smaller video made large, or known frames and which they are);
        words: (batch, text, context) of a text encoder; seen: (batch, embedding) of the image that the prior foresees; rate: (batch,) frames a second
        """
        frames = video.shape[2]
        told = self.step(self._waves(step).to(video.dtype))
        if rate is not None:
            told = told + self.rate(rate)
        if seen is not None:
            told = told + self.seen(seen)
        told = told.repeat_interleave(frames, dim=0, output_size=told.shape[0] * frames)
        if words is not None:
            words = words.repeat_interleave(frames, dim=0, output_size=words.shape[0] * frames)
        x = video if condition is None else torch.cat([video, condition], dim=1)
        x = self.first(x.transpose(1, 2).flatten(0, 1).contiguous(), frames)
        kept = [x]
        for level, (residuals, attentions) in enumerate(zip(self.down, self.down_attention, strict=True)):
            for residual, attend in zip(residuals, attentions, strict=True):
                x = _attended(attend, residual(x, told, frames), words, frames)
                kept.append(x)
            if level < len(self.halvings):
                x = self.halvings[level](x, frames)
                kept.append(x)
        x = self.middle[0](x, told, frames)
        x = self.middle[2](_attended(self.middle[1], x, words, frames), told, frames)
        for level, (residuals, attentions) in enumerate(zip(self.up, self.up_attention, strict=True)):
            for residual, attend in zip(residuals, attentions, strict=True):
                x = residual(torch.cat([x, kept.pop()], dim=1), told, frames)
                x = _attended(attend, x, words, frames)
            if level < len(self.doublings):
                x = self.doublings[level](interpolate(x, size=kept[-1].shape[2:], mode="nearest"), frames)
        made = self.last(self.act(self.norm(x)), frames)
        return made.unflatten(0, (-1, frames)).transpose(1, 2)

    def _waves(self, step: torch.Tensor) -> torch.Tensor:
        """Cosines and sines of every step at `base` / 2 frequencies."""
        rates = torch.arange(self.base // 2, dtype=torch.float32, device=step.device)
        angles = step[:, None].float() * torch.exp(rates * (-9.210340371976184 / (self.base // 2)))[None, :]
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


def _attended(attend: nn.Module, x: torch.Tensor, words: torch.Tensor | None, frames: int) -> torch.Tensor:
    return x if isinstance(attend, nn.Identity) else attend(x, words, frames)
