"""Keys and seeds: the same for equal configurations, for ever, and different for all others."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.campaign import toys

from thrifty.campaign import run, task_key, task_seed
from thrifty.campaign.tasks import canonical, function_name
from thrifty.errors import BadValue, UnknownName

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda x: st.lists(x, max_size=3), max_leaves=6)
CONFIGURATIONS = st.dictionaries(st.text(), VALUES, max_size=4)


def test_replay_keys_and_seeds_are_those_of_every_release() -> None:
    """Oracle: printf 'thrifty.campaign.key/1\\npackage.module:function\\n2\\n5\\n{"batch":8,"rate":0.1,"tags":["a","\\u00e9"]}' | sha256sum, and for the
    seed printf 'thrifty.campaign.seed/1\\n5\\n{…}' | sha256sum, its first 16 digits halved."""
    configuration = {"rate": 0.1, "batch": 8, "tags": ("a", "é")}
    assert canonical(configuration) == '{"batch":8,"rate":0.1,"tags":["a","\\u00e9"]}'
    assert task_key("package.module:function", configuration, seed=5, version="2") == "099832ece851095095d2b7f1a46ad6b8"
    assert task_seed(configuration, 5) == 4889699989476462820


@given(configuration=CONFIGURATIONS)
def test_property_order_of_names_and_kind_of_sequence_do_not_matter(configuration: dict[str, Any]) -> None:
    turned = {name: tuple(value) if isinstance(value, list) else value for name, value in reversed(configuration.items())}
    assert task_key("m:f", turned) == task_key("m:f", configuration)
    assert task_seed(turned) == task_seed(configuration)
    assert 0 <= task_seed(configuration) < 2**63


@given(one=CONFIGURATIONS, other=CONFIGURATIONS)
def test_property_different_configurations_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (task_key("m:f", one) == task_key("m:f", other)) == (repr(sorted(one.items())) == repr(sorted(other.items())))


def test_property_function_version_and_seed_are_part_of_the_key_and_only_the_seed_of_the_seed() -> None:
    configuration = {"x": 1}
    keys = {task_key("m:f", configuration), task_key("m:g", configuration), task_key("m:f", configuration, version="2"), task_key("m:f", configuration, seed=1)}
    assert len(keys) == 4
    assert task_seed(configuration) != task_seed(configuration, 1)
    assert task_key("m:f", {"x": 1}) != task_key("m:f", {"x": 1.0})


def test_formula_numbers_of_numpy_are_numbers() -> None:
    found = canonical({"i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(2), "n": {"deep": (np.float64(1.5),)}})
    assert found == '{"a":[0,1],"b":true,"f":0.5,"i":3,"n":{"deep":[1.5]}}'


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"x": float("nan")}, "configuration['x'] is nan, which JSON does not hold. Give a finite number or a string."),
        ({"x": [1.0, float("inf")]}, "configuration['x'][1] is inf, which JSON does not hold. Give a finite number or a string."),
        ({"x": {1, 2}}, "configuration['x'] is of set, which JSON does not hold. Give numbers, strings, booleans, lists or mappings."),
        ({1: 2}, "configuration has the key 1, which is no string. Name values by strings."),
        ({"x": {1: 2}}, "configuration['x'] has the key 1, which is no string. Name values by strings."),
        ([1], "a configuration is a mapping of names to values, not list. Give a dict."),
    ],
)
def test_formula_what_json_does_not_hold_is_refused(configuration: Any, message: str) -> None:
    with pytest.raises(BadValue) as error:
        canonical(configuration)
    assert str(error.value) == message


def test_formula_functions_are_named_where_another_process_finds_them() -> None:
    assert function_name(toys.square) == "tests.campaign.toys:square"
    assert function_name("tests.campaign.toys:square") == "tests.campaign.toys:square"


@pytest.mark.parametrize(
    ("function", "named"),
    [(lambda configuration, seed: {}, "<lambda>"), (functools.partial(toys.square), None), ({}.get, "dict.get"), (3, "3")],
    ids=["lambda", "partial", "method", "number"],
)
def test_formula_a_function_without_a_name_of_its_own_is_refused(function: Any, named: str | None) -> None:
    with pytest.raises(BadValue, match=r"is no top-level function, so no name tells it apart\. Define it with def in a module\.$") as error:
        function_name(function)
    assert named is None or named in str(error.value)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("toys.square", BadValue, "'toys.square' names no function. Write package.module:function."),
        ("no_such_module:f", UnknownName, "no module named 'no_such_module' for the task 'no_such_module:f'. Install it, or name package.module:function."),
        ("tests.campaign.toys:cube", UnknownName, "module 'tests.campaign.toys' has no function 'cube'. Name package.module:function."),
    ],
)
def test_formula_a_name_without_a_function_is_refused(function: str, kind: type[Exception], message: str, tmp_path: Any) -> None:
    with pytest.raises(kind) as error:
        run(function, [], folder=tmp_path)
    assert str(error.value) == message
