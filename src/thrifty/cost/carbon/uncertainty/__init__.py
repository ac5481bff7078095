"""How sure are we? Distributions through a model: quantiles, the chance that one design emits less, what matters, and which datum to buy.

In the order in which data flow:

- `inputs` names what varies: `Variable`, `Choice` among models with `Lookup`s of what each says, `Group`s that go together (a Gaussian copula);
- `points` fills the unit cube (Sobol, Latin hypercube, plain) from a seed; `drawing` sends the points through a model and sums answers up;
- `products` is the usual model, a sum of products, with its mean, variance and gradient in closed form;
- `indices` says which input the variance goes with (Sobol), `information` what knowing it would save (EVPI, EVPPI);
- `silicon` is such a model of a die: what CarbonClarity asks of a node, with chiplets beside.

After CarbonClarity (2025, distributions for embodied carbon), Saltelli et al. 2010, Strong & Oakley 2013. New here: the choice among published models as
a variable like any other, so that their disagreement is part of every interval.

It does not know: dependence other than by normal scores and shared names; that a distribution is right. It says what follows from those it is given.
"""

from thrifty.cost.carbon.uncertainty.drawing import Chance, Draws, Model, Summary, draw
from thrifty.cost.carbon.uncertainty.indices import SobolIndex, sobol_indices
from thrifty.cost.carbon.uncertainty.information import Datum, value_of_datum, value_of_everything, value_of_products
from thrifty.cost.carbon.uncertainty.inputs import Choice, Group, Inputs, Lookup, Values, Variable
from thrifty.cost.carbon.uncertainty.points import METHODS, Method, Net
from thrifty.cost.carbon.uncertainty.products import Products, Term
from thrifty.cost.carbon.uncertainty.silicon import DieCarbon, die_carbon, die_inputs

__all__ = [
    "METHODS", "Chance", "Choice", "Datum", "DieCarbon", "Draws", "Group", "Inputs", "Lookup", "Method", "Model", "Net", "Products", "SobolIndex", "Summary",
    "Term", "Values", "Variable", "die_carbon", "die_inputs", "draw", "sobol_indices", "value_of_datum", "value_of_everything", "value_of_products",
]  # fmt: skip
