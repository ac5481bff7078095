"""Torch modules and what they are fed, from anything that a user can name.

A catalogue entry, a folder with a config.json, a .gguf file or package.module:callable. Data flows in this order: `blueprint` says what is needed to
build a module; `folders` and `gguf_files` read one from disk (`gguf_models` also its weights and tokenizer), `callables` calls a user's own code;
`modules` builds on meta without allocating, or on a device with random weights; `caches` and `inputs` make what a step is fed; `meta` lets whole
models run on meta tensors; `sources` records tables at any point of batch, sequence and image side; `loading` chooses among all these by the name
that a user gave; `runnable` gives a module that really runs.

No network, no pickle, no code out of a model's folder. What it does not know: models that are fed other things than tokens, pixels or features
of a recommender (give those as a callable with inputs), and dropout, which is left out of training steps.
"""

from thrifty.workload.building.blueprint import Blueprint, blueprint_of
from thrifty.workload.building.inputs import loss_for, make_inputs
from thrifty.workload.building.loading import load_any, names_something_to_build, recorded_twin, torch_source
from thrifty.workload.building.modules import build_module, set_mode
from thrifty.workload.building.runnable import Runnable, make_runnable
from thrifty.workload.building.sources import CallableSource, TorchSource

__all__ = [
    "Blueprint", "CallableSource", "Runnable", "TorchSource", "blueprint_of", "build_module", "load_any", "loss_for", "make_inputs", "make_runnable",
    "names_something_to_build", "recorded_twin", "set_mode", "torch_source",
]  # fmt: skip
