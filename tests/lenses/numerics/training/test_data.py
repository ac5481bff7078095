"""Data: the same for every run, held-out data apart, bad texts refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thrifty.errors import BadFile, BadValue
from thrifty.lenses.numerics.training.models import data
from thrifty.lenses.numerics.training.models.shapes import MODELS, initial, parameters_of


def test_formula_order_and_noise_are_of_their_seed_alone() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    for shape in MODELS.values():
        one, same, other = (data.training(shape, "", seed) for seed in (0, 0, 1))
        for _ in range(3):
            first, second, third = next(one), next(same), next(other)
            assert np.array_equal(first.inputs, second.inputs)
            assert np.array_equal(first.targets, second.targets)
            assert not np.array_equal(first.inputs, third.inputs)


def test_formula_noisy_digits_are_image_and_noise_in_the_shares_of_their_time() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    patches, labels = data.digits()
    assert patches.shape == (1797, 16, 4)
    assert (patches.min(), patches.max()) == (-1.0, 1.0)
    assert np.bincount(labels).sum() == 1797
    batch, left = next(data.training(MODELS["digits"], "", 0)), data.noise_levels()
    share = left[batch.times][:, None, None]
    images = (batch.inputs - np.sqrt(1 - share) * batch.targets) / np.sqrt(share)
    early = batch.times < 600
    nearest = np.abs(images[early, None] - patches[None]).max(axis=(2, 3)).min(axis=1)
    assert nearest.max() < 1e-3
    assert left[0] == pytest.approx(1 - 1e-4)
    assert left[-1] < 1e-4


def test_formula_a_patch_is_two_by_two_pixels() -> None:
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    images, patches = sklearn.load_digits().images / 8 - 1, data.digits()[0]
    found = {tuple(patch.ravel()) for patch in patches.astype(np.float64)}
    assert tuple(np.stack([images[5][:2, :2].ravel(), images[5][:2, 2:4].ravel()]).ravel()) in {each[:8] for each in found}


def test_formula_the_next_byte_is_the_target_and_the_last_tenth_is_held_out(tmp_path: Path) -> None:
    shape, file = MODELS["text"], tmp_path / "text"
    file.write_bytes(bytes(range(200)) * 100 + bytes([255]) * 2300)
    for drawn, allowed in ((data.training(shape, str(file), 0), range(256)), (iter(data.validation(shape, str(file))), [*range(200), 255])):
        batch = next(drawn)
        assert batch.inputs.shape == batch.targets.shape == (shape.batch, shape.tokens)
        assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
        assert set(np.unique(batch.inputs)) <= set(allowed)
    seen = np.concatenate([next(data.training(shape, str(file), seed)).targets for seed in range(20)])
    assert (seen == 255).mean() < 0.02


def test_formula_texts_that_cannot_be_trained_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"^text '/none' cannot be read: no such file or directory\. Give a file of text\.$"):
        data.text_bytes("/none")
    (tmp_path / "short").write_text("too short")
    with pytest.raises(BadValue, match=r"has 9 bytes, too few to train on\. Give at least 20,000\.$"):
        data.text_bytes(str(tmp_path / "short"))


def test_formula_python_carries_its_text() -> None:
    text = data.python_text()
    assert len(text) > 200_000
    assert b"The \"for\" statement" in text


def test_property_parameters_fill_one_vector_and_the_first_prediction_is_the_same_for_all_seeds() -> None:
    for shape in MODELS.values():
        tensors = parameters_of(shape)
        one, other = initial(shape, 0), initial(shape, 1)
        assert one.shape == (sum(int(np.prod(axes)) for axes in tensors.values()),)
        assert np.array_equal(one, initial(shape, 0))
        assert not np.array_equal(one, other)
        head = sum(int(np.prod(tensors[name])) for name in ("head.weight", "head.bias"))
        assert not one[-head:].any()
