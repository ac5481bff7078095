"""How it is trained: which runs a study has, where each rounds, and one run as a task of a campaign.

`variants` names the runs; `attending` is the attention of each; `optimiser` is AdamW over one vector; `runs` trains; `gauging` replays gradients in FP64.
"""

from thrifty.lenses.numerics.training.running.variants import Asked, Low, Run, runs_of

__all__ = ["Asked", "Low", "Run", "runs_of"]
