"""What a torch module really does: every operator call, recorded without changing the module.

A dispatch mode stands below autograd and sees each ATen call on meta, fake, CPU or CUDA tensors, in forward, backward and optimizer step.
Data flows in this order: `modules` knows which submodule is running; `attention` turns a call of fused attention into one record forward and
one backward, whatever kernel runs it; `rules` says what each ATen operator costs (`rules_matrix`, `rules_shape`, `rules_elementwise`);
`recorder` puts rows and storages, with their true lifetimes, into a table, `provenance` follows the named axes of inputs and says over what an
attention attends, and `taping` opens and closes it; `clocks` time a recorded run, on the host or in a CUDA stream; `composites` joins the kernels
of a norm that a module spells out (RMSNorm) into one row; `eager_attention` marks attention that it spells out; `capturing` runs a step of a
module and gives back a Workload.

What it does not know: kernels inside a custom C++ operator without a rule (listed as unknown, never counted as zero); scratch memory that a
kernel takes and gives back within one call, as convolutions do; flex_attention and other higher-order operators (refused, with torch's words), nested
and sparse tensors (refused); and that torch, while it is watched, puts the gradient of an index into a copy of zeros rather than in place.
"""

from thrifty.workload.tracing.capturing import capture, record_step, settle, training_step
from thrifty.workload.tracing.clocks import clock_of
from thrifty.workload.tracing.provenance import guess_axes, name_axes
from thrifty.workload.tracing.taping import Recording, Tape, caches, record, recording

__all__ = [
    "Recording", "Tape", "caches", "capture", "clock_of", "guess_axes", "name_axes", "record", "record_step", "recording", "settle", "training_step",
]  # fmt: skip
