"""Follows the named axes of inputs through every operator, so that an attention knows over what it attends.

Each axis of a tensor is a row of atoms (names, size), the slowest first: a sequence that a reshape made of height and width is [(height, 16), (width, 16)],
a folded batch [(batch, 2), (frame, 8)]. Reshapes split and join atoms, permutes move them, concatenation unites their names; products keep the rows'
and make the new axis a channel. So the kind of an attention is read off the axes that became its sequences, never off names of modules
or off sizes: shuffled names and frames = height = width change nothing.

What it does not know: axes after arbitrary indexing or a view by strides; they have no name from there on, and are never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Final

import torch

from thrifty.workload.table import Axes

Atom = tuple[frozenset[str], int]
Axis = tuple[Atom, ...]
Named = tuple[Axis, ...]

_ATTRIBUTE: Final = "_thrifty_axes"
_NOBODY: Final[frozenset[str]] = frozenset()
_CHANNEL: Final = frozenset({"channel"})
_IMAGE: Final = frozenset({"height", "width"})
_NO_SEQUENCE: Final = frozenset({"batch", "channel"})


def name_axes(tensor: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    """Say what each axis of an input is; returns the tensor."""
    setattr(tensor, _ATTRIBUTE, tuple(((frozenset({name}), size),) for name, size in zip(names, tensor.shape, strict=True)))
    return tensor


def name_as(tensor: torch.Tensor, named: Named) -> None:
    """Name the axes of a result whose axes are those of another tensor; a last axis of another size is a channel."""
    if len(named) == tensor.dim():
        setattr(tensor, _ATTRIBUTE, (*named[:-1], ((_CHANNEL, tensor.shape[-1]),)))


def axes_of(tensor: torch.Tensor) -> Named | None:
    """The named axes of a tensor; None where nothing is known."""
    found: Named | None = getattr(tensor, _ATTRIBUTE, None)
    return found


def _tensors(values: Iterable[Any]) -> Iterable[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
        elif isinstance(value, Mapping):
            yield from _tensors(value.values())


def has_names(inputs: Any) -> bool:
    """Whether any axis of any input has a name."""
    return any(axes_of(tensor) is not None for tensor in _tensors((inputs,)))


@contextmanager
def guess_axes(*inputs: Any) -> Iterator[None]:
    """Name the axes of inputs that nobody named, while open, as torch's layers lay them out: (batch, channel, height, width), (batch, channel, frame, height,
    width); what comes with such an image, (batch, text, channel) or (batch, text), is text; without one it is tokens."""
    plain = [tensor for tensor in _tensors(inputs) if not tensor.is_nested and tensor.layout is torch.strided]
    unnamed = [tensor for tensor in plain if axes_of(tensor) is None]
    tokens = "text" if any(tensor.dim() in (4, 5) and tensor.is_floating_point() for tensor in plain) else "token"
    layouts = {5: ("batch", "channel", "frame", "height", "width"), 4: ("batch", "channel", "height", "width"), 3: ("batch", tokens, "channel")}
    guessed = []
    for tensor in unnamed:
        names = layouts.get(tensor.dim()) if tensor.is_floating_point() else ("batch", tokens) if tensor.dim() == 2 else None
        if names is not None:
            guessed.append(name_axes(tensor, names))
    try:
        yield
    finally:
        for tensor in guessed:
            vars(tensor).pop(_ATTRIBUTE, None)  # one tensor may be given twice


def _names(axis: Axis) -> frozenset[str]:
    """Of the atoms that are longer than one; where none is, of all."""
    chosen = [names for names, size in axis if size > 1] or [names for names, _ in axis]
    return _NOBODY.union(*chosen) - _NO_SEQUENCE


def attention_axes(q: torch.Tensor, k: torch.Tensor) -> Axes:
    """What an attention of (…, queries, width) to (…, keys, width) is; NONE where nothing is known of either."""
    queries, keys = axes_of(q), axes_of(k)
    if queries is None and keys is None:
        return Axes.NONE
    return kind_of_sequences(queries[-2] if queries is not None else (), keys[-2] if keys is not None else ())


def score_axes(scores: torch.Tensor) -> Axes:
    """The same, from the scores (…, queries, keys) of an attention that a module spells out."""
    named = axes_of(scores)
    return Axes.NONE if named is None or len(named) < 2 else kind_of_sequences(named[-2], named[-1])


def kind_of_sequences(queries: Axis, keys: Axis) -> Axes:
    """The kind of an attention between two sequences."""
    q, k = _names(queries), _names(keys)
    if not q and not k:
        return Axes.SELF
    if not (q & k):
        return Axes.CROSS
    both = q | k
    over = {"spatial" if name in _IMAGE else name for name in both}
    if over == {"spatial"}:
        return Axes.SPATIAL
    if over == {"frame"}:
        return Axes.TEMPORAL
    return Axes.JOINT if len(over) > 1 else Axes.SELF


# -- through operators ------------------------------------------------------------------------------------------------------------------


def regroup(named: Named, shape: Sequence[int]) -> Named:
    """The axes of a tensor whose elements lie in the same order under another shape."""
    atoms = [atom for axis in named for atom in axis]
    atoms.reverse()
    result: list[Axis] = []
    for place, size in enumerate(shape):
        taken: list[Atom] = []
        product = 1
        if size == 1 and atoms and atoms[-1][1] == 1:
            taken.append(atoms.pop())
        while product < size and atoms:
            names, length = atoms.pop()
            need = size // product
            if length > need:
                if size % product or length % need:
                    return _blurred(named, shape)
                atoms.append((names, length // need))
                length = need
            taken.append((names, length))
            product *= length
        if product != size:
            return _blurred(named, shape)
        last = place + 1 == len(shape)
        rows = place + 2 == len(shape) and size == 1 != shape[-1] and prod(length for _, length in named[-1]) == shape[-1]  # channels stay alone
        while atoms and atoms[-1][1] == 1 and (last or (size != 1 and shape[place + 1] != 1) or (rows and len(atoms) > len(named[-1]))):
            taken.append(atoms.pop())  # an axis of one stays with what lies before it, unless an axis of one is or follows
        result.append(tuple(taken))
    return tuple(result)


def _blurred(named: Named, shape: Sequence[int]) -> Named:
    """Every axis may be of anything that was there."""
    everything = _NOBODY.union(*(names for axis in named for names, _ in axis))
    return tuple(((everything, size),) for size in shape)


def _resized(axis: Axis, size: int) -> Axis:
    """An axis of which a part was taken, or that was enlarged: one atom of the same names."""
    length = 1
    for _, each in axis:
        length *= each
    return axis if length == size else ((_NOBODY.union(*(names for names, _ in axis)) if axis else _NOBODY, size),)


def _same_rank(named: Named, shape: Sequence[int]) -> Named | None:
    return tuple(_resized(axis, size) for axis, size in zip(named, shape, strict=True)) if len(named) == len(shape) else None


def _broadcast(args: Sequence[Any], shape: Sequence[int]) -> Named:
    result: list[Axis] = [((_NOBODY, size),) for size in shape]
    for tensor in _tensors(args):
        named = axes_of(tensor)
        if named is None or len(named) > len(shape):
            continue
        offset = len(shape) - len(named)
        for place, axis in enumerate(named):
            if tensor.shape[place] == shape[offset + place] and not _named(result[offset + place]):
                result[offset + place] = axis
    return tuple(result)


def _named(axis: Axis) -> bool:
    return any(names for names, _ in axis)


def _first(args: Sequence[Any]) -> tuple[torch.Tensor, Named] | None:
    for tensor in _tensors(args):
        named = axes_of(tensor)
        if named is not None:
            return tensor, named
    return None


def _of(value: Any) -> Named:
    """Axes of an operand, without names where nothing is known."""
    named = axes_of(value)
    return named if named is not None else tuple(((_NOBODY, size),) for size in value.shape)


def _permuted(args: Sequence[Any], shape: Sequence[int]) -> Named:
    named, order = _of(args[0]), args[1]
    return tuple(named[axis] for axis in order)


def _transposed(args: Sequence[Any], shape: Sequence[int]) -> Named:
    named = list(_of(args[0]))
    if len(named) > 1:
        a, b = (args[1], args[2]) if len(args) > 2 else (-2, -1)
        named[a], named[b] = named[b], named[a]
    return tuple(named)


def _viewed(args: Sequence[Any], shape: Sequence[int]) -> Named:
    return regroup(_of(args[0]), shape)


def _without(args: Sequence[Any], shape: Sequence[int]) -> Named:
    """One axis is taken out: select (tensor, axis, index), unbind (tensor, axis)."""
    named = list(_of(args[0]))
    del named[args[1] if len(args) > 1 else 0]
    return tuple(named)


def _joined(args: Sequence[Any], shape: Sequence[int]) -> Named:
    parts = [_of(part) for part in args[0] if part.dim() == len(shape)]
    place = (args[1] if len(args) > 1 else 0) % max(len(shape), 1)
    result = list(_broadcast(args[0], shape))
    result[place] = ((_NOBODY.union(*(names for part in parts for names, _ in part[place])), shape[place]),)
    for other in range(len(shape)):
        if other != place and not _named(result[other]):
            result[other] = next((part[other] for part in parts if _named(part[other])), result[other])
    return tuple(result)


def _stacked(args: Sequence[Any], shape: Sequence[int]) -> Named:
    place = (args[1] if len(args) > 1 else 0) % len(shape)
    inner = list(_broadcast(args[0], [size for axis, size in enumerate(shape) if axis != place]))
    inner.insert(place, ((_NOBODY, shape[place]),))
    return tuple(inner)


def _product(left: int) -> Callable[[Sequence[Any], Sequence[int]], Named]:
    """(…, m, k) × (…, k, n), the first factor at `left` among the arguments; a factor without names is a weight, and its columns are channels."""

    def axes(args: Sequence[Any], shape: Sequence[int]) -> Named:
        a, b = args[left], args[left + 1]
        columns = _of(b)[-1] if axes_of(b) is not None else ((_CHANNEL, shape[-1]),)
        lead = (x if _named(x) else y for x, y in zip(_of(a)[:-2], _of(b)[:-2], strict=True)) if a.dim() == b.dim() else _of(a)[:-2]
        return (*lead, _of(a)[-2], columns)

    return axes


def _convolved(args: Sequence[Any], shape: Sequence[int]) -> Named:
    named = _of(args[0])
    if len(named) != len(shape):
        return tuple(((_NOBODY, size),) for size in shape)
    return (named[0], ((_CHANNEL, shape[1]),), *(_resized(axis, size) for axis, size in zip(named[2:], shape[2:], strict=True)))


def _looked_up(args: Sequence[Any], shape: Sequence[int]) -> Named:
    return (*_of(args[1]), ((_CHANNEL, shape[-1]),))


def _reduced(args: Sequence[Any], shape: Sequence[int]) -> Named | None:
    """Over the axes that are the second argument, dropped unless they are kept."""
    named = _of(args[0])
    if len(named) == len(shape):
        return tuple(axis if size != 1 else ((_NOBODY, 1),) for axis, size in zip(named, shape, strict=True))
    over = args[1] if len(args) > 1 else None
    if over is None:
        return None
    gone = {place % len(named) for place in (over if isinstance(over, (list, tuple)) else (over,))}
    return tuple(axis for place, axis in enumerate(named) if place not in gone)


def _padded(args: Sequence[Any], shape: Sequence[int]) -> Named | None:
    return _same_rank(_of(args[0]), shape)


def _as_complex(args: Sequence[Any], shape: Sequence[int]) -> Named:
    return _of(args[0])[:-1]


def _as_real(args: Sequence[Any], shape: Sequence[int]) -> Named:
    return (*_of(args[0]), ((_NOBODY, 2),))


def _expanded(args: Sequence[Any], shape: Sequence[int]) -> Named:
    return _broadcast(args[:1], shape)


def _unknown(args: Sequence[Any], shape: Sequence[int]) -> None:
    return None


_RULES: Final[dict[str, Callable[[Sequence[Any], Sequence[int]], Named | None]]] = {
    **dict.fromkeys(("aten.view", "aten._unsafe_view", "aten.reshape", "aten._reshape_alias", "aten.squeeze", "aten.unsqueeze"), _viewed),
    **dict.fromkeys(("aten.transpose", "aten.t", "aten.swapaxes"), _transposed),
    **dict.fromkeys(("aten.select", "aten.unbind"), _without),
    **dict.fromkeys(("aten.mean", "aten.sum", "aten.amax", "aten.amin", "aten.var", "aten.std", "aten.linalg_vector_norm"), _reduced),
    **dict.fromkeys(("aten.convolution", "aten.convolution_overrideable"), _convolved),
    **dict.fromkeys(("aten.mm", "aten.bmm", "aten.matmul"), _product(0)),
    **dict.fromkeys(("aten.addmm", "aten.baddbmm", "aten._addmm_activation"), _product(1)),
    **dict.fromkeys(("aten.as_strided", "aten.unfold", "aten.index", "aten.gather", "aten.im2col", "aten.col2im"), _unknown),
    "aten.constant_pad_nd": _padded, "aten.permute": _permuted, "aten.cat": _joined, "aten.stack": _stacked, "aten.embedding": _looked_up,
    "aten.expand": _expanded, "aten.view_as_complex": _as_complex, "aten.view_as_real": _as_real,
}  # fmt: skip


def follow(name: str, args: Sequence[Any], out: Any) -> None:
    """Name the axes of what the operator `name` gave back, from those of its arguments."""
    first = _first(args)
    if first is None:
        return
    rule = _RULES.get(name)
    for result in out if isinstance(out, (list, tuple)) else (out,):
        if not isinstance(result, torch.Tensor) or (result is first[0] and rule is None):
            continue
        shape = result.shape
        if rule is not None:
            named = rule(args, shape)
        elif first[0].shape == shape and all(map(_named, first[1])):
            named = first[1]
        elif first[0].shape != shape and len(first[1]) == len(shape) and all(a == b or a != 1 for a, b in zip(first[0].shape, shape, strict=True)):
            named = _same_rank(first[1], shape)  # a part, an enlargement, a pooling
        else:
            named = _broadcast(args, shape)
        if named is not None and len(named) == len(shape):
            setattr(result, _ATTRIBUTE, named)
