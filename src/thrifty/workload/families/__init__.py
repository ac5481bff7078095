"""Families build operator tables from shapes alone, without torch: decoder language models, encoders, vision transformers, convolution nets, recommenders.

A family writes its forward pass once, in the operators of `ops`; the `tape` derives the backward pass, the optimizer step and every lifetime from
it. Matrix, attention, norm and embedding rows equal those captured from the torch twin, one by one; what else differs is listed at the
family. Data flows in this order: `tape`, `ops`, then `decoder` (`decoder_shape`, `attention_layers`, `feed_forward`), `encoder`, `vit`, `resnet`, `dlrm`
(whose twin is `dlrm_torch`).

What it does not know: dropout (left out), sampling of the next token, and what a kernel allocates within one call.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Final, Protocol

from thrifty.errors import BadFile, BadValue, ThriftyError, unknown_name
from thrifty.workload.entry import Entry
from thrifty.workload.families.decoder import Decoder
from thrifty.workload.families.decoder_shape import DecoderShape
from thrifty.workload.families.dlrm import Dlrm, DlrmShape
from thrifty.workload.families.encoder import Encoder, EncoderShape
from thrifty.workload.families.resnet import Resnet, ResnetShape
from thrifty.workload.families.tape import Parameter
from thrifty.workload.families.vit import Vit, VitShape
from thrifty.workload.model import Source

__all__ = ["FAMILIES", "Decoder", "Dlrm", "Encoder", "Family", "Resnet", "Vit", "family_of", "parameter_count"]


class Family(Source, Protocol):
    """A source of tables that knows its parameters."""

    def parameters(self) -> Iterator[Parameter]: ...


FAMILIES: Final[dict[str, tuple[Any, Any]]] = {
    "decoder": (Decoder, DecoderShape),
    "encoder": (Encoder, EncoderShape),
    "vit": (Vit, VitShape),
    "resnet": (Resnet, ResnetShape),
    "dlrm": (Dlrm, DlrmShape),
}
"""What a sheet may name as its family: the family and its shape."""


def family_of(entry: Entry, *, recompute: bool = False) -> Family:
    """The family of a catalogue entry, at its shape. `recompute`: a decoder's training step keeps only each layer's input.

    Raises BadFile for an unknown family, a shape that lacks or misspells a size, or a value that does not fit.
    """
    if entry.family not in FAMILIES:
        raise BadFile(f"{entry.name}: {unknown_name('family', entry.family, FAMILIES, 'thrifty workload list')}")
    family, shape = FAMILIES[entry.family]
    made = _shape(entry, shape)
    if entry.family == "decoder":
        return Decoder(shape=made, recompute=recompute)
    if recompute:
        raise BadValue(f"'{entry.name}' is no language model, and only those are known with recompute. Leave recompute out.")
    result: Family = family(shape=made)
    return result


@functools.cache
def _fields(shape: Any) -> dict[str, tuple[str, bool]]:
    """Kind of value and whether it must be given, for every argument of a shape."""
    return {f.name: (str(f.type), f.default is dataclasses.MISSING) for f in dataclasses.fields(shape) if f.init}


def _shape(entry: Entry, shape: Any) -> Any:
    fields = _fields(shape)
    for key, value in entry.shape.items():
        if key not in fields:
            raise BadFile(f"{entry.name}: unknown key 'shape.{key}'. Allowed here: {', '.join(fields)}.")
        kind = fields[key][0]
        items = value if kind.startswith("tuple") and isinstance(value, (list, tuple)) else [value]
        for item in items:
            fits = isinstance(item, {"str": str, "bool": bool}.get(kind, int)) and (kind == "bool" or not isinstance(item, bool))
            if not fits or (isinstance(item, int) and not isinstance(item, bool) and item < 0) or (kind.startswith("tuple") and items == [value]):
                wanted = {"str": "a text", "bool": "true or false", "int": "a whole number"}.get(kind, "a list of whole numbers")
                raise BadFile(f"{entry.name}: shape.{key} is {value!r}. Write {wanted}.")
    missing = [name for name, (_, needed) in fields.items() if needed and name not in entry.shape]
    if missing:
        raise BadFile(f"{entry.name}: shape lacks {', '.join(missing)}. Write a number for each under [shape].")
    try:
        return shape(**entry.shape)
    except ThriftyError as error:
        raise BadFile(f"{entry.name}: shape: {error}") from None


def parameter_count(family: Family) -> int:
    """Numbers in all parameters, tied ones once."""
    total = 0
    for _, shape in family.parameters():
        count = 1
        for size in shape:
            count *= size
        total += count
    return total
