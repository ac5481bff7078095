"""The question: jobs, where they may run, what the hours there emit, all on one grid of slots."""

from thrifty.levers.steward.schedule.asking.jobs import Job, check_jobs
from thrifty.levers.steward.schedule.asking.reading import parse_job, read_jobs

__all__ = ["Job", "check_jobs", "parse_job", "read_jobs"]
