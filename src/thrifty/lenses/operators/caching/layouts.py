"""Where the numbers of one attention lie: a video tensor (frames, positions, channels) read along its positions or along its frames.

    spatial  contiguous     a sequence is the positions of one frame: rows of head_dim numbers, `channels` numbers apart
    temporal strided        a sequence is one position in every frame: rows positions x channels numbers apart, nothing was moved
    either   materialised   a copy (batch, head, row, head_dim) was made, in which a sequence of one head lies in one piece; the copy is a kernel too
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, Literal

from thrifty.errors import BadValue
from thrifty.quantities import positive_int

Kind = Literal["spatial", "temporal"]
Layout = Literal["contiguous", "strided", "materialised"]
LAYOUTS: Final[dict[Kind, tuple[Layout, ...]]] = {"spatial": ("contiguous", "materialised"), "temporal": ("strided", "materialised")}
PAGE: Final = 512
"""Tensors start at multiples of this many bytes, as allocators of devices place them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A tensor (frames, positions, channels), channels innermost, whose attention has `heads` heads; numbers of `number_bytes` bytes."""

    frames: int = 16
    positions: int = 1024
    channels: int = 320
    heads: int = 8
    number_bytes: int = 2

    def __post_init__(self) -> None:
        for name in ("frames", "positions", "channels", "heads"):
            positive_int(name, getattr(self, name))
        if self.number_bytes not in (1, 2, 4, 8):
            raise BadValue(f"number_bytes={self.number_bytes} is no size of a number. Choose 1, 2, 4 or 8.")
        if self.channels % self.heads:
            raise BadValue(f"channels={self.channels} is not divisible by heads={self.heads}. Choose a multiple of {self.heads}.")

    @property
    def head_dim(self) -> int:
        """Numbers of one row of one head."""
        return self.channels // self.heads

    @property
    def tensor_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.frames * self.positions * self.channels * self.number_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One head's rows in memory: row r of head h of sequence s starts at base + s * outer + h * head + r * row (bytes)."""

    base: int
    outer: int
    head: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One attention over a video: `sequences` x `heads` products of (length, head_dim) rows, and where everything lies.

    heads        : of the video, or the first few of them where only a part is looked at
    q, k, v, o   : as the products read and write them
    source_*     : where they lay before (q, k, v) and go to (o) when copies are made; the same Rows when none are
    scores       : two buffers of (sequences, heads, length, length) numbers: of the products, and of what came out of scaling or softmax
    """

    video: Video
    kind: Kind
    layout: Layout
    sequences: int
    heads: int
    length: int
    q: Rows
    k: Rows
    v: Rows
    o: Rows
    source_q: Rows
    source_k: Rows
    source_v: Rows
    source_o: Rows
    scores: tuple[int, int]

    @property
    def units(self) -> int:
        """Independent products: sequences times heads."""
        return self.sequences * self.heads

    @property
    def scores_bytes(self) -> int:
        """Bytes of one buffer of scores."""
        return self.units * self.length**2 * self.video.number_bytes

    @property
    def operand_bytes(self) -> int:
        """Bytes of one of q, k, v and o."""
        return self.units * self.length * self.video.head_dim * self.video.number_bytes

    @property
    def product_flops(self) -> int:
        """FLOPs of either matrix product."""
        return 2 * self.units * self.length**2 * self.video.head_dim

    def part(self, share: float) -> Attention:
        """The first sequences (and, of a single one, the first heads) that make up about `share` of all; nothing is moved. At least one product."""
        units = max(1, round(self.units * min(1.0, share)))
        if units >= self.heads:
            return dataclasses.replace(self, sequences=units // self.heads)
        return dataclasses.replace(self, sequences=1, heads=units)


def attention(video: Video, kind: Kind, layout: Layout) -> Attention:
    """Lay one attention out, tensors one after another. Raises BadValue for a layout that its kind does not have."""
    if kind not in LAYOUTS:
        raise BadValue(f"kind '{kind}' is unknown. Choose from: {', '.join(LAYOUTS)}.")
    if layout not in LAYOUTS[kind]:
        raise BadValue(f"{kind} attention has no layout '{layout}'. Choose from: {', '.join(LAYOUTS[kind])}.")
    size, dim = video.number_bytes, video.head_dim
    token, frame = video.channels * size, video.positions * video.channels * size
    sequences, length = (video.frames, video.positions) if kind == "spatial" else (video.positions, video.frames)
    outer, row = (frame, token) if kind == "spatial" else (token, frame)
    room = -(-video.tensor_bytes // PAGE) * PAGE

    def place(index: int, moved: bool) -> Rows:
        if moved:
            return Rows(base=index * room, outer=video.heads * length * dim * size, head=length * dim * size, row=dim * size)
        return Rows(base=index * room, outer=outer, head=dim * size, row=row)

    sources = [place(index, False) for index in range(4)]
    moved = [place(index + 4, True) for index in range(4)] if layout == "materialised" else sources
    buffer = 8 * room
    scores = -(-sequences * video.heads * length**2 * size // PAGE) * PAGE
    return Attention(
        video=video, kind=kind, layout=layout, sequences=sequences, heads=video.heads, length=length,
        q=moved[0], k=moved[1], v=moved[2], o=moved[3], source_q=sources[0], source_k=sources[1], source_v=sources[2], source_o=sources[3],
        scores=(buffer, buffer + scores),
    )  # fmt: skip
