"""Carbon of a job: a training run, fine-tuning or serving of any workload of the catalogue, on one device or on many.

- `machines` is where it runs with the hosts around, `places` whose grid counts and when; `training` and `serving` say how often what runs, through the
  operator table on one device and through plans on many; `jobs` prices it: devices, idle time, hosts, building, and the share of making them
- `predictors` are published models (LLMCarbon, EcoLogits) and published runs; `references` holds them beside ours with the reason for each disagreement

What it does not know: failed and repeated runs, storage, the network beyond hosts, data preparation, development before the final run.
"""

from thrifty.lenses.carbon.workloads.jobs import JobCarbon, Runs
from thrifty.lenses.carbon.workloads.machines import Machine, machine_of
from thrifty.lenses.carbon.workloads.places import Place
from thrifty.lenses.carbon.workloads.references import Reference, references_of
from thrifty.lenses.carbon.workloads.serving import carbon_of_serving
from thrifty.lenses.carbon.workloads.training import carbon_of_training

__all__ = ["JobCarbon", "Machine", "Place", "Reference", "Runs", "carbon_of_serving", "carbon_of_training", "machine_of", "references_of"]
