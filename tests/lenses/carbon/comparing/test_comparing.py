"""Comparisons: answers that can be worked out by hand, what is shared, and the whole catalogue."""

import math

import numpy as np
import pytest

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.factors.normal import normal_share
from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.carbon.comparing import Comparison, Question, Subject, compare_subjects, eliminate, read_subject
from thrifty.quantities import YEAR_S

EXACT = Distribution.exact


def subject(text: str) -> Subject:
    return read_subject(text, flops=1e15, number_format="bf16")


AT, YEARS, ALL = EXACT(400.0), EXACT(5.0), EXACT(1.0)


def asked(
    *texts: str, intensity: Distribution = AT, life: Distribution = YEARS, use: Distribution = ALL, metric: str = "carbon", samples: int = 4096
) -> Comparison:  # fmt: skip
    question = Question(subjects=tuple(map(subject, texts)), intensity=intensity, life=life, utilisation=use, pue=1.2, place="nowhere")
    return compare_subjects(question, metric=metric, samples=samples)


OLD, NEW = "old:embodied_kg=0,delay_s=1,energy_j=300", "new:embodied_kg=150,delay_s=0.5,energy_j=100"


def test_formula_exact_designs_by_hand() -> None:
    found = asked(OLD, NEW)
    old = 300 / 3.6e6 * 1.2 * 400
    new = 150e3 * 0.5 / (5 * YEAR_S) + 100 / 3.6e6 * 1.2 * 400
    for name, value in (("old", old), ("new", new)):
        assert found.middle[name]["carbon_gco2e"] == pytest.approx(value)
        assert found.summaries[name].p5 == pytest.approx(value) == found.summaries[name].p95
    assert found.winners == {"carbon": "new", "cdp": "old", "cep": "old", "c2ep": "old", "ce2p": "old", "tcdp": "new", "tcep": "new"}
    (turn,) = found.turns
    assert turn.intensity_years == pytest.approx(150e3 * 0.5 / 200 * 3.6e6 / 1.2 / YEAR_S)
    assert turn.life_years == pytest.approx(turn.intensity_years / 400)
    assert [x["winner"] for x in found.stretches] == ["old", "new"] and found.stretches[1]["from"] == pytest.approx(turn.intensity_years)
    assert found.indices == () and found.everything.saves == 0.0 and set(found.front) == {"old", "new"} and found.robust is None
    assert found.elasticity["new"]["making of new"] == pytest.approx(found.middle["new"]["embodied_gco2e"] / new)


def test_formula_focals_ratio_to_the_first() -> None:
    found = asked("a:embodied_kg=10,delay_s=2,energy_j=100", "b:embodied_kg=20,delay_s=1,energy_j=40", "c:embodied_kg=5,delay_s=2,energy_j=90")
    b, c = found.normalised
    assert b.fixed_work == {"0.8": pytest.approx(0.8 * 2 + 0.2 * 0.4), "0.2": pytest.approx(0.2 * 2 + 0.8 * 0.4)}
    assert b.fixed_time == {"0.8": pytest.approx(0.8 * 2 + 0.2 * 0.8), "0.2": pytest.approx(0.2 * 2 + 0.8 * 0.8)}
    assert (b.verdict, c.verdict) == ("depends", "better") and b.turns == pytest.approx(0.6 / 1.6)
    assert asked(OLD, NEW).normalised == ()  # no ratio to what was made of nothing
    assert asked("a100-80gb", "l40s").to_dict()["designs"]["l40s"]["cci_gco2e_per_eflop"] > 1


def test_formula_the_chance_over_an_uncertain_making() -> None:
    # carbon of new is linear in a triangle, so that P(new < old) is the triangle's own share
    low, mode, high = 200.0, 7000.0, 12000.0
    found = asked(OLD, f"new:embodied_kg={low}/{mode}/{high},delay_s=0.5,energy_j=100")
    limit = 200 / 3.6e6 * 1.2 * 400 * 5 * YEAR_S / 0.5 / 1e3  # kg at which both emit the same
    share = 1 - (high - limit) ** 2 / ((high - low) * (high - mode)) if limit > mode else (limit - low) ** 2 / ((high - low) * (mode - low))
    chance = found.chances["old", "new"]
    assert 1 - chance.less == pytest.approx(share, abs=5 * chance.se + 1e-3)
    assert found.data[0].name == "making of new" and found.data[0].saves == pytest.approx(found.everything.saves, abs=5 * found.everything.se + 1e-6)


def test_what_is_shared_cancels() -> None:
    grid = Distribution("lognormal", (400.0, 0.8))
    found = asked("a:embodied_kg=0,delay_s=1,energy_j=100", "b:embodied_kg=0,delay_s=1,energy_j=101", intensity=grid)
    assert found.chances["a", "b"].less == 1.0  # though each alone spreads over more than a decade
    assert found.summaries["a"].p95 / found.summaries["a"].p5 > 10
    assert [index.names for index in found.indices if index.total > 0.01] == [("grid intensity",)]


