"""Runs a workload on this machine: a language model answers prompts, anything else runs forward again and again."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from thrifty.errors import BadValue
from thrifty.measure.generation import PROMPTS, Generation, generate_greedy
from thrifty.measure.memory import MemoryUse, measure_memory
from thrifty.measure.profiling import EVERY, StepProfile, StepSampler
from thrifty.measure.toy import probe_seconds
from thrifty.workload import Workload, get_entry
from thrifty.workload.building import CallableSource, Runnable, TorchSource, make_inputs, make_runnable, torch_source
from thrifty.workload.pipelines import Pipeline

Progress = Callable[[str, float], None]
STEPS: Final = 3 * EVERY
"""Forward runs of a workload that generates nothing."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a real run showed.

    prefill_tokens_per_s, … : None where the workload has no such thing
    point    : sizes that really ran (the prompts' median length as seq)
    profiles : of each kind of step
    """

    runnable: Runnable = field(repr=False)
    point: Mapping[str, int]
    new_tokens: int | None
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    time_to_first_token_s: float | None
    samples_per_s: float | None
    memory: MemoryUse
    text: str | None
    profiles: tuple[StepProfile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "prefill_tokens_per_s": self.prefill_tokens_per_s, "decode_tokens_per_s": self.decode_tokens_per_s,
            "time_to_first_token_s": self.time_to_first_token_s, "samples_per_s": self.samples_per_s,
            "peak_memory_bytes": self.memory.peak_memory_bytes, "rss_bytes": self.memory.rss_bytes, "text": self.text, "weights": self.runnable.weights,
            "format": self.runnable.format, "device": self.runnable.device, "point": dict(self.point),
            "steps": [profile.to_dict() for profile in self.profiles],
        }  # fmt: skip


def run(runnable: Runnable, *, point: Mapping[str, int], new_tokens: int = 48, prompts: tuple[str, ...] | None = None, progress: Progress | None = None) -> Run:
    """Run `runnable`, with every eighth step instrumented, and say what it took.

    point   : batch, and seq or image; for a language model with a tokenizer and no `seq`, the fixed prompts are answered, else made-up tokens are read
    Raises BadValue for sizes beyond the model's context.
    """
    sampler = StepSampler(runnable.module, probe_s=probe_seconds())
    tell = progress or (lambda what, share: None)
    if runnable.blueprint is not None and runnable.blueprint.kind == "lm":
        return _run_language_model(runnable, dict(point), new_tokens, prompts, sampler, tell)
    return _run_forward(runnable, dict(point), sampler, tell)


def _run_language_model(
    runnable: Runnable, point: dict[str, int], new_tokens: int, prompts: tuple[str, ...] | None, sampler: StepSampler, tell: Progress
) -> Run:  # fmt: skip
    module, blueprint = runnable.module, runnable.blueprint
    assert blueprint is not None
    made_up = None
    if "seq" in point or runnable.tokenizer is None or point.get("batch", 1) > 1:
        point.setdefault("seq", 128)
        made_up = make_inputs(module, blueprint, "prefill", {"batch": 1, **point}, device=runnable.device)["input_ids"]

    def on_step(kind: str, index: int) -> AbstractContextManager[Any] | None:
        return sampler.step(kind, index) if kind == "decode" and sampler.samples(index) else None

    asked: Any = made_up if made_up is not None else prompts or PROMPTS
    tokenizer = None if made_up is not None else runnable.tokenizer
    done: Generation = generate_greedy(
        module, tokenizer, asked, new_tokens, on_step=on_step, progress=lambda now, due: tell("generating", now / due), stop=made_up is None
    )  # fmt: skip
    for seconds, plain in zip(done.decode_s, done.decode_plain, strict=True):
        if plain:
            sampler.note("decode", float(seconds))
    batch = done.batch
    lengths = done.prompt_tokens // batch
    seq = int(statistics.median(lengths.tolist()))
    prefill = make_inputs(module, blueprint, "prefill", {"batch": batch, "seq": seq}, device=runnable.device)
    with torch.inference_mode():
        _sample_prefill(module, lambda: make_inputs(module, blueprint, "prefill", {"batch": batch, "seq": seq}, device=runnable.device), sampler)
        longest = make_inputs(module, blueprint, "prefill", {"batch": batch, "seq": int(lengths.max())}, device=runnable.device)
        memory = measure_memory(lambda: module(**longest), module, inputs=prefill)
    profiles = sampler.profiles()
    return Run(
        runnable=runnable, point={"batch": batch, "seq": seq}, new_tokens=new_tokens, prefill_tokens_per_s=done.prefill_tokens_per_s,
        decode_tokens_per_s=done.decode_tokens_per_s, time_to_first_token_s=done.time_to_first_token_s, samples_per_s=None, memory=memory,
        text=done.text, profiles=tuple(profiles[name] for name in ("prefill", "decode") if name in profiles),
    )  # fmt: skip


def _sample_prefill(module: torch.nn.Module, fresh: Callable[[], dict[str, Any]], sampler: StepSampler) -> None:
    """A few more prefills of the median length, one of them instrumented: a prompt is read once, which leaves nothing to sample from."""
    for index in range(EVERY):
        inputs = fresh()
        with sampler.step("prefill", index, inputs=inputs):
            module(**inputs)


def _run_forward(runnable: Runnable, point: dict[str, int], sampler: StepSampler, tell: Progress) -> Run:
    module, blueprint = runnable.module, runnable.blueprint
    point.setdefault("batch", 1)
    inputs = make_inputs(module, blueprint, "forward", point, device=runnable.device) if blueprint is not None else dict(runnable.kwargs)
    with torch.inference_mode():
        module(*runnable.args, **inputs)
        for index in range(STEPS):
            tell("running", index / STEPS)
            with sampler.step("forward", index, inputs=inputs):
                module(*runnable.args, **inputs)
        memory = measure_memory(lambda: module(*runnable.args, **inputs), module, inputs=inputs)
    profile = sampler.profile("forward")
    return Run(
        runnable=runnable, point=point, new_tokens=None, prefill_tokens_per_s=None, decode_tokens_per_s=None, time_to_first_token_s=None,
        samples_per_s=point["batch"] / profile.step_s, memory=memory, text=None, profiles=(profile,),
    )  # fmt: skip


def make_and_run(
    workload: Workload, *, point: Mapping[str, int], format: str | None = None, device: str = "cpu", new_tokens: int = 48, seed: int = 0,
    progress: Progress | None = None,
) -> Run:  # fmt: skip
    """Build what `workload` names, with its real weights where they are on this machine, and run it on torch's `device`.

    format : of the numbers; fp32 unless told otherwise
    Raises NoRoom where it does not fit in the memory that is free, BadValue where there is no torch module of it, MissingExtra without torch.
    """
    source = workload.source
    if isinstance(source, Pipeline):
        raise BadValue(f"'{workload.name}' has no torch module of its own: its stages run one by one. See: thrifty operators measure {workload.name}")
    what = source if isinstance(source, (TorchSource, CallableSource)) else torch_source(get_entry(workload.name))
    if progress:
        progress("loading the model", 0.0)
    runnable = make_runnable(what, device=device, format=format or "fp32", seed=seed)
    answers = runnable.blueprint is not None and runnable.blueprint.kind == "lm"  # a language model without a length answers the fixed prompts
    sizes = dict(point) if answers else {**workload.point, **point}
    return run(runnable, point=sizes, new_tokens=new_tokens, progress=progress)
