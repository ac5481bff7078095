"""Sheets of the catalogue: every fact has a source that somebody lists; what a sheet gets wrong is told in one line."""

from __future__ import annotations

import datetime
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from thrifty.errors import BadFile, UnknownName
from thrifty.formats import get_format
from thrifty.workload import get_entry, load
from thrifty.workload.entries import entry_names
from thrifty.workload.families import FAMILIES, family_of, parameter_count
from thrifty.workload.sheets import catalogue_sources, read_entry

GOOD = """
name = "mine"
title = "My model"
kind = "lm"
family = "decoder"
parameters = 5
format = "bf16"
licence = "mine"
"""


@pytest.mark.parametrize("name", entry_names())
def test_every_sheet_is_whole(name: str) -> None:
    entry = get_entry(name)
    assert entry.name == name and entry.family in FAMILIES and entry.licence and entry.title
    assert get_format(entry.format).name == entry.format
    assert "shape" in entry.facts or len(entry.facts) > 1  # where its sizes come from several places, each is told by itself
    for fact in entry.facts.values():
        assert fact["where"]
        assert datetime.date.fromisoformat(fact["read_on"]) <= datetime.date(2026, 12, 31)
    assert parameter_count(family_of(entry)) == entry.parameters
    assert entry.torch_class
    if entry.context is not None:
        assert entry.shape["context"] == entry.context


def test_every_source_is_used_and_whole() -> None:
    """In the catalogue's list or in a sheet's own; reading a sheet refuses a source that nobody lists."""
    folder = files("thrifty.workload") / "catalogue"
    used: set[str] = set()
    for name in entry_names():
        own = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")).get("sources", {})
        named = {fact["source"] for fact in get_entry(name).facts.values()}
        assert set(own) <= named, name
        assert all({"title", "publisher", "date", "licence"} <= set(source) for source in own.values()), name
        used |= named - set(own)
    assert used == set(catalogue_sources())
    for source in catalogue_sources().values():
        assert {"title", "publisher", "date", "licence", "url", "note"} == set(source)


@pytest.mark.parametrize("name", [name for name in entry_names() if get_entry(name).kind == "generator"])
def test_every_part_of_a_generator_has_smaller_copies(name: str) -> None:
    """tiny and small, each with the parameters that its family counts and a point of its own sizes."""
    for preset in ("tiny", "small"):
        copy = get_entry(f"{name}@{preset}")
        assert copy.name == f"{name}@{preset}" and parameter_count(family_of(copy)) == copy.parameters < get_entry(name).parameters
        assert load(f"{name}@{preset}").table.unknown() == {}
    with pytest.raises(UnknownName, match=f"^No preset of '{name}' named 'tinny'\\. Did you mean 'tiny'\\? List them with: thrifty workload show {name}$"):
        get_entry(f"{name}@tinny")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("smollm2-135m", 134_515_008), ("gemma3-270m", 268_098_176), ("gpt2", 124_439_808), ("gpt3-175b", 174_604_259_328), ("llama-65b", 65_285_660_672),
        ("llama2-7b", 6_738_415_616), ("llama2-13b", 13_015_864_320), ("llama2-70b", 68_976_648_192), ("llama3-8b", 8_030_261_248),
        ("llama3-70b", 70_553_706_496), ("llama3-405b", 405_853_388_800), ("mixtral-8x7b", 46_702_792_704), ("deepseek-v3", 671_026_404_352),
        ("bert-base", 109_514_298), ("vit-b", 86_567_656), ("vit-l", 304_326_632), ("resnet-50", 25_557_032), ("dlrm-criteo-kaggle", 540_677_217),
        ("llama-7b", 6_738_415_616), ("llama-13b", 13_015_864_320), ("llama-33b", 32_528_943_616), ("deepseek-v2", 235_741_434_880), ("vit-h", 632_045_800),
    ],
)  # fmt: skip
def test_paper_true_counts(name: str, parameters: int) -> None:
    """As the publishers count them: llama-65b has 65.3 B, not the 50.5 B of tools that take its feed-forward part to be two matrices."""
    assert get_entry(name).parameters == parameters


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("megatron-22b", 22.0), ("turing-nlg-530b", 529.6), ("vit-l:published", 0.30), ("vit-10b:published", 10.08), ("vit-120b:published", 120.8),
        ("vit-25b", 25.8), ("vit-60b", 60.4), ("dinov2-s-published", 0.022), ("dinov2-l-published", 0.30),
    ],
)  # fmt: skip
def test_paper_counts_of_planned_models(name: str, billions: float) -> None:
    """As papers that plan or measure with them round their parameters; 25 and 60 billion as their names say."""
    assert get_entry(name).parameters / 1e9 == pytest.approx(billions, rel=5e-3, abs=0.005)


