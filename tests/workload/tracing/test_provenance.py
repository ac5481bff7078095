"""Attention is told apart by the axes that became its sequences: not by names of modules, not by sizes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from thrifty.workload import Axes, Kind, Workload, capture
from thrifty.workload.tracing.provenance import axes_of, guess_axes, kind_of_sequences, name_axes, regroup

VIDEO = ("batch", "channel", "frame", "height", "width")


class Attend(nn.Module):
    """Self-attention over the last axis but one, or cross-attention to a context."""

    def __init__(self, width: int, *, heads: int = 2, spelled_out: bool = False) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.heads, self.spelled_out = heads, spelled_out

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        source = x if context is None else context
        q, k, v = (
            layer(value).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer, value in ((self.q, x), (self.k, source), (self.v, source))
        )
        if self.spelled_out:
            scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
            out = scores.softmax(-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        result: torch.Tensor = self.o(out.transpose(1, 2).flatten(2))
        return result


class Video(nn.Module):
    """Convolution, spatial, temporal, cross and joint attention over (batch, channel, frame, height, width), its modules under any names."""

    def __init__(self, names: tuple[str, str, str, str], *, spelled_out: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 8, 3, padding=1)
        self.names = names
        self.parts = nn.ModuleDict({name: Attend(8, spelled_out=spelled_out) for name in names})

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        space, time, cross, joint = (self.parts[name] for name in self.names)
        x = self.stem(x)
        b, c, f, h, w = x.shape
        rows = x.permute(0, 2, 3, 4, 1).reshape(b * f, h * w, c)
        rows = rows + space(rows)
        rows = rows + cross(rows, text.repeat_interleave(f, dim=0))
        columns = rows.reshape(b, f, h * w, c).permute(0, 2, 1, 3).reshape(b * h * w, f, c)
        columns = columns + time(columns)
        tokens = columns.reshape(b, h * w, f, c).transpose(1, 2).reshape(b, f * h * w, c)
        whole = torch.cat([text, tokens], dim=1)
        result: torch.Tensor = joint(whole)[:, text.shape[1] :]
        return result


def video(frames: int, height: int, width: int, device: str = "meta") -> tuple[torch.Tensor, torch.Tensor]:
    return (
        name_axes(torch.zeros(2, 3, frames, height, width, device=device), VIDEO),
        name_axes(torch.zeros(2, 7, 8, device=device), ("batch", "text", "channel")),
    )


def kinds(work: Workload) -> list[tuple[str, int, int, int]]:
    rows = work.table.rows
    chosen = rows[(rows["kind"] == Kind.ATTENTION) & ((rows["m"] == 0) | (rows["k"] == rows["seq_k"]))]
    return [(Axes(int(row["axes"])).label, int(row["seq_q"]), int(row["seq_k"]), int(row["batch"])) for row in chosen]


NAMES = ("space", "time", "cross", "joint")


@pytest.mark.parametrize("sizes", [(3, 4, 5), (4, 4, 4), (1, 4, 4), (4, 1, 1), (1, 1, 4)])
@pytest.mark.parametrize("names", [NAMES, ("temporal", "spatial", "self", "x"), ("d", "c", "b", "a")])
def test_formula_kinds_do_not_depend_on_names_or_sizes(sizes: tuple[int, int, int], names: tuple[str, str, str, str]) -> None:
    f, h, w = sizes
    with torch.device("meta"):
        module = Video(names)
    assert kinds(capture(module, *video(f, h, w))) == [
        ("spatial", h * w, h * w, 2 * f), ("cross", h * w, 7, 2 * f), ("temporal", f, f, 2 * h * w), ("joint", 7 + f * h * w, 7 + f * h * w, 2),
    ]  # fmt: skip


def test_real_meta_and_spelled_out_agree() -> None:
    with torch.device("meta"):
        expected = [kind for kind, *_ in kinds(capture(Video(NAMES), *video(3, 3, 3)))]
        spelled = capture(Video(NAMES, spelled_out=True), *video(3, 3, 3))
    assert [kind for kind, *_ in kinds(capture(Video(NAMES), *video(3, 3, 3, "cpu")))] == expected
    assert [kind for kind, *_ in kinds(spelled)] == expected
    rows = spelled.table.rows
    assert set(rows["axes"][rows["kind"] != Kind.ATTENTION].tolist()) == {Axes.NONE}


def test_backward_carries_the_kind_of_its_forward() -> None:
    work = capture(Video(NAMES), *video(2, 2, 2, "cpu"), phase="training", loss=lambda out: out.mean())
    rows = work.table.rows
    back = rows[(rows["kind"] == Kind.ATTENTION) & (rows["phase"] == 1)]
    assert Counter(Axes(int(row["axes"])).label for row in back) == Counter(("spatial", "cross", "temporal", "joint"))


def test_unnamed_inputs_are_guessed_where_layouts_are_torchs_own() -> None:
    def named(*names: str) -> Any:
        return tuple((frozenset({name}),) for name in names)

    def seen(tensor: torch.Tensor) -> Any:
        return tuple(tuple(names for names, _ in axis) for axis in axes_of(tensor) or ())

    image, text = torch.zeros(1, 3, 8, 8), torch.zeros(1, 5, 16)
    with guess_axes(image, {"text": text}):
        assert seen(image) == named("batch", "channel", "height", "width") and seen(text) == named("batch", "text", "channel")
    assert axes_of(image) is None and axes_of(text) is None  # a user's tensors are left as they were
    alone, ids, clip = torch.zeros(1, 5, 16), torch.zeros(1, 5, dtype=torch.long), name_axes(torch.zeros(1, 2), ("batch", "token"))
    with guess_axes(alone, ids, clip):
        assert seen(alone) == named("batch", "token", "channel") and seen(ids) == named("batch", "token")
    assert axes_of(clip) is not None


def test_axes_after_arbitrary_indexing_are_unknown_not_guessed() -> None:
    class Pick(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = Attend(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = x.flatten(2).transpose(1, 2)
            picked = rows[torch.arange(rows.shape[0]), torch.zeros(rows.shape[0], dtype=torch.long)]
            result: torch.Tensor = self.attend(picked[:, None].expand(-1, 3, -1))
            return result

    found = kinds(capture(Pick(), name_axes(torch.zeros(2, 4, 3, 3), ("batch", "channel", "height", "width"))))
    assert [kind for kind, *_ in found] == ["none"]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.randoms())
def test_property_regrouping_keeps_every_element_under_its_name(sizes: list[int], random: Any) -> None:
    named = tuple(((frozenset({str(place)}), size),) for place, size in enumerate(sizes))
    total = 1
    for size in sizes:
        total *= size
    cut = random.choice([d for d in range(1, total + 1) if total % d == 0])
    shape = (cut, total // cut)
    result = regroup(named, shape)
    assert len(result) == 2
    for axis, size in zip(result, shape, strict=True):
        product = 1
        for _, length in axis:
            product *= length
        assert product == size
    assert regroup(named, sizes) == named


def _axis(*names: str) -> Any:
    return tuple((frozenset(name.split("+")), 4) for name in names)


@pytest.mark.parametrize(
    ("queries", "keys", "kind"),
    [
        (_axis("height", "width"), _axis("height", "width"), Axes.SPATIAL), (_axis("width"), _axis("width"), Axes.SPATIAL),
        (_axis("frame"), _axis("frame"), Axes.TEMPORAL), (_axis("frame", "height", "width"), _axis("frame", "height", "width"), Axes.JOINT),
        (_axis("height", "width"), _axis("text"), Axes.CROSS), (_axis("height", "width"), _axis("text+height+width"), Axes.JOINT),
        (_axis("text"), _axis("text"), Axes.SELF), (_axis("token"), _axis("token"), Axes.SELF), ((), (), Axes.SELF), ((), _axis("text"), Axes.CROSS),
        (_axis("batch", "height", "width"), _axis("height", "width"), Axes.SPATIAL),
    ],
)  # fmt: skip
def test_formula_kind_of_two_sequences(queries: Any, keys: Any, kind: Axes) -> None:
    assert kind_of_sequences(queries, keys) == kind
