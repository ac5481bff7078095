"""Generates text greedily, token by token, and says how long each step took.

The loop is by hand, so that every step can be timed and some of them instrumented: one forward over the prompt with an empty key-value cache
(prefill), then one forward a token (decode), the likeliest token each time. It runs in `torch.inference_mode` and does what
`transformers.generate` does with its sampling off (test_peer_transformers_generates_the_same_tokens).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, missing_extra
from thrifty.quantities import positive_int
from thrifty.workload.building.caches import cache_name, cache_of, empty_cache, forward_names
from thrifty.workload.building.modules import quiet

if TYPE_CHECKING:
    import torch

StepKind = Literal["prefill", "decode"]
OnStep = Callable[[StepKind, int], AbstractContextManager[Any] | None]
"""Called before every step with its kind and its number among its kind; the step runs inside what it returns. None: a plain step."""

PROMPTS: Final = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Write three short tips for saving electricity at home.",
)
"""What a chat model is asked when nobody asks anything else. Fixed, so that two runs can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What was generated, and the time of every step.

    prompts       : as asked, () where token numbers were given
    texts         : what the model answered to each, None without a tokenizer
    tokens        : the numbers generated, one tuple a sequence
    batch         : sequences that run at once
    prompt_tokens : (P,) tokens of each prefill, all sequences together
    prefill_s     : (P,) seconds of the forward over each prompt
    first_token_s : (P,) seconds from the start of a prefill until its first token is known
    decode_s      : (D,) seconds of each later step, until its token is known
    prefill_plain, decode_plain : (P,), (D,) whether the step ran without instruments; rates are of plain steps where there are any
    """

    prompts: tuple[str, ...]
    texts: tuple[str, ...] | None
    tokens: tuple[tuple[int, ...], ...]
    batch: int
    prompt_tokens: npt.NDArray[np.int64]
    prefill_s: npt.NDArray[np.float64]
    first_token_s: npt.NDArray[np.float64]
    decode_s: npt.NDArray[np.float64]
    prefill_plain: npt.NDArray[np.bool_]
    decode_plain: npt.NDArray[np.bool_]

    @property
    def prefill_tokens_per_s(self) -> float:
        """Prompt tokens over the time to read them."""
        chosen = _plain(self.prefill_plain)
        return float(self.prompt_tokens[chosen].sum() / self.prefill_s[chosen].sum())

    @property
    def decode_tokens_per_s(self) -> float | None:
        """New tokens over the time to make them, the first of each sequence left out; None where only one was asked for."""
        chosen = _plain(self.decode_plain)
        return float(self.batch * chosen.sum() / self.decode_s[chosen].sum()) if chosen.any() else None

    @property
    def time_to_first_token_s(self) -> float:
        """Median over the prompts."""
        return float(np.median(self.first_token_s[_plain(self.prefill_plain)]))

    @property
    def text(self) -> str | None:
        """Questions and answers, as a person would read them; None without a tokenizer."""
        if self.texts is None:
            return None
        return "\n\n".join(f"> {prompt}\n{text}" for prompt, text in zip(self.prompts, self.texts, strict=True))


def _plain(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return flags if flags.any() else np.ones_like(flags)


class _Clock:
    """Times of the steps of one run, and the instruments around them."""

    def __init__(self, on_step: OnStep | None, device: torch.device) -> None:
        self._on_step, self._device = on_step, device
        self.seconds: dict[StepKind, list[float]] = {"prefill": [], "decode": []}
        self.known: dict[StepKind, list[float]] = {"prefill": [], "decode": []}
        self.plain: dict[StepKind, list[bool]] = {"prefill": [], "decode": []}

    def step(self, kind: StepKind, forward: Callable[[], Any]) -> tuple[Any, torch.Tensor]:
        """Run one forward; its result and the likeliest next token of each sequence, (batch, 1)."""
        instruments = self._on_step(kind, len(self.seconds[kind])) if self._on_step is not None else None
        self._wait()
        with instruments if instruments is not None else nullcontext():
            start = time.perf_counter()
            result = forward()
            self._wait()
            middle = time.perf_counter()
        after = time.perf_counter()
        chosen: torch.Tensor = result.logits[:, -1:].argmax(-1)
        self._wait()
        self.seconds[kind].append(middle - start)
        self.known[kind].append(middle - start + time.perf_counter() - after)
        self.plain[kind].append(instruments is None)
        return result, chosen

    def _wait(self) -> None:
        if self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)


def generate_greedy(
    model: torch.nn.Module, tokenizer: Any | None, prompts: Sequence[str] | str | torch.Tensor, new_tokens: int, *,
    on_step: OnStep | None = None, progress: Callable[[int, int], None] | None = None, stop: bool = True, warm_up: bool = True,
) -> Generation:  # fmt: skip
    """Let `model` answer each prompt, one after the other, with at most `new_tokens` tokens each.

    prompts  : texts (asked through the tokenizer's chat template where it has one), or token numbers (batch, seq), which run as one batch
    on_step  : called before each step; what it returns is opened around the forward. See `OnStep`
    progress : called with (tokens done, tokens due) after each step
    stop     : end an answer where the model ends it; token numbers always run to `new_tokens`
    warm_up  : run the first prefill and one step unseen before, so that allocator and kernels are settled

    Raises BadValue for a model that has no cache to generate with, for texts without a tokenizer and for prompts beyond the model's context.
    """
    import torch

    due = positive_int("new_tokens", new_tokens)
    if cache_name(model) is None:
        raise BadValue(f"{type(model).__name__} keeps no key-value cache, so it cannot generate. Choose a causal language model.")
    device = next(model.parameters()).device
    if isinstance(prompts, torch.Tensor):
        asked: tuple[str, ...] = ()
        encoded = [prompts.to(device)]
    else:
        asked = (prompts,) if isinstance(prompts, str) else tuple(prompts)
        encoded = [encode(tokenizer, prompt).to(device) for prompt in asked]
    _check_context(model, encoded, due)
    ends = end_tokens(model, tokenizer) if stop and asked else frozenset()
    clock, rows = _Clock(on_step, device), []
    with torch.inference_mode(), quiet():
        if warm_up:
            _answer(model, encoded[0], 2, frozenset(), _Clock(None, device), None)
        for number, ids in enumerate(encoded):
            told = None if progress is None else _told(progress, number * due, len(encoded) * due)
            rows.extend(_answer(model, ids, due, ends, clock, told))
    texts = None
    if asked and tokenizer is not None:
        texts = tuple(tokenizer.decode(row, skip_special_tokens=True).strip() for row in rows)
    return Generation(
        prompts=asked, texts=texts, tokens=tuple(tuple(row) for row in rows), batch=encoded[0].shape[0],
        prompt_tokens=np.array([ids.numel() for ids in encoded], dtype=np.int64), prefill_s=np.array(clock.seconds["prefill"]),
        first_token_s=np.array(clock.known["prefill"]), decode_s=np.array(clock.known["decode"]),
        prefill_plain=np.array(clock.plain["prefill"], dtype=bool), decode_plain=np.array(clock.plain["decode"], dtype=bool),
    )  # fmt: skip


def _answer(
    model: Any, ids: torch.Tensor, due: int, ends: frozenset[int], clock: _Clock, told: Callable[[int], None] | None
) -> list[list[int]]:  # fmt: skip
    """Tokens of one prompt's sequences, at most `due` of each."""
    import torch

    name = cache_name(model)
    assert name is not None
    extra = {"logits_to_keep": 1} if "logits_to_keep" in forward_names(model) else {}
    cache = empty_cache(model)
    chosen, made = ids, []
    for step in range(due):
        kind: StepKind = "prefill" if step == 0 else "decode"
        given = {"input_ids": chosen, name: cache, "use_cache": True, **extra}
        result, chosen = clock.step(kind, lambda given=given: model(**given))  # type: ignore[misc]
        cache = cache_of(result)
        made.append(chosen)
        if told is not None:
            told(step + 1)
        if ends and all(token in ends for token in chosen.flatten().tolist()):
            break
    if told is not None:
        told(due)
    return [[int(token) for token in row] for row in torch.cat(made, dim=1).tolist()]


def _told(progress: Callable[[int, int], None], before: int, due: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, due)


def encode(tokenizer: Any, prompt: str) -> torch.Tensor:
    """Token numbers of a prompt, (1, seq): as a user's turn where the tokenizer has a chat template, else as it stands."""
    if tokenizer is None:
        raise BadValue("there is no tokenizer to read a text prompt with. Give token numbers, a tensor (batch, seq).")
    if tokenizer.chat_template:
        try:
            found = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )  # fmt: skip
        except ImportError as error:
            raise missing_extra("A chat template", "jinja2", "report") from error
    else:
        found = tokenizer(prompt, return_tensors="pt")
    ids: torch.Tensor = found["input_ids"]
    return ids


def end_tokens(model: Any, tokenizer: Any | None) -> frozenset[int]:
    """Token numbers that end an answer."""
    found: set[int] = set()
    for value in (getattr(model.config, "eos_token_id", None), getattr(tokenizer, "eos_token_id", None)):
        found.update([value] if isinstance(value, int) else value or ())
    return frozenset(found)


def _check_context(model: Any, encoded: Sequence[torch.Tensor], due: int) -> None:
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = max((ids.shape[1] for ids in encoded), default=0)
    if longest < 1:
        raise BadValue("there is nothing to continue: the prompt has no tokens. Give at least one.")
    if isinstance(context, int) and longest + due - 1 > context:
        raise BadValue(
            f"new_tokens={due} after a prompt of {longest} tokens goes beyond the model's context of {context}. "
            f"Choose at most {max(context - longest + 1, 0)} new tokens or a shorter prompt."
        )
