"""Many videos: found, analysed side by side, each exactly once, and summed up."""

from posepipe.batch.jobs import Job, find_jobs
from posepipe.batch.plan import Item, Plan, make_plan
from posepipe.batch.run import Options, Outcome, run_batch

__all__ = ["Item", "Job", "Options", "Outcome", "Plan", "find_jobs", "make_plan", "run_batch"]
