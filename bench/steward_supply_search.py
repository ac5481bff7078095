"""A hundred thousand supplies of solar, wind, battery and machines over a year of California are replayed in less than 60 s, every kept one checked again.

The grid: 20 MW flat, EIA-930 2020, fixed load and load of which 40 % may move within its day. Kept are the supplies that nothing beats in (making, grid);
each is checked minute by minute by a loop that shares no arithmetic with the replay. Against a plain loop: some
supplies drawn at random go hour by hour and minute
by minute in Python, in turns with ours, and must agree.
"""

import time

import numpy as np

from _claim import in_turns, report, spread
from thrifty.levers.steward.supply import Grid, Question, asked_question, outcomes, search_supplies

POINTS, WITHIN_S, DRAWN, REPEATS = 100_000, 60.0, 3, 3
Supplies = list[np.ndarray]


def plain_loop(question: Question, supplies: Supplies) -> np.ndarray:
    """Unmet MWh of every supply: one minute after the other, as the rule is written."""
    kind = question.battery(1.0)
    tau = 1 / 60
    out = []
    for solar, wind, capacity, _ in zip(*supplies, strict=True):
        level = unmet = 0.0
        for load, sun, blow in zip(question.load_mw_T.tolist(), question.solar_share_T.tolist(), question.wind_share_T.tolist(), strict=True):
            net = solar * sun + wind * blow - load
            for _ in range(60):
                if net > 0:
                    power = min(net, kind.c_charge * capacity / kind.eta_c, (kind.v_u * capacity - level) / (kind.eta_c * tau - kind.u_u))
                    level += kind.eta_c * power * tau
                else:
                    power = min(-net, kind.c_discharge * capacity / kind.eta_d, (level - kind.v_l * capacity) / (kind.u_l + kind.eta_d * tau))
                    level -= kind.eta_d * power * tau
                    unmet += (-net - power) * tau
        out.append(unmet)
    return np.array(out)


results = {}
for name, flexible in (("fixed", 0.0), ("flexible 40 %", 0.4)):
    question = asked_question(power_mw=20.0, flexible=flexible)
    grid = Grid.of(question, POINTS)
    search_supplies(question, Grid.of(question, 16))  # compiled
    begun, cpu = time.perf_counter(), time.process_time()
    found = search_supplies(question, grid)
    assert found.holding is not None
    results[name] = {
        "points": len(grid), "wall_s": round(time.perf_counter() - begun, 2), "cpu_s": round(time.process_time() - cpu, 2),
        "kept_and_checked": len(found.rows_PC), "disagreed_mwh": found.disagreed_mwh, "least_total": found.built(found.least).to_dict(),
    }  # fmt: skip

question = asked_question(power_mw=20.0)
rng = np.random.default_rng(0)
few: Supplies = [rng.uniform(0, top, DRAWN) for top in (240, 240, 480)] + [np.zeros(DRAWN)]
many: Supplies = [rng.uniform(0, top, 20_000) for top in (240, 240, 480)] + [np.zeros(20_000)]
answers: dict[str, np.ndarray] = {}
took = in_turns({
    "loop": lambda: answers.update(loop=plain_loop(question, few)),
    "ours": lambda: answers.update(ours=outcomes(question, *few).unmet_mwh_N, all=outcomes(question, *many).unmet_mwh_N),
}, REPEATS)  # fmt: skip
differ = float(np.abs(answers["loop"] - answers["ours"]).max())
per_supply = {"loop": spread([each / DRAWN for each in took["loop"]]), "ours": spread([each / (len(many[0]) + DRAWN) for each in took["ours"]])}
ratio = per_supply["loop"]["median"] / per_supply["ours"]["median"]
holds = all(each["cpu_s"] < WITHIN_S for each in results.values()) and differ < 1e-6
report(__doc__.splitlines()[0], holds, {
    "search": results, "wanted_s": WITHIN_S, "seconds_a_supply": per_supply, "ratio": round(ratio), "supplies_per_s": round(1 / per_supply["ours"]["median"]),
    "loop_differs_mwh": differ,
}, "numpy", "numba")  # fmt: skip
