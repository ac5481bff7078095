"""Loading workloads by name, sheet, path, package and Python object; the words of every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.workload import Entry, Role, Workload, get_entry, load, names
from thrifty.workload import entries as entries_module
from thrifty.workload.entries import entry_names
from thrifty.workload.families import Decoder
from thrifty.workload.families.language.decoder_shape import DecoderShape
from thrifty.workload.library import pipeline_names

SHEET = """
name = "mine"
title = "My model"
kind = "lm"
family = "decoder"
parameters = {parameters}
context = 64
format = "bf16"
licence = "my own"

[shape]
layers = 1
hidden = 8
heads = 2
intermediate = 16
vocab = 10
context = 64
"""
PARAMETERS = 2 * 10 * 8 + 4 * 64 + 3 * 8 * 16 + 3 * 8


def write(folder: Path, text: str = SHEET.format(parameters=PARAMETERS)) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_names_are_the_catalogue() -> None:
    assert names() == tuple(sorted({*entry_names(), *pipeline_names()}))
    assert set(names()) > {
        "bert-base", "deepseek-v3", "dlrm-criteo-kaggle", "gemma3-270m", "gpt2", "gpt3-175b", "llama-65b", "llama2-13b", "llama2-70b", "llama2-7b",
        "llama3-405b", "llama3-70b", "llama3-8b", "mixtral-8x7b", "resnet-50", "smollm2-135m", "vit-b", "vit-l", "sd-1.5-unet", "sd-1.5", "parti-20b",
    }  # fmt: skip


def test_defaults() -> None:
    """prefill of one sequence of 128 tokens for a language model, one image of its own size for a vision model, as published."""
    llm, net, rec = load("smollm2-135m"), load("resnet-50"), load("dlrm-criteo-kaggle")
    assert (llm.phase, llm.format, llm.point) == ("prefill", "bf16", {"batch": 1, "seq": 128})
    assert (net.phase, net.format, net.point) == ("forward", "fp32", {"batch": 1, "image": 224})
    assert (rec.phase, rec.point) == ("forward", {"batch": 1})
    assert llm.origin == "family decoder" and llm.parameters == 134_515_008 and llm.weight_bytes == 2 * 134_515_008
    assert llm.details == {"title": "SmolLM2 135M Instruct", "licence": "Apache-2.0"}
    assert load("SmolLM2-135M").name == "smollm2-135m"


def test_points_phases_and_formats() -> None:
    workload = load("gpt2", phase="decode", format="q4_1", batch=3, seq=100)
    assert (workload.phase, workload.format, workload.point) == ("decode", "q4_1", {"batch": 3, "seq": 100})
    assert workload.at(phase="training", format="float32", seq=16).format == "fp32"
    plain, again = (load("gpt2", phase="training", recompute=on, seq=64, batch=8).table.peak()[0] for on in (False, True))
    assert again < plain


def test_stored_weights_have_a_size_where_they_are_installed() -> None:
    found = load("smollm2-135m").file_bytes
    assert found is None or found == 98_362_432


@pytest.mark.parametrize(
    ("name", "point", "words"),
    [
        ("llama2-7b", {"seq": 4097}, "seq=4097 is above 4096 (the largest context of this workload). Choose a whole number from 1 to 4096."),
        ("llama2-7b", {"batch": 0}, "batch=0 is below 1. Choose a whole number from 1 up."),
        ("llama2-7b", {"batch": -2}, "batch=-2 is below 1. Choose a whole number from 1 up."),
        ("llama2-7b", {"batch": float("nan")}, "batch=nan is not a whole number. Choose a whole number from 1 up."),
        ("llama2-7b", {"batch": 1.5}, "batch=1.5 is not a whole number. Choose a whole number from 1 up."),
        ("llama2-7b", {"seq": "many"}, "seq=many is not a whole number. Choose a whole number from 1 to 4096."),
        ("llama2-7b", {"image": 3}, "'llama2-7b' has no symbol 'image'. Choose from: batch, seq."),
        ("vit-b", {"image": 15}, "image=15 is smaller than one patch of 16. Choose a side of at least 16."),
    ],
)
def test_bad_sizes(name: str, point: dict[str, Any], words: str) -> None:
    with pytest.raises(BadValue) as caught:
        load(name, **point)
    assert str(caught.value) == words


def test_a_cache_must_have_room_for_the_new_token() -> None:
    with pytest.raises(BadValue, match=r"^seq=1024 is above 1023 \(the largest context before the new token of this workload\)\."):
        load("gpt2", phase="decode", seq=1024)


def test_bad_names_phases_and_formats() -> None:
    with pytest.raises(UnknownName) as unknown:
        load("lama2-7b")
    assert str(unknown.value) == "No workload named 'lama2-7b'. Did you mean 'llama2-7b'? List them with: thrifty workload list"
    with pytest.raises(UnknownName, match=r"^No workload named 'zzz'\. List them with: thrifty workload list$"):
        get_entry("zzz")
    with pytest.raises(BadValue, match=r"^phase='dream' is none of forward, prefill, decode, training\. Choose one of them\.$"):
        load("gpt2", phase="dream")  # type: ignore[arg-type]
    with pytest.raises(BadValue, match=r"^phase='decode' does not exist for an encoder, which generates nothing\. Choose forward or training\.$"):
        load("bert-base", phase="decode")
    with pytest.raises(UnknownName, match=r"^No format named 'fp17'\. Did you mean 'fp16'\?"):
        load("gpt2", format="fp17")


def test_published_forms_of_models() -> None:
    """What MAD-Max plans under a name: its stand-in where it has one, else the model itself. Any other model has no such form."""
    for name, means in (
        ("llama-65b:published", "llama-65b-published"), ("GPT3-175B:Published", "gpt3-175b-published"), ("vit-l:published", "vit-l"),
        ("dlrm-a:published", "dlrm-a"), ("vit-h:published", "vit-h-published"), ("llm-moe:published", "llm-moe"), ("vit-120b:published", "vit-120b"),
        ("dlrm-b-moe:published@tiny", "dlrm-b-moe@tiny"), ("llama2-70b:published@context-16k", "llama2-70b-published@context-16k"),
    ):  # fmt: skip
        assert get_entry(name).name == load(name).name == means
    assert "stand_in" not in load("llama-65b").details and load("llama-65b:published").details["stand_in"] is True
    assert load("llama2-70b:published@context-16k").point["seq"] == 16384
    with pytest.raises(UnknownName) as none:
        load("gpt2:published")
    assert str(none.value) == "No paper here plans with 'gpt2', so it has no published form. Leave :published out."


def test_a_sheet_of_ones_own(tmp_path: Path) -> None:
    workload = load(write(tmp_path), seq=32)
    assert (workload.name, workload.parameters, workload.point) == ("mine", PARAMETERS, {"batch": 1, "seq": 32})
    assert get_entry(str(tmp_path / "mine.toml")).licence == "my own"
    assert load(tmp_path / "mine.toml").parameters == PARAMETERS


def test_a_sheet_whose_count_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        load(write(tmp_path, SHEET.format(parameters=7)))
    assert str(caught.value) == f"mine: parameters is 7, but its shape makes {PARAMETERS}. Mend whichever is wrong."


def test_entries_and_sources_of_ones_own() -> None:
    entry = get_entry("gpt2")
    assert load(entry, seq=8).parameters == entry.parameters
    family = Decoder(shape=DecoderShape(layers=1, hidden=8, heads=2, intermediate=16, vocab=10, context=64))
    workload = load(family, phase="prefill", seq=4)
    assert (workload.name, workload.parameters, workload.format) == ("Decoder", PARAMETERS, "fp32")
    assert workload.at(seq=8).table.totals()["flops_matrix"] > workload.table.totals()["flops_matrix"]


def test_packages_add_workloads(monkeypatch: pytest.MonkeyPatch) -> None:
    family = Decoder(shape=DecoderShape(layers=1, hidden=8, heads=2, intermediate=16, vocab=10, context=64))
    ready = load("gpt2", seq=8)
    entry = Entry(
        name="theirs", title="Theirs", kind="lm", family="decoder", parameters=PARAMETERS, format="fp32", licence="",
        shape={"layers": 1, "hidden": 8, "heads": 2, "intermediate": 16, "vocab": 10, "context": 64},
    )  # fmt: skip

    def plugins(found: dict[str, Any]) -> None:
        entries_module.added.cache_clear()
        monkeypatch.setattr(entries_module, "load_plugins", lambda group: found)

    try:
        plugins({"theirs": lambda: entry, "family": family, "ready": ready})
        assert {"theirs", "family", "ready"} < set(names())
        assert load("theirs").parameters == PARAMETERS and get_entry("theirs") is entry
        assert load("ready") is ready and load("ready", seq=4).point == {"batch": 1, "seq": 4}
        assert isinstance(load("family", phase="prefill"), Workload)
        with pytest.raises(BadValue, match=r"^'gpt2' is captured as its module runs, so recompute is not a choice here\."):
            load("ready", recompute=True)
        plugins({"broken": 7})
        with pytest.raises(BadFile, match=r"^plug-in 'broken' \(thrifty.workloads\) gives a int\. Let it give an Entry, a Workload or a Source\.$"):
            names()
    finally:
        entries_module.added.cache_clear()


def test_weights_are_what_the_table_holds() -> None:
    for name in ("gpt2", "bert-base", "resnet-50", "vit-b"):
        workload = load(name)
        held = workload.table.storages
        assert workload.weight_bytes == int(held["bytes"][held["role"] == Role.WEIGHT].sum()) == 4 * workload.parameters
