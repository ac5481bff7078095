"""The headline: what was asked, the answer in two sentences, the numbers that matter most, and what the model said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.assessment.sections.words import RATES, device_label, modelled, percent, share, sizes, spanning
from thrifty.quantities import show
from thrifty.report import Block, Code, Note, Number, Section, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment

MANY: Final = 1e4
"""Rates from here on are written in thousands."""
_WEIGHTS: Final = {
    "real": "with its real weights",
    "random": "with random weights: time and memory are those of the model, its words would mean nothing",
    "own": "with the weights that the callable made",
}


def title(a: Assessment) -> str:
    others = f" and {len(a.cases) - 1} more" if len(a.cases) > 1 else ""
    return f"{a.workload.name} on {device_label(a.case)}{others}"


def summary(a: Assessment) -> str:
    """What it takes, what bounds it, what would help most."""
    case, foot = a.case, a.case.per_unit
    bounds = [f"{p.workload.phase} is bound by **{p.bound}**" for p in case.priced]
    seen = _seen_seconds(a)
    took = f"**{show(seen, 's')}**, measured; " if seen is not None else ""
    sentences = [
        f"One {case.job.unit} takes {took}by the model "
        f"**{show(foot.time_s, 's')}**, {show(foot.energy_j, 'J')} and {show(foot.carbon_gco2e.mid, 'gCO2e')}. {_sentence(' and '.join(bounds))}"
    ]
    if not case.fits:
        sentences.append(f"It **does not fit**: it needs {show(foot.memory_bytes, 'B')}, there are {show(case.device.memory_bytes, 'B')}.")
    if a.estimates:
        best = a.estimates[0]
        gains = [f"{what} ÷ {factor:.3g}" for what in ("time", "energy", "carbon") if (factor := best.factor(what)) is not None and factor > 1.01]
        sentences.append(f"What would help most: **{best.change}** ({', '.join(gains)}, modelled).")
    return " ".join(sentences)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _seen_seconds(a: Assessment) -> float | None:
    """Measured seconds of one unit, None where its rates were not."""
    known, job = a.measured or {}, a.case.job
    if rate := known.get("samples_per_s"):
        return 1 / float(rate)
    first, decode = known.get("time_to_first_token_s"), known.get("decode_tokens_per_s")
    if first is None or (decode is None and len(job.parts) > 1):
        return None
    later = job.units - job.point.get("batch", 1)
    return (float(first) + (later / float(decode) if decode else 0.0)) / job.units


def headline(a: Assessment) -> dict[str, Number | str]:
    """Every rate, measured beside modelled, then energy and carbon a unit."""
    found: dict[str, Number | str] = {}
    for key, (name, unit) in RATES.items():
        truth, model, error = (a.measured or {}).get(key), a.modelled.get(key), (a.error or {}).get(key)
        if unit.startswith("token") and max(truth or 0.0, model or 0.0) >= MANY:  # as `show` writes it in the model's words beside
            scale, wide = 1e3, f"k{unit}"
        else:
            scale, wide = 1.0, unit
        if truth is not None:
            beside = "" if model is None else f"model: {show(model, unit)}" + (f", {percent(error)}" if error is not None else "")
            found[name] = Number(value=truth / scale, unit=wide, truth="measured", model=beside)
        elif model is not None:
            found[name] = modelled(model / scale, wide, a.case.priced[0].model)
    unit, foot = a.case.job.unit, a.case.per_unit
    found[f"Energy a {unit}"] = modelled(foot.energy_j, "J", "no sensor is read")
    found[f"Carbon a {unit}"] = spanning(foot.carbon_gco2e, "gCO2e")
    if foot.cost_usd is not None:
        found[f"Money a million {unit}s"] = modelled(foot.cost_usd * 1e6, "USD", "rent by the hour")
    return found


def said(a: Assessment) -> Section:
    """What really ran and what came out of it, or why nothing ran."""
    case = a.case
    where = f"{case.device.title}, {a.case.job.format}, {sizes(case.job.point)}, at {case.site.title}."
    if a.run is None:
        why = a.why_not_run or f"{case.device.name} is not this machine: every number below is modelled. Leave out --on to run it here."
        return Section("What ran", [Text(f"Nothing was run. {where}"), Note(why)], id="ran")
    blocks: list[Block] = [Text(f"It ran here, {_WEIGHTS[a.run.runnable.weights]}: {where}")]
    if a.run.text:
        tokens = f"at most {a.run.new_tokens} tokens an answer" if a.run.new_tokens else ""
        blocks.append(Code(a.run.text, f"Greedy answers to the fixed prompts, {tokens}"))
    blocks += [Note(text) for text in dict.fromkeys((*a.workload.notes, *a.run.runnable.notes))]
    spent = next((p for p in a.run.profiles if p.name in ("decode", "forward")), None)
    if spent is not None and (by_kind := spent.by_kind()):
        kind, seconds = next(iter(by_kind.items()))
        blocks.append(Text(f"Of a {spent.name} step, {share(seconds / sum(by_kind.values()))} goes to **{kind}**."))
    return Section("What ran", blocks, id="ran")


