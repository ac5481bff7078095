from thrifty.lenses.numerics.mechanism.bias import Bias, bias_of
from thrifty.lenses.numerics.mechanism.growth import Coherence, coherence
from thrifty.lenses.numerics.mechanism.repeats import Repeats, repeats_of

__all__ = ["Bias", "Coherence", "Repeats", "bias_of", "coherence", "repeats_of"]
