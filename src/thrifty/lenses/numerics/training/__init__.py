"""Does a deviation of attention matter in training? Paired runs of a small real model, after section V of "Is Flash Attention Stable?".

One model, one order of data and noise; one thing changes at a time. Baseline attention against optimised attention; against baseline attention from another
initialisation and against low precision, which the field accepts; against itself with one weight one ulp larger, which says how much any difference grows
(the chaos floor); and against itself, which must be the same bit for bit. Weights are compared tensor by tensor at snapshots, with and without
gauge directions, into which AdamW walks by rounding noise alone. The verdict compares rates of growth, with bootstrap intervals, and knows no margin.

It bounds how similar two divergences are. It is no proof that training is stable, it says nothing of larger models, and its bits are those of one machine.

Data flows through `models` (data, shapes, layers), `running` (which runs, how each is trained, gauge directions), `judging` (distances, slopes, verdict),
`study` (all of it, as a campaign that resumes) and `finding`. Beside it, `repeating` demonstrates on the model of `paired_keys` how repeated maxima
make errors of BF16 attention add up step after step, and that a policy's option mends it.
"""

from thrifty.lenses.numerics.training.finding import Course, Study
from thrifty.lenses.numerics.training.judging.verdict import SCOPE
from thrifty.lenses.numerics.training.repeating import RepeatedMaxima, Watched, repeated_maxima
from thrifty.lenses.numerics.training.study import train_study

__all__ = ["SCOPE", "Course", "RepeatedMaxima", "Study", "Watched", "repeated_maxima", "train_study"]
