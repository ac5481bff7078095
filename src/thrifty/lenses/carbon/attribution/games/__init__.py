"""Fair shares by Shapley's value: of tenants in the game of who makes a peak (`capacity` exactly, `sampling` for many), of periods (`periods`).

capacity game  v(S) = max over time of the demand of the tenants in S: hardware is bought for the peak
airport game   v(S) = the highest peak of the periods in S, with a closed form
"""

from thrifty.lenses.carbon.attribution.games.capacity import MOST_EXACT, coalition_peaks, exact_shapley
from thrifty.lenses.carbon.attribution.games.periods import airport_shares, period_shares
from thrifty.lenses.carbon.attribution.games.sampling import Sampled, sampled_shapley

__all__ = ["MOST_EXACT", "Sampled", "airport_shares", "coalition_peaks", "exact_shapley", "period_shares", "sampled_shapley"]
