"""What a plan is made on when the truth is not known yet: noise of a stated size, or a forecast with an interval that is as often right as it says."""

from thrifty.levers.steward.schedule.forecasting.believing import believe
from thrifty.levers.steward.schedule.forecasting.conformal import Conformal, conformal_day_ahead
from thrifty.levers.steward.schedule.forecasting.noise import noisy

__all__ = ["Conformal", "believe", "conformal_day_ahead", "noisy"]
