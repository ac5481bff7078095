"""The four changes that prices alone can judge: another number format, a larger batch, another device, another site.

`choices` makes the changed cases; each lever prices them with the same model as the case itself and offers the best. What they do not know: whether
the model is still good enough in a narrower format (the numerics lens and the quantize lever will), and whether requests arrive fast enough
to fill a batch (the serve lever will).
"""

from thrifty.levers.basics.choices import LARGER_BATCH, OTHER_DEVICE, OTHER_FORMAT, OTHER_SITE

__all__ = ["LARGER_BATCH", "OTHER_DEVICE", "OTHER_FORMAT", "OTHER_SITE"]
