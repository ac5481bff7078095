"""A year's supply is sized on one core in less than 60 s, and where the target binds, a bound proved by a linear programme's dual lies within 2 % below it.

20 MW flat in California, EIA-930 2020, 8 784 hours, coverage of 95, 99 and 100 %. The supply is what holds the target under replay with the tapering
battery; the bound knows the whole year ahead and has no taper. Where the target does not bind (least carbon covers more than 95 %), the bound may also charge
from the grid in clean hours for dirty ones, which the replay never does; that gap is stated (5 to 6 %) and no part of the claim.
The programme's value by HiGHS and the bound recomputed from its multipliers must agree.
"""

import time

from _claim import report
from thrifty.levers.steward.supply import asked_question, size_supply, unmet_slowly

WITHIN_S, WITHIN = 60.0, 0.02
rows = {}
cases = {f"{objective} {target:.0%}": {"objective": objective, "target": target} for objective in ("carbon", "cost") for target in (0.95, 0.99, 1.0)}
cases |= {"carbon 99%, 40 % may move": {"target": 0.99, "flexible": 0.4}, "carbon 95%, sun and wind of Miami": {"target": 0.95, "weather": "miami"}}
for name, case in cases.items():
    question = asked_question(power_mw=20.0, **case)
    cpu = time.process_time()
    sized = size_supply(question)
    took = time.process_time() - cpu
    built = sized.built
    unmet_TN, _ = unmet_slowly(question, [built.solar_mw], [built.wind_mw], [built.battery_mwh], [built.extra_mw], depth=built.depth)
    assert unmet_TN.sum() <= question.allowed_mwh + 2e-9 * question.load_mwh, name
    for each in sized.relaxed.values():
        assert abs(each.bound - each.value) <= 1e-6 * each.value, name
    rows[name] = {
        **{key: round(value, 2) for key, value in built.to_dict().items()}, "reached": round(sized.reached, 6), "value": round(sized.value),
        "bound": round(sized.bound), "unit": question.unit, "gap": round(1 - sized.bound / sized.value, 6), "programmes": len(sized.relaxed),
        "cpu_s": round(took, 1), "binds": sized.reached < question.target + 1e-4,
    }  # fmt: skip
    print(name, rows[name], flush=True)
holds = all(row["cpu_s"] < WITHIN_S and (row["gap"] < WITHIN or not row["binds"]) for row in rows.values())
report(__doc__.splitlines()[0], holds, {"cases": rows, "wanted_s": WITHIN_S, "wanted_gap": WITHIN}, "numpy", "scipy", "numba")
