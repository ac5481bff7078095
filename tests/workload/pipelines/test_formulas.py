from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.workload.pipelines.formulas import evaluate, symbols_in


@given(st.integers(1, 500), st.integers(1, 500))
def test_property_numbers_and_arrays_agree(a: int, b: int) -> None:
    for text in ("a + b * 2", "a * 8 / 8", "(a + b) // 3", "min(a, b) - max(a, 2)", "a * min(b, 2)"):
        one, many = evaluate(text, {"a": a, "b": b}), evaluate(text, {"a": np.array([a, a]), "b": np.array([b, b])})
        assert isinstance(one, int) and one == eval(text.replace("/ 8", "// 8"), {"a": a, "b": b, "min": min, "max": max})  # noqa: S307 (ours)
        assert many.tolist() == [one, one]


def test_symbols_that_a_formula_asks_for() -> None:
    assert symbols_in("batch * min(guidance, 2)") == {"batch", "guidance"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image / 8", "image=100 is no multiple of 8. Choose 96 or 104."),
        ("frames / 4", "formula 'frames / 4' asks for 'frames', which this pipeline does not have. Choose from: image, none."),
        ("image //", "formula 'image //' cannot be read. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'."),
        ("image ** 2", "formula 'image ** 2' has a part that is no size. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'."),
        ("__import__('os')", "formula '__import__('os')' has a part that is no size. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'."),
        ("image.real", "formula 'image.real' has a part that is no size. Write sizes with + - * / // min max and brackets, e.g. 'image / 8'."),
        ("image // none", "formula 'image // none' divides by 0. Divide by a whole number above zero."),
        ("3 / image", "3=3 is no multiple of 100. Choose 100."),
    ],
)  # fmt: skip
def test_errors_word_for_word(text: str, words: str) -> None:
    with pytest.raises(BadValue) as caught:
        evaluate(text, {"image": 100, "none": 0})
    assert str(caught.value) == words
