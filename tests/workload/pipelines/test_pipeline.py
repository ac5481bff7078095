"""A pipeline is the sum of its stages, however often they run; what it never does is unroll them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.workload import load
from thrifty.workload.library import get_entry, get_pipeline, names, pipeline_names
from thrifty.workload.pipelines import Pipeline
from thrifty.workload.table import COUNTS, Role

SHEET = """
name = "talk"
title = "A text encoder, then a language model"
format = "fp16"
[symbols]
batch = 1
seq = 64
tokens = 9
guidance = 2
[[stages]]
name = "text"
component = "bert-base"
at = { batch = "batch * min(guidance, 2)", seq = "seq / 8" }
[[stages]]
name = "prefill"
component = "smollm2-135m"
phase = "prefill"
at = { batch = "batch", seq = "seq" }
[[stages]]
name = "decode"
component = "smollm2-135m"
phase = "decode"
repeat = "tokens"
grows = "seq"
at = { batch = "batch", seq = "seq" }
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "talk.toml"
    path.write_text(SHEET)
    return path


def unrolled(tokens: int, seq: int, batch: int = 1, guided: int = 2) -> dict[str, int]:
    """The same work step by step."""
    tables = [load("bert-base", format="fp16", batch=batch * guided, seq=seq // 8).table]
    tables.append(load("smollm2-135m", phase="prefill", format="fp16", batch=batch, seq=seq).table)
    tables += [load("smollm2-135m", phase="decode", format="fp16", batch=batch, seq=seq + step).table for step in range(tokens)]
    return {name: sum(int(table.rows[name].sum()) for table in tables) for name in COUNTS if name != "bytes_weight"}


@pytest.mark.parametrize("tokens", [1, 2, 9, 40])
def test_formula_a_pipeline_is_its_steps(sheet: Path, tokens: int) -> None:
    whole = load(sheet, tokens=tokens)
    totals = whole.table.totals()
    assert {name: totals[name] for name in COUNTS if name != "bytes_weight"} == unrolled(tokens, 64)
    assert sum(stage.repeat for stage in whole.table.stages if stage.name == "decode") == tokens
    assert len(whole.table.stages) <= 2 + 20


def test_formula_totals_at_many_points_equal_tables(sheet: Path) -> None:
    whole = load(sheet)
    assert isinstance(whole.source, Pipeline)
    points = {"tokens": np.array([1, 9, 12]), "seq": np.array([64, 16, 128]), "batch": np.array([1, 3, 2]), "guidance": np.array([2, 1, 7])}
    found = whole.source.totals("fp16", points)
    for place in range(3):
        at = {name: int(values[place]) for name, values in points.items()}
        assert {name: int(values[place]) for name, values in found.items()} == unrolled(at["tokens"], at["seq"], at["batch"], min(at["guidance"], 2))


def test_weights_of_one_component_are_there_once(sheet: Path) -> None:
    whole = load(sheet)
    parts = [load("bert-base"), load("smollm2-135m")]
    assert whole.parameters == sum(part.parameters for part in parts)
    assert whole.weight_bytes == sum(part.at(format="fp16").weight_bytes for part in parts)
    storages = whole.table.storages
    inputs = storages[storages["role"] == Role.INPUT]
    assert (inputs["birth"] >= 0).all() and (inputs["death"] < len(whole.table)).all()  # they come and go with their stage
    assert whole.table.peak()[0] >= whole.weight_bytes


def test_modules_carry_the_name_of_their_stage(sheet: Path) -> None:
    modules = set(load(sheet).table.modules().tolist())
    assert {name.partition(".")[0] for name in modules if name} == {"text", "prefill", "decode"}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"seq": 60}, "stage 'text' of 'talk', seq: seq=60 is no multiple of 8. Choose 56 or 64."),
        ({"image": 60}, "'talk' has no symbol 'image'. Choose from: batch, seq, tokens, guidance."),
        ({"tokens": 0}, "tokens=0 is below 1. Choose a whole number from 1 up."),
        ({"seq": 80000}, "stage 'text' of 'talk': seq=10000 is above 512 (the largest context of this workload). Choose a whole number from 1 to 512."),
    ],
)  # fmt: skip
def test_sizes_that_do_not_go_together(sheet: Path, sizes: dict[str, int], words: str) -> None:
    with pytest.raises(BadValue) as caught:
        load(sheet, **sizes)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('repeat = "tokens"', 'repeat = "tokns"',
         "talk.toml: stages[2].repeat asks for 'tokns', which is no symbol of this pipeline. Choose from: batch, seq, tokens, guidance."),
        ('repeat = "tokens"', "repeat = 3", 'talk.toml: stages[2].repeat is 3. Write a formula as a text, e.g. "image / 8".'),
        ('grows = "seq"', 'grows = "kv"', "talk.toml: stages[2].grows names 'kv', of which stages[2].at says no start. Write it there."),
        ('name = "text"', 'name = "decode"', "talk.toml: two stages are called 'decode'. Give each its own name."),
        ('format = "fp16"', 'format = "fp17"', "talk.toml: format: No format named 'fp17'. Did you mean 'fp16'? List them with: thrifty formats"),
        ("batch = 1\n", "batch = 0\n", "talk.toml: symbols.batch is 0. Write a whole number above zero."),
        ('phase = "prefill"', 'phase = "prefil"', "talk.toml: stages[1].phase is 'prefil'. Choose from: forward, prefill, decode, training."),
        ('title = "A', 'titel = "A',
         "talk.toml: unknown key 'titel'. Did you mean 'title'? Allowed here: name, title, format, notes, licence, symbols, stages, presets, facts, "
         "sources."),
    ],
)  # fmt: skip
def test_errors_of_sheets_word_for_word(sheet: Path, before: str, after: str, words: str) -> None:
    sheet.write_text(SHEET.replace(before, after, 1))
    with pytest.raises(BadFile) as caught:
        load(sheet)
    assert str(caught.value) == words


def test_errors_of_names_and_phases(sheet: Path) -> None:
    with pytest.raises(BadValue, match=r"^'talk' is a pipeline of stages, which only runs forward, not training\. Name one of its components for that\.$"):
        load(sheet, phase="training")
    sheet.write_text(SHEET.replace('"bert-base"', '"bert-bas"'))
    with pytest.raises(UnknownName, match=r"^No component named 'bert-bas'\. Did you mean 'bert-base'\? List them with: thrifty workload list$"):
        load(sheet)
    with pytest.raises(UnknownName, match=r"^No pipeline named 'nobody'\."):
        get_pipeline("nobody")


def test_catalogue_pipelines_load_at_every_preset() -> None:
    assert set(pipeline_names()) <= set(names())
    for name in pipeline_names():
        sheet = get_pipeline(name).sheet
        for preset in ("", *(f"@{each}" for each in sheet.presets)):
            whole = load(name + preset)
            assert whole.table.unknown() == {} and whole.parameters > 0
            assert [stage.name for stage in sheet.stages] == list(dict.fromkeys(stage.name for stage in whole.table.stages))
        with pytest.raises(BadValue, match=r"is a pipeline of several models: "):
            get_entry(name)
