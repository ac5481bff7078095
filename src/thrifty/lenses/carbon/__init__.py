"""Who emits what, and when? A ledger of carbon by asset, phase, scope, hour and tenant; its division among tenants; and reports that need it.

After "Carbon Connect: An Ecosystem for Sustainable Computing" (Lee et al., 2024), a programme of what is missing: this room and `levers.steward` are
that programme as working software. The models that price carbon stand below, in `cost.carbon`. Data flows in this order:

- `ledger` keeps what was emitted, conserved by every move, and never counts twice; `ledger.fleets` books a described fleet into it hour by hour;
- `attribution` divides it: by amounts, by Shapley's value of the peak, by periods in closed form, among neighbours who slow each other down;
- `workloads` prices a training run, a fine-tuning or requests served, with published predictors beside, as references;
- `comparing` finds who wins under which metric, how surely, and which datum would be worth buying;
- `reports` writes what standards ask for (SCI, GHG scopes, EU data centres) and lists what is missing; none makes a claim;
- `finding` and `lens` are what `assess` sees; `commands` and `pages` print and show.

What it does not know: energy of networks between sites, carbon of people and offices, and any legal duty.
"""

from thrifty.lenses.carbon.attribution import Attribution, Demand, attribute_carbon, read_demand
from thrifty.lenses.carbon.comparing import Comparison, compare_subjects, read_subject
from thrifty.lenses.carbon.finding import CarbonFinding
from thrifty.lenses.carbon.ledger import BillingLedger, DecisionLedger, Ledger, read_ledger, write_ledger
from thrifty.lenses.carbon.ledger.fleets import Fleet, book, read_fleet
from thrifty.lenses.carbon.lens import CarbonLens
from thrifty.lenses.carbon.reports import Report, report_on
from thrifty.lenses.carbon.workloads import JobCarbon, carbon_of_serving, carbon_of_training

__all__ = [
    "Attribution", "BillingLedger", "CarbonFinding", "CarbonLens", "Comparison", "DecisionLedger", "Demand", "Fleet", "JobCarbon", "Ledger", "Report",
    "attribute_carbon", "book", "carbon_of_serving", "carbon_of_training", "compare_subjects", "read_demand", "read_fleet", "read_ledger", "read_subject",
    "report_on", "write_ledger",
]  # fmt: skip
