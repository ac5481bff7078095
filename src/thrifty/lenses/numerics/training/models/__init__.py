"""What is trained: small models on real data that any machine has.

`data` draws batches (digits of scikit-learn; the English text that Python itself carries, or a file); `shapes` says how large a model is and which
parameters it has; `precision` says where a low-precision run rounds, `layers` computes by it, `diffusion` and `language` are the two models.
"""

from thrifty.lenses.numerics.training.models.shapes import MODELS, Shape, Tensors, initial, parameters_of

__all__ = ["MODELS", "Shape", "Tensors", "initial", "parameters_of"]
