"""What changes something and proves the gain.

Every lever is one object with a name, an `estimate` in milliseconds, and (where it can really do the thing here) a `pull` that returns before
and after. `LEVERS` is the list that `assess` ranks; packages add to it through the entry-point group "thrifty.levers". A lever never
imports another.

What is not here yet: quantize, serve, ondevice, recommend, harden and transpile. `basics` changes what this floor can price: the format, the
batch, the device, the site; `parallelize` spreads a model over devices; `steward` decides when, where and how long to run.
"""

from thrifty.levers.catalogue import LEVERS, all_levers
from thrifty.levers.contract import Change, Estimate, Lever, Refusal

__all__ = ["LEVERS", "Change", "Estimate", "Lever", "Refusal", "all_levers"]
