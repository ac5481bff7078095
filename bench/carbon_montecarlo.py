"""10⁶ samples of 20 uncertain parts in under 2 s on one core, and a thousand times as fast as looping over objects with units.

Twenty dies, each of an uncertain area, under one uncertain fab: (a) area × carbon per area, 21 variables; (b) each die with its own energy, gas,
materials and yield besides, 81 variables (shown, not held to the 2 s). Oracle: mean and standard deviation in closed form. Peers: the same sum as a
package with units does it, one Pint quantity after the other, sample by sample (few samples, counted a second); and for (b) a model of a die in Pint
quantities written from ACT's equation alone, which gives ACT's worked die. On the same numbers all agree. Most of the ratio is the price of units.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pint

from _claim import in_turns, report, spread
from thrifty.cost.carbon.embodied import parse_part, price
from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.uncertainty import Inputs, Products, Variable, draw

SAMPLES, PARTS, MOST_S, LEAST_RATIO = 10**6, 20, 2.0, 1000
UNITS = pint.UnitRegistry()
UNITS.define("gCO2e = [carbon]")


def variable(name, unit, kind, *parameters):
    return Variable(name=name, unit=unit, distribution=Distribution(kind, parameters))


def simple():
    inputs = Inputs(variables=(
        variable("cpa", "gCO2e/cm**2", "lognormal", 1500.0, 0.2),
        *(variable(f"area{k:02}", "cm**2", "triangular", 1.0, 1.5, 2.0 + k / 20) for k in range(PARTS)),
    ))  # fmt: skip
    return Products.of(inputs, [(f"die{k:02}", {f"area{k:02}": 1, "cpa": 1}) for k in range(PARTS)])


def whole():
    variables, terms = [variable("fab", "gCO2e/kWh", "lognormal", 583.0, 0.2)], []
    for k in range(PARTS):
        variables += [
            variable(f"area{k:02}", "mm**2", "triangular", 90.0, 100.0, 110.0 + k), variable(f"energy{k:02}", "kWh/cm**2", "triangular", 1.7, 2.15, 2.6),
            variable(f"gas{k:02}", "gCO2e/cm**2", "uniform", 200.0, 350.0), variable(f"good{k:02}", "dimensionless", "triangular", 0.7, 0.875, 0.95),
        ]  # fmt: skip
        own = {f"area{k:02}": 1, f"good{k:02}": -1}
        terms += [(f"die{k:02}", {**own, "fab": 1, f"energy{k:02}": 1}), (f"die{k:02}", {**own, f"gas{k:02}": 1})]
    return Products.of(Inputs(variables=tuple(variables)), terms)


def by_objects(model, columns, count):
    """Quantities with units, sample by sample, in the unit of the answer."""
    units = {name: UNITS.parse_units(model.inputs.unit(name)) for name in columns}
    total = []
    for row in range(count):
        carbon = 0.0 * UNITS.gCO2e
        for term in model.terms:
            product = UNITS.Quantity(1.0, "dimensionless")
            for name, power in term.powers.items():
                product = product * UNITS.Quantity(float(columns[name][row]), units[name]) ** power
            carbon = carbon + product
        total.append(carbon.to("gCO2e").magnitude)
    return np.array(total)


def die(area_mm2, fab, energy, gas, material, good):
    """ACT's die, A (CI · EPA + GPA + MPA) / Y, as one would write it with units."""
    quantity = UNITS.Quantity
    per_area = (quantity(fab, "gCO2e/kWh") * quantity(energy, "kWh/cm**2") + quantity(gas, "gCO2e/cm**2") + quantity(material, "gCO2e/cm**2")) / good
    return (quantity(area_mm2, "mm**2") * per_area).to("gCO2e")


def by_dies(columns, count):
    total = []
    for row in range(count):
        at = {name: float(values[row]) for name, values in columns.items()}
        dies = [die(at[f"area{k:02}"], at["fab"], at[f"energy{k:02}"], at[f"gas{k:02}"], 0.0, at[f"good{k:02}"]) for k in range(PARTS)]
        total.append(sum(dies[1:], dies[0]).magnitude)
    return np.array(total)


worked = (die(826.0, 583.0, 2.15, 275.0, 500.0, 0.875) + UNITS.Quantity(150.0, "gCO2e")).magnitude / 1e3  # A100's die: 7 nm, Taiwan, 97 % abated, one package
assert abs(worked / price(parse_part("logic:area_mm2=826,node_nm=7,yield=0.875,fab=taiwan,packages=1"), "act").kgco2e.mid - 1) < 1e-12

found, holds = {}, True
for name, model, peer_count in (("20 parts, 21 variables", simple(), 200), ("20 dies, 81 variables", whole(), 40)):
    drawn = draw(model, model.inputs, SAMPLES)
    summary = drawn.summary("value")
    assert abs(summary.mean / model.mean() - 1) < 1e-4, (summary.mean, model.mean())
    assert abs(summary.sd / model.variance() ** 0.5 - 1) < 2e-3, (summary.sd, model.variance() ** 0.5)
    columns = draw(model, model.inputs, 1024, keep=list(model.inputs.by_name)).kept
    np.testing.assert_allclose(by_objects(model, columns, 40), model({key: values[:40] for key, values in columns.items()}), rtol=1e-12)
    dies = {} if len(columns) == PARTS + 1 else {"dies": lambda c=columns, n=peer_count: by_dies(c, n)}
    if dies:
        np.testing.assert_allclose(by_dies(columns, 40), model({key: values[:40] for key, values in columns.items()}), rtol=1e-12)
    took = in_turns({
        **dies, "sobol": lambda m=model: draw(m, m.inputs, SAMPLES).summary("value"),
        "latin": lambda m=model: draw(m, m.inputs, SAMPLES, method="latin").summary("value"),
        "plain": lambda m=model: draw(m, m.inputs, SAMPLES, method="plain").summary("value"),
        "objects": lambda m=model, c=columns, n=peer_count: by_objects(m, c, n),
    }, repeats=5)  # fmt: skip
    seconds = {key: spread(samples) for key, samples in took.items()}
    ratio = [o / peer_count / (s / drawn.samples) for o, s in zip(took["objects"], took["sobol"], strict=True)]
    against = {"times ACT's objects": spread([
        o / peer_count / (s / drawn.samples) for o, s in zip(took["dies"], took["sobol"], strict=True)])} if dies else {}  # fmt: skip
    found[name] = {**against, "seconds of 1e6": {key: seconds[key] for key in ("sobol", "latin", "plain")}, "times objects": spread(ratio),
                   "relative error of the mean": abs(summary.mean / model.mean() - 1)}  # fmt: skip
    holds &= spread(ratio)["median"] >= LEAST_RATIO and (len(columns) > PARTS + 1 or seconds["sobol"]["median"] < MOST_S)
report("10^6 samples x 20 parts < 2 s on one core, >= 1000 x looping over objects with units", bool(holds), found, "numpy", "pint")
