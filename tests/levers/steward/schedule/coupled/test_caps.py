"""Jobs under a cap: enumeration of every schedule, the solver, and the bound that is computed beside it."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from tests.levers.steward.schedule.problems import job, place, problem

from thrifty.errors import BadValue, MissingExtra
from thrifty.levers.steward.schedule import Problem, decide
from thrifty.levers.steward.schedule.coupled import packing
from thrifty.levers.steward.schedule.coupled.packing import lagrangian, plan_under_caps

NONE = np.zeros(1)


def brute_force(p: Problem) -> float:
    """Least cost over every start (or set of slots) of every job that holds the cap."""
    cap, step = p.cap_w_P[0], p.step_h / 1e3
    best = np.inf

    def choices(j: int) -> list[tuple[float, list[int]]]:
        first, last, length = int(p.first_J[j]), int(p.last_J[j]), int(p.length_J[j])
        if p.jobs[j].interruptible:
            sets = [list(each) for each in itertools.combinations(range(first, last), length)]
        else:
            sets = [list(range(s, s + length)) for s in range(first, last - length + 1)]
        return sorted((p.power_w_J[j] * step * p.grams_PT[0, at].sum(), at) for at in sets)

    every = [choices(j) for j in range(len(p.jobs))]
    rest = np.append(np.cumsum([each[0][0] for each in every][::-1])[::-1], 0.0)  # what the jobs to come cost at least

    def place_next(j: int, load: np.ndarray, cost: float) -> None:
        nonlocal best
        if j == len(p.jobs):
            best = min(best, cost)
            return
        for more_cost, at in every[j]:
            if cost + more_cost + rest[j + 1] >= best:
                return
            more = load.copy()
            more[at] += p.power_w_J[j]
            if (more[at] <= cap + 1e-9).all():
                place_next(j + 1, more, cost + more_cost)

    place_next(0, np.zeros(p.slots), 0.0)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_blocks_under_a_cap_equal_enumeration(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(3, 9))
    jobs = [job(f"j{k}", int(draw.integers(1, 4)), int(draw.integers(0, 3)), int(draw.integers(8, 11)), kw=float(draw.integers(1, 4))) for k in range(count)]
    p = problem(jobs, place(draw.integers(1, 30, size=11), cap_w=float(draw.integers(4, 7)) * 1e3))
    best = brute_force(p)
    if not np.isfinite(best):
        with pytest.raises(BadValue, match="cap"):
            plan_under_caps(p, p.grams_PT, p.moved_JP, NONE)
        return
    plan, value, bound, _, _ = plan_under_caps(p, p.grams_PT, p.moved_JP, NONE)
    assert value == pytest.approx(best, rel=1e-9)
    assert bound == pytest.approx(best, rel=1e-6)
    assert (plan.load_w_PT(p) <= p.cap_w_P[:, None] + 1e-6).all()


@pytest.mark.parametrize("seed", range(6))
def test_pausing_jobs_of_one_power_equal_enumeration_as_their_program_is_integral(seed: int) -> None:
    draw = np.random.default_rng(seed)
    jobs = [job(f"j{k}", int(draw.integers(1, 4)), int(draw.integers(0, 3)), int(draw.integers(6, 8)), interruptible=True) for k in range(5)]
    p = problem(jobs, place(draw.integers(1, 30, size=8), cap_w=2e3))
    best = brute_force(p)
    if not np.isfinite(best):
        pytest.skip("a draw without a schedule")
    _, value, bound, by, _ = plan_under_caps(p, p.grams_PT, p.moved_JP, NONE)
    assert value == pytest.approx(best, rel=1e-7)
    assert bound == pytest.approx(best, rel=1e-7)
    assert by in ("linear program, its dual recomputed job by job", "every job's own best, and together they stay under the cap")


def test_property_any_prices_give_a_bound() -> None:
    draw = np.random.default_rng(3)
    jobs = [job(f"j{k}", 2, 0, 9, kw=2, interruptible=k % 2 == 0) for k in range(4)]
    p = problem(jobs, place(draw.integers(1, 30, size=9), cap_w=4e3))
    best = brute_force(p)
    free = np.full(p.grams_PT.shape, 4e3)
    for _ in range(200):
        assert lagrangian(p, p.grams_PT, p.moved_JP, NONE, draw.exponential(0.01, size=free.shape), free) <= best + 1e-9


def test_elastic_under_a_cap_equals_a_program_written_out_by_hand() -> None:
    from scipy.optimize import linprog

    grams = np.array([9.0, 2.0, 3.0, 8.0, 1.0, 7.0])
    marginal = (1.0, 0.8, 0.5)
    p = problem([job("e", 5, 0, 6, elastic=marginal), job("i", 2, 0, 6, kw=2, interruptible=True)], place(grams, cap_w=3.5e3))
    _, value, bound, _, _ = plan_under_caps(p, p.grams_PT, p.moved_JP, NONE)
    cost = np.concatenate([np.repeat(grams, 3), 2 * grams])
    caps = np.zeros((6, 24))
    for t in range(6):
        caps[t, 3 * t : 3 * t + 3], caps[t, 18 + t] = 1.0, 2.0
    done = np.array([np.concatenate([np.tile(marginal, 6), np.zeros(6)]), np.concatenate([np.zeros(18), np.ones(6)])])
    expected = linprog(cost, A_ub=caps, b_ub=np.full(6, 3.5), A_eq=done, b_eq=[5, 2], bounds=(0, 1)).fun
    assert value == pytest.approx(expected)
    assert bound == pytest.approx(expected)


def test_formula_groups_of_servers_draw_all_their_power() -> None:
    # Three servers do 3 an hour together; under a cap of two kilowatts a slot holds two thirds of them, so 5 of work need 2, 2 and 1 in order of price.
    p = problem([job("e", 5, 0, 4, elastic=(1.0, 0.2, 1.8))], place([4, 1, 2, 3], cap_w=2e3))
    found = decide(p)
    assert found.after.share_R.tolist() == pytest.approx([2, 2, 1])
    assert found.after.slot_R.tolist() == [1, 2, 3]
    assert any("servers of e come in groups" in note for note in found.decision.notes)


def test_insertion_holds_caps_and_deadlines_where_the_integer_program_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_BINARIES", 0)
    draw = np.random.default_rng(5)
    jobs = [job(f"j{k}", int(draw.integers(2, 9)), int(draw.integers(0, 20)), int(draw.integers(60, 72)), kw=float(draw.integers(1, 5))) for k in range(40)]
    p = problem(jobs, place(200 + 100 * np.sin(np.arange(72) / 4), cap_w=16e3))
    plan, value, bound, by, _ = plan_under_caps(p, p.grams_PT, p.moved_JP, NONE)
    assert by == "Lagrange dual"
    assert bound <= value <= bound * 1.03
    assert (plan.load_w_PT(p) <= 16e3 + 1e-6).all()
    for j in range(len(jobs)):
        mine = plan.slot_R[plan.job_R == j]
        assert mine.tolist() == list(range(mine[0], mine[0] + p.length_J[j]))
        assert p.first_J[j] <= mine[0] and mine[-1] < p.last_J[j]


def test_places_fill_up_and_copying_data_counts() -> None:
    jobs = [job("a", 2, 0, 4, moved_bytes=0), job("b", 2, 0, 4)]
    clean, dirty = place([100] * 4, "clean", cap_w=1e3), place([300] * 4, "dirty")
    found = decide(problem(jobs, dirty, clean))
    assert found.decision.certificate is not None
    assert found.decision.certificate.gap == pytest.approx(0)
    assert found.after.carbon_g_J(found.problem).tolist() == pytest.approx([200, 200])  # two hours each, one after the other, in four
    heavy = [job("a", 2, 0, 4, moved_bytes=1e12)]
    # 1000 GB at 0.001 kWh and the mean of both grids: 200 g, on top of 200 g, against 600 g at home.
    moved = decide(problem(heavy, dirty, clean, kwh_per_gb=0.001))
    assert moved.after.carbon_g_J(moved.problem).tolist() == pytest.approx([400])
    stays = decide(problem([job("a", 2, 0, 4, moved_bytes=1e13)], dirty, clean, kwh_per_gb=0.001))
    assert stays.after.carbon_g_J(stays.problem).tolist() == pytest.approx([600])


def test_without_the_solver_only_a_cap_that_binds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    jobs = [job(f"j{k}", 2, 0, 4) for k in range(2)]
    assert decide(problem(jobs, place([1, 2, 3, 4], cap_w=2e3))).decision.certificate is not None
    with pytest.raises(MissingExtra, match=r'scheduling under a cap needs scipy\. Install: pip install "thrifty\[optimize\]"'):
        decide(problem(jobs, place([1, 2, 3, 4], cap_w=1e3)))


def test_what_does_not_fit_names_the_job() -> None:
    with pytest.raises(BadValue, match=r"job 'big' draws 9 kW, above the cap of 5 kW at home\. Raise the cap\."):
        problem([job("big", 1, 0, 4, kw=9)], place([1] * 4, cap_w=5e3))
    crowd = [job(f"j{k}", 3, 0, 4, interruptible=True) for k in range(3)]
    with pytest.raises(BadValue, match=r"job 'j\d' cannot be done before its deadline beside the others: \d+% of it does not fit under the cap"):
        decide(problem(crowd, place([1, 2, 3, 4], cap_w=2e3)))
