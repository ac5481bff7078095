"""Numbers about carbon, each with its ground: value, spread, unit, region, validity, source, licence and hash.

- `distribution` says how a number may vary; `factor` is one number with all that is known of it; `pack` reads the sheets of `../pack`, the versioned
  data that ships with thrifty, and vouches for them by hash; `adapters` reads the catalogues of other packages where the user has them.

No number stands in code. Sheets are TOML like those of `cost/catalogue`, with a few keys more: see `pack`.
"""

from thrifty.cost.carbon.factors.distribution import Distribution
from thrifty.cost.carbon.factors.factor import Factor
from thrifty.cost.carbon.factors.pack import Pack, load_pack

__all__ = ["Distribution", "Factor", "Pack", "load_pack"]
