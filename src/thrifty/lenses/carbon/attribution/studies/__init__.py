"""How far is each method from the fair share? Random schedules (`schedules`) and random neighbours (`neighbours`), freshly drawn, beside what was published."""

from thrifty.lenses.carbon.attribution.studies.neighbours import Neighbours, study_neighbours
from thrifty.lenses.carbon.attribution.studies.schedules import Schedules, Study, deviations, study_schedules

__all__ = ["Neighbours", "Schedules", "Study", "deviations", "study_neighbours", "study_schedules"]