def test_stand_ins_say_so_and_name_who_says_it() -> None:
    marked = {name for name in entry_names() if get_entry(name).is_stand_in}
    assert marked >= {name for name in entry_names() if name.endswith("-published")}
    assert marked >= {"llm-moe", "dlrm-a", "dlrm-b", "dlrm-f", "dlrm-a-moe", "dlrm-b-transformer", "vit-25b", "vit-60b", "vit-120b"}
    assert not marked & {"gpt3-175b", "llama-65b", "llama2-70b", "vit-l", "vit-h", "vit-10b", "megatron-22b"}
    for name in marked:
        entry = get_entry(name)
        assert entry.facts["stand_in"]["source"] == "mad-max-2024" and entry.is_published and entry.notes
    assert get_entry("vit-h-published").shape["layers"] == 4 and get_entry("vit-h").shape["layers"] == 32
    assert get_entry("dinov2-b-published").shape["layers"] == 18


@pytest.mark.parametrize("name", entry_names())
def test_peer_true_counts_of_the_twins(name: str) -> None:
    """The torch class on meta has as many, by a count that is not ours."""
    from thrifty.workload.building import blueprint_of, build_module

    assert sum(p.numel() for p in build_module(blueprint_of(get_entry(name))).parameters()) == get_entry(name).parameters


def test_gemmas_licence_is_shown() -> None:
    entry = get_entry("gemma3-270m")
    assert entry.licence == "Gemma Terms of Use" and "Gemma Terms of Use" in entry.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("kind", "kid"), "mine.toml: unknown key 'kid'. Did you mean 'kind'? Allowed here: name, title, kind, family, parameters, context, "
         "format, licence, notes, shape, torch, weights, facts, sources, point, presets."),
        (GOOD.replace('title = "My model"', ""), 'mine.toml: title is missing or no text. Write e.g. title = "...".'),
        (GOOD.replace("parameters = 5", "parameters = 0"), "mine.toml: parameters is 0. Write a whole number above zero."),
        (GOOD.replace("parameters = 5", "parameters = 5\ncontext = -1"), "mine.toml: context is -1. Write a whole number above zero."),
        (GOOD.replace('"lm"', '"llm"'), "mine.toml: kind is 'llm'. Choose from: lm, encoder, vision, recommender, generator."),
        (GOOD.replace('"bf16"', '"bf17"'), "mine.toml: format: No format named 'bf17'. Did you mean 'bf16'? List them with: thrifty formats"),
        (GOOD + "notes = 3", 'mine.toml: notes is no list of texts. Write notes = ["..."].'),
        (GOOD + "shape = 3", "mine.toml: shape is no table. Write [shape] and its keys below."),
        (GOOD + '[torch]\nconfig = { a = 1 }', 'mine.toml: torch.class is missing or no text. Write e.g. class = "...".'),
        (GOOD + '[weights]\npackage = "p"', 'mine.toml: weights.file is missing or no text. Write e.g. file = "...".'),
        (GOOD + '[facts.shape]\nsource = "nobody"\nwhere = "here"\nread_on = 2026-11-24',
         "mine.toml: facts.shape names source 'nobody', which nobody lists. Describe it under [sources.nobody] in this file."),
        (GOOD + '[facts.shape]\nsource = "transformers-5.24"\nwhere = "here"', "mine.toml: facts.shape has no read_on date. Write e.g. read_on = 2026-11-24."),
        (GOOD + '[facts.shape]\nsource = "transformers-5.24"\nread_on = 2026-11-24',
         'mine.toml: facts.shape.where is missing or no text. Write e.g. where = "...".'),
        (GOOD + "facts = { shape = 3 }", "mine.toml: facts.shape is no table. Write [facts.shape] with source, where and read_on."),
        (GOOD + "sources = { a = 3 }", "mine.toml: sources.a is no table. Write [sources.a] with title, publisher, date and licence."),
    ],
)  # fmt: skip
def test_errors_word_for_word(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadFile) as caught:
        read_entry(path)
    assert str(caught.value) == words


def test_errors_of_files(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"^cannot read '.*none\.toml': no such file or directory\. Give the path of a workload sheet\.$"):
        read_entry(tmp_path / "none.toml")
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(BadFile, match=r"^'.*mine\.toml' is not TOML: .*\. Mend it, or see thrifty\.workload\.sheets for what a sheet looks like\.$"):
        read_entry(path)


def test_a_source_of_ones_own_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + '[facts.shape]\nsource = "me"\nwhere = "here"\nread_on = 2026-11-24\n[sources.me]\ntitle = "t"\npublisher = "p"\n')
    assert read_entry(path).facts["shape"]["source"] == "me"


def test_the_catalogue_ships_with_the_package() -> None:
    folder = files("thrifty.workload") / "catalogue"
    assert {f"{name}.toml" for name in entry_names()} | {"sources.toml"} == {path.name for path in folder.iterdir() if path.name.endswith(".toml")}
