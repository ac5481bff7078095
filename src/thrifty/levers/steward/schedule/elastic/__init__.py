"""Jobs that may run on more servers in green hours (CarbonScaler), beside fixed policies."""

from thrifty.levers.steward.schedule.elastic.policies import Policies, compare_policies, kept, replanned
from thrifty.levers.steward.schedule.elastic.scaling import Scaled, hull_groups, scale_out

__all__ = ["Policies", "Scaled", "compare_policies", "hull_groups", "kept", "replanned", "scale_out"]
