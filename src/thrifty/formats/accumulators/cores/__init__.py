"""Tensor cores of GPUs by name: ``hopper-e4m3``, ``ampere-fp16-acc16``, ``blackwell-nvfp4``. `catalogue` reads what is known of each."""

from thrifty.formats.accumulators.cores.catalogue import TensorCore, core_names, tensor_core, tensor_cores

__all__ = ["TensorCore", "core_names", "tensor_core", "tensor_cores"]
