"""A die's share of the wafer and its yield, and packages of several dies: beside one another (2.5D) or on top of one another (3D).

After "3D-Carbon" (Zhao et al., DAC 2024), with its tables as data:

- `yields` counts dies on a round wafer and the good ones among them (negative binomial); `dies` prices one die by node and metal layers;
- `packages` prices what joins them: substrates, redistribution layers, interposers, bridges, bonds, vias, and what fails on the way;
- `words` reads and writes a package as text, so that a bill of materials can hold one.

It does not know: masks and design, test, known bad dies that are sold as smaller ones, or the area that vias and drivers take from a die.
"""

from thrifty.cost.carbon.embodied.chiplets.dies import Die, threed_die_g
from thrifty.cost.carbon.embodied.chiplets.packages import INTEGRATIONS, Package, PackageCarbon, price_package, stacking_factors
from thrifty.cost.carbon.embodied.chiplets.words import package_of, parse_package, split_outside
from thrifty.cost.carbon.embodied.chiplets.yields import die_yield, dies_per_wafer, mean_inverse_yield, wafer_area_mm2

__all__ = [
    "INTEGRATIONS", "Die", "Package", "PackageCarbon", "die_yield", "dies_per_wafer", "mean_inverse_yield", "package_of", "parse_package", "price_package",
    "split_outside", "stacking_factors", "threed_die_g", "wafer_area_mm2",
]  # fmt: skip
