"""Ways to see an operator table: who takes how much, work per byte, likeness to an LLM's phases, sequences, scores, frames, and maps over sizes.

Data flows in this order: `grouping` groups operators, `intensity` places them on the roofline, `likeness` gives the verdict; `sequences` follows the
lengths that attention meets, `similarity` what its scores would take, `scaling` how both grow; `temporal` holds frames against space, `maps` shows what
dominates over two sizes.
"""
