"""Bills of materials: `assembly` is the tree and its price, `reading` makes it from files, `batched` prices many at once.

Two examples come with thrifty, read by name: "server-2018" and "accelerator-node".
"""

from thrifty.cost.carbon.embodied.bills.assembly import Assembly, PricedAssembly, price_assembly
from thrifty.cost.carbon.embodied.bills.batched import Batch, Columns, price_batch
from thrifty.cost.carbon.embodied.bills.reading import assembly_of, example_names, read_assembly

__all__ = [
    "Assembly", "Batch", "Columns", "PricedAssembly", "assembly_of", "example_names", "price_assembly", "price_batch", "read_assembly",
]  # fmt: skip
