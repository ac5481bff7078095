"""Reads the header of a GGUF file: architecture, sizes, the format of every tensor. Weights stay on disk until someone loads them."""

from __future__ import annotations

import functools
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thrifty.errors import BadFile, ThriftyError, missing_extra
from thrifty.formats import get_format
from thrifty.workload.building.wording import first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor of a file: its axes as torch orders them (rows first), its format by thrifty's name where it has one, else by GGUF's."""

    name: str
    shape: tuple[int, ...]
    format: str
    bytes: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself.

    facts   : every scalar and number list of its metadata ("llama.block_count": 30); of lists of text only their length
    """

    path: Path
    architecture: str
    facts: Mapping[str, Any] = field(repr=False)
    tensors: tuple[StoredTensor, ...] = field(repr=False)
    file_bytes: int

    def fact(self, key: str, default: Any = None) -> Any:
        """A fact of this architecture: `fact("block_count")` is `facts["llama.block_count"]`."""
        return self.facts.get(f"{self.architecture}.{key}", default)

    def whole(self, key: str) -> int:
        """A positive whole number that the architecture must state."""
        value = self.fact(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            stated = f"'{self.path}' states {self.architecture}.{key}={value}"
            raise BadFile(f"{stated}, where a whole number from 1 up is needed. Convert the model again.")
        return value

    @property
    def formats(self) -> dict[str, int]:
        """How many tensors are stored in each format."""
        return dict(Counter(tensor.format for tensor in self.tensors).most_common())

    def tensor(self, name: str) -> StoredTensor | None:
        return next((tensor for tensor in self.tensors if tensor.name == name), None)


def not_whole(path: str | Path, reason: str) -> BadFile:
    return BadFile(f"'{path}' is not a whole GGUF file: {reason}. Download or convert it again.")


def open_reader(path: str | Path) -> Any:
    """A memory-mapped `gguf.GGUFReader` that passes over lists of text (a vocabulary of 49 152 words and its merges cost it two seconds
    otherwise) and says where a truncated file ends."""
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise missing_extra(f"Reading '{path}'", "gguf", "models") from error
    file = Path(path)
    if not file.is_file():
        raise BadFile(f"there is no file '{path}'. Give the path of a .gguf file.")
    try:
        return _reader_class(gguf)(file)
    except ThriftyError:
        raise
    except Exception as error:  # the reader raises whatever the bytes that it trips over cause
        raise not_whole(path, first_line(error).lower()) from error


@functools.cache
def _reader_class(gguf: Any) -> Any:
    class Reader(gguf.GGUFReader):  # type: ignore[misc]
        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
            import numpy as np

            end = int(offset) + np.dtype(dtype).itemsize * int(count)
            if end > len(self.data):
                raise ValueError(f"it ends after {len(self.data)} bytes, and byte {end} was due")
            return super()._get(offset, dtype, count, override_order)

        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            import numpy as np

            kind = gguf.GGUFValueType(raw_type)
            if kind != gguf.GGUFValueType.ARRAY:
                return super()._get_field_parts(orig_offs, raw_type)
            item_type, length = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
            item, count, start = gguf.GGUFValueType(item_type[0]), int(length[0]), int(orig_offs) + 12
            if item == gguf.GGUFValueType.ARRAY:
                return super()._get_field_parts(orig_offs, raw_type)
            if item == gguf.GGUFValueType.STRING:
                return self._skip_text(start, count) - orig_offs, [item_type, length], [], [kind, item]
            values = self._get(start, self.gguf_scalar_to_np[item], count)
            return 12 + int(values.nbytes), [item_type, length, values], [2], [kind, item]

        def _skip_text(self, position: int, count: int) -> int:
            view, order = memoryview(self.data), ">Q" if self.endianess == gguf.GGUFEndian.BIG else "<Q"
            try:
                for _ in range(count):
                    position += 8 + int(struct.unpack_from(order, view, position)[0])
            except struct.error:
                raise ValueError(f"it ends after {len(self.data)} bytes, inside a list of {count} words") from None
            return position

    return Reader


def read_header(path: str | Path) -> GgufHeader:
    """Read a GGUF header, in a fraction of a second.

    Raises BadFile for a file that is truncated, corrupt or no GGUF, or that names no architecture; MissingExtra without the package gguf.
    """
    reader = open_reader(path)
    try:
        facts = {name: _value(part) for name, part in reader.fields.items()}
    except (ValueError, IndexError) as error:
        raise not_whole(path, "its metadata cannot be read") from error
    architecture = facts.get("general.architecture")
    if not isinstance(architecture, str):
        raise not_whole(path, "it names no general.architecture")
    tensors = tuple(
        StoredTensor(
            name=tensor.name, shape=tuple(int(size) for size in reversed(tensor.shape)), format=_format(tensor.tensor_type.name),
            bytes=int(tensor.n_bytes), number=number,
        )
        for number, tensor in enumerate(reader.tensors)
    )  # fmt: skip
    return GgufHeader(path=Path(path), architecture=architecture, facts=facts, tensors=tensors, file_bytes=Path(path).stat().st_size)


def _value(part: Any) -> Any:
    from gguf import GGUFValueType

    if part.types[-1] == GGUFValueType.STRING and part.types[0] == GGUFValueType.ARRAY:
        return int(part.parts[-1][0])
    return part.contents()


def _format(name: str) -> str:
    try:
        return get_format(name).name
    except ThriftyError:
        return name.lower()
