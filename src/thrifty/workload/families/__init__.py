"""Families build operator tables from shapes alone, without torch: models of text, images and videos, and recommenders.

A family writes its forward pass once, in the operators of `primitives`, whose tape derives the backward pass, the optimizer step and every lifetime from it.
Matrix, attention, norm and embedding rows equal those captured from the torch twin, one by one; what else differs is listed at the family. Twins
of our own, where no installed class is one, stand beside (`*_torch`). In order: `primitives`, then `language`, `vision` and `recommenders`, and the parts of
generators: `unets`, `denoising_transformers`, `token_transformers` and `decoders`.

What it does not know: dropout (left out), sampling of the next token, and what a kernel allocates within one call.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import typing
from collections.abc import Iterator
from typing import Any, Final, Protocol

from thrifty.errors import BadFile, BadValue, ThriftyError, unknown_name
from thrifty.workload.entry import Entry
from thrifty.workload.families.language.decoder import Decoder
from thrifty.workload.families.language.encoder import Encoder
from thrifty.workload.families.primitives.tape import Parameter
from thrifty.workload.families.recommenders.dlrm import Dlrm
from thrifty.workload.families.vision.resnet import Resnet
from thrifty.workload.families.vision.vit import Vit
from thrifty.workload.model import Source

__all__ = ["FAMILIES", "Decoder", "Dlrm", "Encoder", "Family", "Resnet", "Vit", "family_of", "parameter_count"]


class Family(Source, Protocol):
    """A source of tables that knows its parameters."""

    def parameters(self) -> Iterator[Parameter]: ...


FAMILIES: Final[dict[str, str]] = {
    "decoder": "language.decoder.Decoder",
    "encoder": "language.encoder.Encoder",
    "vit": "vision.vit.Vit",
    "resnet": "vision.resnet.Resnet",
    "dlrm": "recommenders.dlrm.Dlrm",
    "stacked-recommender": "recommenders.stacked.StackedRecommender",
    "clip-text": "language.text_encoders.ClipText",
    "t5-encoder": "language.text_encoders.T5Encoder",
    "unet": "unets.unet.Unet",
    "image-decoder": "decoders.image_decoder.ImageDecoder",
    "unet3d": "unets.unet3d.Unet3d",
    "imagen-unet": "unets.imagen.ImagenUnet",
    "make-a-video": "unets.make_a_video.MakeAVideoUnet",
    "prior": "denoising_transformers.prior.Prior",
    "dit": "denoising_transformers.dit.Dit",
    "pixart": "denoising_transformers.pixart.Pixart",
    "sd3": "denoising_transformers.sd3.Sd3",
    "flux": "denoising_transformers.flux.Flux",
    "cogvideox": "denoising_transformers.cogvideox.Cogvideox",
    "wan": "denoising_transformers.wan.Wan",
    "cogvideox-decoder": "decoders.video_decoders.CogvideoxDecoder",
    "wan-decoder": "decoders.video_decoders.WanDecoder",
    "muse": "token_transformers.muse.Muse",
    "parti": "token_transformers.parti.Parti",
    "phenaki": "token_transformers.phenaki.Phenaki",
    "vit-vqgan-decoder": "decoders.vit_vqgan.VitVqganDecoder",
    "cvivit-decoder": "decoders.cvivit.CvivitDecoder",
}
"""What a sheet may name as its family, and the class in this package that draws it; its shape is the class of its field `shape`."""


def family_of(entry: Entry, *, recompute: bool = False) -> Family:
    """The family of a catalogue entry, at its shape. `recompute`: a decoder's training step keeps only each layer's input.

    Raises BadFile for an unknown family, a shape that lacks or misspells a size, or a value that does not fit.
    """
    if entry.family not in FAMILIES:
        raise BadFile(f"{entry.name}: {unknown_name('family', entry.family, FAMILIES, 'thrifty workload list')}")
    family, shape = _classes(entry.family)
    made = _shape(entry, shape)
    if entry.family == "decoder":
        return Decoder(shape=made, recompute=recompute)
    if recompute:
        raise BadValue(f"'{entry.name}' is no language model, and only those are known with recompute. Leave recompute out.")
    result: Family = family(shape=made)
    return result


@functools.cache
def _classes(name: str) -> tuple[Any, Any]:
    """A family and its shape, imported when first asked for."""
    module, _, family = FAMILIES[name].rpartition(".")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), family)
    return found, typing.get_type_hints(found)["shape"]


@functools.cache
def _fields(shape: Any) -> dict[str, tuple[str, bool]]:
    """Kind of value and whether it must be given, for every argument of a shape."""
    return {f.name: (str(f.type), f.default is dataclasses.MISSING) for f in dataclasses.fields(shape) if f.init}


_WANTED: Final = (
    {"str": "a text", "bool": "true or false", "int": "a whole number"},
    {"str": "a list of texts", "bool": "a list of true and false", "int": "a list of whole numbers"},
)
"""What a value of a shape should be: alone, and in a list."""


def _shape(entry: Entry, shape: Any) -> Any:
    fields = _fields(shape)
    for key, value in entry.shape.items():
        if key not in fields:
            raise BadFile(f"{entry.name}: unknown key 'shape.{key}'. Allowed here: {', '.join(fields)}.")
        kind = fields[key][0]
        is_list, one = kind.startswith("tuple"), kind.removeprefix("tuple[").partition(",")[0]
        items = value if is_list and isinstance(value, (list, tuple)) else [value]
        for item in items:
            fits = isinstance(item, {"str": str, "bool": bool}.get(one, int)) and (one == "bool" or not isinstance(item, bool))
            if not fits or (isinstance(item, int) and not isinstance(item, bool) and item < 0) or (is_list and items == [value]):
                raise BadFile(f"{entry.name}: shape.{key} is {value!r}. Write {_WANTED[is_list].get(one, _WANTED[is_list]['int'])}.")
    missing = [name for name, (_, needed) in fields.items() if needed and name not in entry.shape]
    if missing:
        raise BadFile(f"{entry.name}: shape lacks {', '.join(missing)}. Write a number for each under [shape].")
    try:
        return shape(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.shape.items()})
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
