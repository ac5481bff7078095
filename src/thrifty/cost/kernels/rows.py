"""What a row of kernel parameters holds, by place: one float64 array a device and a format, so that compiled loops index it and nothing else."""

from __future__ import annotations

from typing import Final

COLUMNS: Final = (
    "units", "input_bytes", "output_bytes", "attention_bytes",
    "launch_s", "flop_s", "byte_s", "unit_byte_s", "tile_s", "step_s", "split_s", "overlap", "rounding", "resident_bytes",
    "prefill_launch_s", "prefill_flop_s", "prefill_score_s", "prefill_byte_s", "prefill_tile_s", "prefill_overlap", "prefill_rounding", "prefill_tail",
    "decode_launch_s", "decode_flop_s", "decode_byte_s", "decode_unit_byte_s", "decode_tile_s", "decode_split_s", "decode_resident_bytes",
    "backward", "stream_launch_s", "stream_byte_s",
)  # fmt: skip
"""
units                : compute units (streaming multiprocessors) that share the work; 0: no tile model, the plain roofline alone
input_, output_bytes : of one number that goes into a product, and of one that comes out; attention_bytes: of queries, keys and values
launch_s             : what a product takes however small; flop_s, byte_s: of one FLOP in the whole device and one byte of its memory, as sustained
unit_byte_s          : of one byte from the cache to one unit; tile_s: filling and draining one tile; step_s: of one more number in the inner sum
split_s              : adding up an inner sum that several units share; overlap: share of the shorter that a kernel does not hide behind the longer
rounding             : share of a last, partly empty wave that is lost; resident_bytes: activations that stay in cache from one repeat to the next
prefill_*            : the same of attention over many queries; score_s: of one softmax score in the whole device; tail: part of the longest tile that no
                       other unit can take
decode_*             : the same of attention over a few queries a sequence
backward             : time of attention's backward pass over its forward
stream_*             : kernels that only read and write
"""
PLACE: Final = {name: place for place, name in enumerate(COLUMNS)}
