"""Which of several designs emits less, how sure is that, and what would have to be known? Behind `thrifty carbon compare`.

In the order in which data flow: `subjects` are designs as the catalogue, a bill of materials or a line of words states them; `questions` makes of them
uncertain inputs and one sum of products a design; `answers` asks those everything: the winner by metric, chances, quantiles, Sobol indices, the value
of each datum, and the boundaries over intensity and life; `normalised` asks without place and life (FOCAL); `elimination` asks the whole catalogue.

What designs share is drawn once: the grid, the life, and which public model is right, so that a model's bias on both sides cancels as far as it is one
bias. It does not know quality, prices, hosts and racks around a device, nor that work may not split over more devices.
"""

from thrifty.lenses.carbon.comparing.answers import Comparison, compare_subjects
from thrifty.lenses.carbon.comparing.elimination import Elimination, eliminate
from thrifty.lenses.carbon.comparing.normalised import Normalised, against_first
from thrifty.lenses.carbon.comparing.questions import Question, Terms
from thrifty.lenses.carbon.comparing.subjects import Piece, Subject, read_number, read_subject

__all__ = [
    "Comparison", "Elimination", "Normalised", "Piece", "Question", "Subject", "Terms", "against_first", "compare_subjects", "eliminate", "read_number",
    "read_subject",
]  # fmt: skip
