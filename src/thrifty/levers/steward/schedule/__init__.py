"""When and where to run jobs, so that they emit least.

`asking` lays jobs and places on slots of time; `temporal` finds each job's best slots where jobs don't disturb each other; `elastic` also chooses how
many servers; `coupled` holds jobs under a common power cap, with a bound from shadow prices; `forecasting` plans on what is believed and bounds what that
costs; `capping` slows devices under power caps; `studies` repeats published set-ups on grids that ship; `deciding` gives the decision.

After "Let's Wait Awhile" (Wiesner et al., 2021), CarbonScaler (Hanafy et al., 2023), "The Sunk Carbon Fallacy" (2024). It does not know: start-up and
checkpoint costs of pausing, queues that form behind a moved job, or intensity that answers to the moved load.
"""

from thrifty.levers.steward.schedule.asking import Job, parse_job, read_jobs
from thrifty.levers.steward.schedule.asking.places import Place, place_of
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.deciding import Scheduled, decide
from thrifty.levers.steward.schedule.plan import Plan

__all__ = ["Job", "Place", "Plan", "Problem", "Scheduled", "decide", "parse_job", "place_of", "read_jobs"]
