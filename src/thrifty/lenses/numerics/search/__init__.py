"""Which site causes the error, and which formats are the cheapest that keep it within a budget.

`trials` is a problem on which many policies are run; `attributing` runs them with one site, all but one, and all coalitions of families; `pricing` prices
a policy on a device of the shared catalogue; `budgeting` finds the cheapest that meets a budget.
"""

from thrifty.lenses.numerics.search.attributing import Attribution, attribute, sampled_shapley, shapley
from thrifty.lenses.numerics.search.budgeting import FORMATS, GROUPS, Budgeted, cheapest
from thrifty.lenses.numerics.search.pricing import Price, Pricer

__all__ = ["FORMATS", "GROUPS", "Attribution", "Budgeted", "Price", "Pricer", "attribute", "cheapest", "sampled_shapley", "shapley"]