def test_devices_share_the_model_that_is_right_and_say_which_were_left_out() -> None:
    found = asked("a100-80gb", "l40s")
    names = {name for block in found.question.inputs.blocks for name in block}
    assert {"model of the die", "model of the memory", "model of the board"} <= names
    assert any("left out nvidia-pcf" in note for note in found.question.notes)
    assert any("correlation of 0.5" in note for note in found.question.notes)
    choice = next(c for c in found.question.inputs.choices if c.name == "model of the memory")
    assert len(choice.options) >= 3
    assert "power of l40s" in found.elasticity["l40s"] and found.elasticity["l40s"]["attained share of l40s"] == pytest.approx(-1.0)


def test_formula_the_value_of_a_datum_that_decides() -> None:
    found = asked("a:embodied_kg=0,delay_s=1,energy_j=100/200/300", "b:embodied_kg=0,delay_s=1,energy_j=201", samples=2**15)
    per_j = 1.2 * 400 / 3.6e6
    draw = Distribution("triangular", (100.0, 200.0, 300.0)).quantile((np.arange(10**5) + 0.5) / 10**5)
    by_hand = (200 - np.minimum(draw, 201).mean()) * per_j
    assert found.data[0].name == "energy of a" and found.data[0].saves == pytest.approx(by_hand, rel=1e-3)
    assert found.everything.saves == pytest.approx(by_hand, rel=0.02)


def test_a_power_is_as_uncertain_as_the_energy_models_published_error() -> None:
    made = subject("h100-sxm5")
    assert made.power_w is not None
    level, sigma = made.power_w.parameters
    assert normal_share(math.log(1.11) / sigma) == pytest.approx(0.75, abs=0.02)  # median error 11 %
    assert 200 < level < 700


def test_idle_time_counts_by_utilisation() -> None:
    busy, idle = (asked(f"{OLD},idle_w=100", NEW, use=EXACT(u)).middle["old"]["operational_gco2e"] for u in (1.0, 0.25))
    assert idle - busy == pytest.approx(100 * 3 / 3.6e6 * 1.2 * 400)
    uncertain = asked(f"{OLD},idle_w=100", NEW, use=Distribution("triangular", (0.2, 0.25, 0.3)))
    assert "utilisation" in {index.names[0] for index in uncertain.indices}


def test_a_bill_of_materials_is_priced_by_every_model() -> None:
    made = subject("mine:bom=server-2018,delay_s=1,power_w=400")
    assert {"die", "memory", "ssd"} <= {piece.name for piece in made.pieces}
    assert all(len(piece.by_model) > 0 and piece.span_gco2e.high > 0 for piece in made.pieces)


def test_paper_almost_all_designs_of_the_catalogue_win_nowhere() -> None:
    found = eliminate("carbon")
    assert found.count + len(found.left_out) >= 30
    assert found.share_eliminated > 0.9  # CORDOBA: up to 98 % of its space
    best = eliminate("carbon", names=found.kept)
    assert best.kept == found.kept


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ((), "0 design leaves nothing to compare. Name two or more"),
        ((OLD,), "1 design leaves nothing to compare"),
        ((OLD, OLD), "design 'old' is named twice"),
        ((OLD, "x:embodied=3,delay_s=1,energy_j=1"), "'embodied' in .* is no key with a unit"),
        ((OLD, "x:embodied_kg=-3,delay_s=1,energy_j=1"), "embodied_kg=-3 is below 0 or not finite"),
        ((OLD, "x:embodied_kg=nan,delay_s=1,energy_j=1"), "embodied_kg=nan is below 0 or not finite"),
        ((OLD, "x:embodied_kg=1,delay_s=0,energy_j=1"), "delay_s=0 is not above 0"),
        ((OLD, "x:embodied_kg=3/2/1,delay_s=1,energy_j=1"), "embodied_kg=3/2/1 is not ordered"),
        ((OLD, "x:embodied_kg=1,delay_s=1,energy_j=1,power_w=1"), "states both energy_j and power_w. Keep one."),
        ((OLD, "x:delay_s=1,energy_j=1"), "lacks one of embodied_kg and bom"),
        ((OLD, "x:embodied_kg=3 kg,delay_s=1,energy_j=1"), "embodied_kg='3 kg' is no number"),
        ((OLD, "server.toml"), "'server.toml' says what is built, not how fast"),
    ],
)
def test_what_is_no_comparison_is_refused(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        asked(*texts)


def test_settings_that_cannot_be_are_refused() -> None:
    wrong = (({"use": EXACT(1.2)}, "utilisation=1.2 is not above 0 and at most 1"), ({"life": EXACT(0.0)}, "life_s=0 is not a finite number above 0"))
    for given, said in wrong:
        with pytest.raises(BadValue, match=said):
            asked(OLD, NEW, **given)
    with pytest.raises(UnknownName, match="No metric named 'speed'"):
        asked(OLD, NEW, metric="speed")
