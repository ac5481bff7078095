"""What did making it emit? Parts priced by several public models at once, and whole machines as trees of parts.

- `models` states each public model as its authors do, from the pack; `parts` reads what a user says of a part and completes it;
- `ensemble` sets the models side by side, `design` adds designing, `pricing` answers for one part, `joined` for packages of dies, `device` for names;
- `bills` are trees of parts, from files, one by one or many at once. `chiplets` are packages of several dies, `servers` whole rooms of machines.

The interval is the disagreement of models, not a confidence interval. Carbon of servers' making is public for few machines, so that nothing here is held
against a measurement: there is none. It does not know: masks, test, yield of assembly, packaging material, or water.
"""

from thrifty.cost.carbon.embodied.bills import (
    Assembly,
    Batch,
    Columns,
    PricedAssembly,
    assembly_of,
    example_names,
    price_assembly,
    price_batch,
    read_assembly,
)
from thrifty.cost.carbon.embodied.design import design_carbon_g
from thrifty.cost.carbon.embodied.device import Embodied
from thrifty.cost.carbon.embodied.models import MODELS
from thrifty.cost.carbon.embodied.parts import KINDS, Part, Silicon, find_named, parse_part, part_of
from thrifty.cost.carbon.embodied.pricing import Priced, price

__all__ = [
    "KINDS", "MODELS", "Assembly", "Batch", "Columns", "Embodied", "Part", "Priced", "PricedAssembly", "Silicon", "assembly_of", "design_carbon_g",
    "example_names", "find_named", "parse_part", "part_of", "price", "price_assembly", "price_batch", "read_assembly",
]  # fmt: skip
