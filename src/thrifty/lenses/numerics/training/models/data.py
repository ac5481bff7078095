"""Batches: which samples, which noise, in which order. The same for every run of a study, whatever its rounding and its initialisation."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadFile, BadValue, missing_extra
from thrifty.lenses.numerics.training.models.shapes import Shape

TIMES: Final = 1000
"""Steps of diffusion; the variance of the noise added at each goes evenly from BETAS[0] to BETAS[1] (Ho et al. 2020)."""
BETAS: Final = (1e-4, 0.02)
HELD_OUT: Final = 0.1
"""Share of the data that is validated on."""
VALIDATION_BATCHES: Final = 8
SHORTEST: Final = 20_000
"""Bytes below which a text is no training data: a tenth is held out, and a thousand batches would see each byte hundreds of times."""


@dataclass(frozen=True, slots=True)
class Batch:
    """inputs: (batch, tokens, features) noisy patches, or (batch, tokens) bytes; targets: the noise, or the next bytes; labels, times: (batch,) of digits."""

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None
    times: npt.NDArray[np.int64] | None = None


@functools.cache
def digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Patches of 1797 images (image, token, pixel) from -1 to 1, and their labels, in an order of ours. Raises MissingExtra."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise missing_extra("the digits of a training study", "scikit-learn", "study") from None
    held = load_digits()
    images = held.images.astype(np.float32) / np.float32(8) - np.float32(1)
    patches = images.reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    order = np.random.Generator(np.random.PCG64(1797)).permutation(len(patches))
    return np.ascontiguousarray(patches[order]), held.target[order].astype(np.int64)


def python_text() -> bytes:
    """The reference text on Python's language that every Python carries (`pydoc_data.topics`), topic after topic by name."""
    from pydoc_data import topics

    return "\n\n".join(topics.topics[name] for name in sorted(topics.topics)).encode()


@functools.cache
def text_bytes(path: str) -> bytes:
    """Of a file, or Python's own where path is empty. Raises BadFile, BadValue."""
    if not path:
        return python_text()
    try:
        found = Path(path).read_bytes()
    except OSError as why:
        raise BadFile(f"text '{path}' cannot be read: {(why.strerror or str(why)).lower()}. Give a file of text.") from None
    if len(found) < SHORTEST:
        raise BadValue(f"text '{path}' has {len(found):,} bytes, too few to train on. Give at least {SHORTEST:,}.")
    return found


def fingerprint(shape: Shape, path: str) -> str:
    """First 16 hexadecimal digits of SHA-256 over the data."""
    if shape.name == "text":
        return hashlib.sha256(text_bytes(path)).hexdigest()[:16]
    patches, labels = digits()
    return hashlib.sha256(patches.tobytes() + labels.tobytes()).hexdigest()[:16]


def noise_levels() -> npt.NDArray[np.float64]:
    """(TIMES,) share of the image's variance that is left at each time: cumulative product of 1 - beta."""
    return np.cumprod(1.0 - np.linspace(*BETAS, TIMES), dtype=np.float64)


def training(shape: Shape, path: str, seed: int) -> Iterator[Batch]:
    """Batches without end; `seed`: of data order and noise."""
    yield from _drawn(shape, path, np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0xDA7A]))), held_out=False)


def validation(shape: Shape, path: str) -> list[Batch]:
    """The same batches of held-out data for every run and every seed."""
    drawn = _drawn(shape, path, np.random.Generator(np.random.PCG64(np.random.SeedSequence([0, 0x7E57]))), held_out=True)
    return [next(drawn) for _ in range(VALIDATION_BATCHES)]


def _drawn(shape: Shape, path: str, draws: np.random.Generator, *, held_out: bool) -> Iterator[Batch]:
    if shape.name == "text":
        yield from _windows(np.frombuffer(text_bytes(path), dtype=np.uint8), shape, draws, held_out)
    patches, labels = digits()
    cut = round(len(patches) * (1 - HELD_OUT))
    part = slice(cut, None) if held_out else slice(cut)
    patches, labels = patches[part], labels[part]
    left = noise_levels()
    while True:
        for places in _rounds(len(patches), shape.batch, draws):
            times = draws.integers(0, TIMES, shape.batch)
            noise = draws.standard_normal(patches[places].shape)
            share = left[times][:, None, None]
            noisy = np.sqrt(share) * patches[places] + np.sqrt(1 - share) * noise
            yield Batch(noisy.astype(np.float32), noise.astype(np.float32), labels[places], times)


def _rounds(count: int, batch: int, draws: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Places of one round through the data, a batch at a time; what is left over waits for the next round's draw."""
    order = draws.permutation(count)
    for first in range(0, count - batch + 1, batch):
        yield order[first : first + batch]


def _windows(text: npt.NDArray[np.uint8], shape: Shape, draws: np.random.Generator, held_out: bool) -> Iterator[Batch]:
    """Windows of text that begin anywhere. The last tenth is held out."""
    cut = round(len(text) * (1 - HELD_OUT))
    part = text[cut:] if held_out else text[:cut]
    while True:
        starts = draws.integers(0, len(part) - shape.tokens, shape.batch)
        windows = part[starts[:, None] + np.arange(shape.tokens + 1)].astype(np.int64)
        yield Batch(windows[:, :-1], windows[:, 1:])
