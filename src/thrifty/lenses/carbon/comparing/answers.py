"""What a question is answered: winners, chances, quantiles, what matters, what to find out, and where the answer turns."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.cost.carbon.metrics import METRICS, Design, Envelope, boundary, envelope_of, parts_of, robust_winner, turning_utilisation
from thrifty.cost.carbon.metrics.rates import FLOP_PER_EFLOP
from thrifty.cost.carbon.uncertainty import (
    Chance,
    Datum,
    Method,
    SobolIndex,
    Summary,
    Values,
    draw,
    sobol_indices,
    value_of_datum,
    value_of_everything,
    value_of_products,
)  # fmt: skip
from thrifty.errors import BadValue, unknown_name
from thrifty.footprint import pareto_front
from thrifty.lenses.carbon.comparing.normalised import Normalised, against_first
from thrifty.lenses.carbon.comparing.questions import Question
from thrifty.lenses.carbon.comparing.subjects import Subject
from thrifty.quantities import J_PER_KWH, YEAR_S, positive_int

INDEX_SAMPLES = 2**12
MODEL = "carbon-compare-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where two designs come to the same by the metric, at the middle of all inputs; None where one of them is ahead on both sides.

    intensity_years : gCO2e/kWh × years of life on the boundary; life_years at the question's intensity, intensity at its life; utilisation at both
    """

    a: str
    b: str
    intensity_years: float | None
    life_years: float | None
    intensity_gco2e_per_kwh: float | None
    utilisation: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "a": self.a, "b": self.b, "intensity_years": self.intensity_years, "life_years": self.life_years,
            "intensity_gco2e_per_kwh": self.intensity_gco2e_per_kwh, "utilisation": self.utilisation,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Designs beside one another. Carbon is gCO2e of one unit of work; `middle` is at the middle of all inputs, `summaries` over all of them.

    by_metric  : metric -> design -> value at the middle; `winners` the least of each
    chances    : (a, b) -> that a emits less than b; best: design -> that it emits least
    indices    : of the difference between the two that lead in the mean, most first
    data       : what knowing each input would save in the mean, most first; everything: knowing all
    envelope   : winners over intensity × life, its breaks in g·s/J; turns: by pair
    normalised : FOCAL's NCF of each design over the first
    front      : designs that no other beats in making and running at once; robust: one that none beats in either
    elasticity : design -> input -> per cent of carbon that one per cent of it moves, at the means
    """

    question: Question
    middle: dict[str, dict[str, float]]
    summaries: dict[str, Summary]
    by_metric: dict[str, dict[str, float]]
    winners: dict[str, str]
    chances: dict[tuple[str, str], Chance]
    best: dict[str, float]
    indices: tuple[SobolIndex, ...]
    indices_of: tuple[str, str]
    everything: Datum
    data: tuple[Datum, ...]
    envelope: Envelope
    turns: tuple[Turn, ...]
    normalised: tuple[Normalised, ...]
    front: tuple[str, ...]
    robust: str | None
    elasticity: dict[str, dict[str, float]]
    samples: int
    method: Method
    seed: int
    metric: str

    @property
    def designs(self) -> tuple[Design, ...]:
        return self.question.designs

    @property
    def lead(self) -> str:
        """The design of the least carbon in the mean."""
        return min(self.summaries, key=lambda name: self.summaries[name].mean)

    @property
    def stretches(self) -> list[dict[str, Any]]:
        """Winners over intensity · life (gCO2e/kWh · years), from nothing up: `to` is None at the end."""
        scale = J_PER_KWH / self.question.pue / YEAR_S
        edges = [0.0, *(each * scale for each in self.envelope.breaks), None]
        names = [self.designs[k].name for k in self.envelope.winners]
        return [{"winner": name, "from": low, "to": high} for name, low, high in zip(names, edges, edges[1:], strict=False)]

    def to_dict(self) -> dict[str, Any]:
        q = self.question
        return {
            "model": MODEL, "truth": "modelled", "unit": "gCO2e of one unit of work", "place": q.place,
            "setting": {
                "intensity_gco2e_per_kwh": q.intensity.to_dict(), "life_years": q.life.to_dict(), "utilisation": q.utilisation.to_dict(), "pue": q.pue,
            },
            "designs": {subject.name: self._said(subject, design) for subject, design in zip(q.subjects, self.designs, strict=True)},
            "metric": self.metric, "winner": self.winners[self.metric], "winners": self.winners, "by_metric": self.by_metric,
            "ncf": {each.name: each.to_dict() for each in self.normalised}, "lead_in_the_mean": self.lead,
            "robust_winner": self.robust, "chances": [{"a": a, "b": b, **chance.to_dict()} for (a, b), chance in self.chances.items()],
            "sobol": {"of": list(self.indices_of), "indices": [index.to_dict() for index in self.indices]},
            "value_of_information": {"everything": self.everything.to_dict(), "data": [datum.to_dict() for datum in self.data]},
            "boundary": {"metric": self.metric if METRICS[self.metric].total else "carbon", "stretches": self.stretches,
                         "turns": [turn.to_dict() for turn in self.turns], "eliminated": self.envelope.eliminated},
            "pareto": list(self.front), "samples": self.samples, "method": self.method, "seed": self.seed, "notes": list(q.notes) + self.notes,
            "sources": self.sources,
        }  # fmt: skip

    def _said(self, subject: Subject, design: Design) -> dict[str, Any]:
        name, middle = subject.name, self.middle[subject.name]
        return {
            "title": subject.title, "embodied_kgco2e": {end: getattr(subject.span_gco2e, end) / 1e3 for end in ("low", "mid", "high")},
            "delay_s": design.delay_s, "energy_j": design.energy_j, "idle_w": design.idle_w, **middle,
            "cci_gco2e_per_eflop": middle["carbon_gco2e"] / subject.flops * FLOP_PER_EFLOP if subject.flops else None,
            "summary": self.summaries[name].to_dict(), "least": self.best[name], "elasticity": self.elasticity[name],
            "wins_somewhere": name in {stretch["winner"] for stretch in self.stretches}, "pareto": name in self.front,
        }  # fmt: skip

    @property
    def notes(self) -> list[str]:
        return [note for subject in self.question.subjects for note in subject.notes]

    @property
    def sources(self) -> list[str]:
        used = [source for subject in self.question.subjects for source in subject.sources]
        return list(dict.fromkeys([*used, *(METRICS[name].source for name in METRICS), "focal-2024"]))


def compare_subjects(question: Question, *, metric: str = "carbon", samples: int = 2**16, method: Method = "sobol", seed: int = 0) -> Comparison:
    """Answer everything. Raises UnknownName for a metric that there is not, BadValue for what cannot be drawn."""
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS, "thrifty carbon compare --help")
    positive_int("samples", samples)
    designs, setting, models = question.designs, question.setting, question.models
    names = list(models)
    wanted = [name for block in question.inputs.blocks for name in block]

    def all_designs(values: Values) -> dict[str, Any]:
        return {name: model(values) for name, model in models.items()}

    drawn = draw(all_designs, question.inputs, samples, method=method, seed=seed, keep=wanted)
    summaries = {name: drawn.summary(name) for name in names}
    order = sorted(names, key=lambda name: summaries[name].mean)
    table = np.stack([drawn.output(name) for name in names])
    least = table.argmin(axis=0)
    data = list(value_of_products(models)) + [value_of_datum(drawn, name) for group in question.inputs.groups for name in group.names]
    by_metric = {key: dict(zip(names, map(float, each.of(designs, setting)), strict=True)) for key, each in METRICS.items()}
    making, using = parts_of(designs, setting)
    total = metric if METRICS[metric].total else "carbon"
    front = pareto_front(np.stack([making, using], axis=1))
    return Comparison(
        question=question, summaries=summaries, by_metric=by_metric, winners={key: min(row, key=row.__getitem__) for key, row in by_metric.items()},
        middle={
            name: {"carbon_gco2e": made + used, "embodied_gco2e": made, "operational_gco2e": used}
            for name, made, used in zip(names, making.tolist(), using.tolist(), strict=True)
        },
        chances={(a, b): drawn.chance_below(a, b) for a, b in itertools.combinations(names, 2)},
        best={name: float((least == k).mean()) for k, name in enumerate(names)},
        indices=_indices(question, order[0], order[1], seed), indices_of=(order[0], order[1]), everything=value_of_everything(drawn),
        data=tuple(sorted(data, key=lambda datum: -datum.saves)),
        envelope=envelope_of(designs, total, setting.utilisation),
        turns=tuple(_turn(question, a, b, total) for a, b in itertools.combinations(designs, 2)),
        normalised=against_first(designs), front=tuple(name for name, keep in zip(names, front, strict=True) if keep),
        robust=_robust(names, making, using), elasticity=_elasticities(question), samples=drawn.samples, method=method, seed=seed, metric=metric,
    )  # fmt: skip


def _robust(names: list[str], making: Any, using: Any) -> str | None:
    if not (making > 0).all() or not (using > 0).all():
        return None
    found = robust_winner(making, using)
    return None if found is None else names[found]


def _indices(question: Question, a: str, b: str, seed: int) -> tuple[SobolIndex, ...]:
    models = question.models
    try:
        return sobol_indices(lambda v: models[b](v) - models[a](v), question.inputs, INDEX_SAMPLES, seed=seed)["value"]
    except BadValue as error:
        if "does not vary" in str(error):
            return ()  # everything is exact, or varies alike on both sides
        raise


def _turn(question: Question, a: Design, b: Design, metric: str) -> Turn:
    setting = question.setting
    product = boundary(a, b, metric=metric, utilisation=setting.utilisation, pue=setting.pue)
    intensity, life = setting.intensity_gco2e_per_kwh, setting.life_s / YEAR_S
    return Turn(
        a=a.name, b=b.name, intensity_years=product, life_years=product / intensity if product and intensity else None,
        intensity_gco2e_per_kwh=product / life if product else None,
        utilisation=turning_utilisation(a, b, setting.exposure, metric) if setting.exposure else None,
    )  # fmt: skip


def _elasticities(question: Question) -> dict[str, dict[str, float]]:
    inputs = question.inputs
    means = {v.name: v.distribution.mean for v in inputs.variables}
    weights = {c.name: dict(zip(c.options, c.weights, strict=True)) for c in inputs.choices}
    means |= {k.name: sum(weights[k.choice][option] * value for option, value in k.by_option.items()) for k in inputs.lookups}
    found = {}
    for name, model in question.models.items():
        moved = {key: float(value) for key, value in model.elasticities(means).items()} if model(means) > 0 else {}
        found[name] = dict(sorted(moved.items(), key=lambda item: -abs(item[1])))
    return found
