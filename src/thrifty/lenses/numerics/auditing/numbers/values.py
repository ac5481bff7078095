"""Which numbers a tensor holds: those of a format, where its last writer rounded to it, or whatever came from outside. Imports torch.

Memory is known by its storage, so that views, detached tensors and those kept for the backward pass are known as what they view. A tensor from outside
(an input, a weight) is rounded by the rule of site ``in`` where it is first read, once a storage; the tensor itself stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from thrifty.formats import FloatSpec, Rounding, float_spec
from thrifty.lenses.numerics.auditing.numbers.rounding import round_tensor, spec_of

ANY: Final = float_spec("fp4_e2m1")
"""What holds zeros and ones only may be taken for a number of any format; this one is the narrowest."""
PRUNE_AT: Final = 4096
"""Storages after which those that are gone are forgotten."""


@dataclass(slots=True)
class Held:
    """What is known of a storage. spec: its numbers are all of this format; region: the fused region that made them and has not ended, site: where in it."""

    ref: StorageWeakRef
    spec: FloatSpec
    dtype: torch.dtype
    region: str = ""
    site: str = ""


def place_of(x: torch.Tensor) -> int:
    return int(x.untyped_storage()._cdata)


class Values:
    """All storages that were seen. entering: rounding of tensors from outside."""

    def __init__(self, entering: Rounding) -> None:
        self.entering = entering
        self._held: dict[int, Held] = {}
        self._outside: dict[int, tuple[StorageWeakRef, int, torch.Tensor]] = {}

    def forget_outside(self) -> None:
        """Tensors from outside may have changed since."""
        self._outside.clear()

    def held(self, x: torch.Tensor) -> Held | None:
        return self._held.get(place_of(x))

    def spec(self, x: torch.Tensor) -> FloatSpec:
        """Format whose numbers x holds."""
        found = self._held.get(place_of(x))
        if found is not None:
            return found.spec
        spec = spec_of(x.dtype)
        assert spec is not None
        return spec

    def mark_new(self, x: torch.Tensor, spec: FloatSpec) -> None:
        """x is memory of its own, just made, with numbers of `spec`."""
        storage = x.untyped_storage()
        self._held[storage._cdata] = Held(StorageWeakRef(storage), spec, x.dtype)
        if len(self._held) % PRUNE_AT == 0:
            self._held = {key: each for key, each in self._held.items() if not each.ref.expired()}

    def mark(self, x: torch.Tensor, spec: FloatSpec, *, region: str = "", site: str = "") -> None:
        """x was written with numbers of `spec`."""
        place = place_of(x)
        whole = x.numel() * x.element_size() >= x.untyped_storage().nbytes()
        self._outside.pop(place, None)
        found = self._held.get(place)
        if found is None:
            if len(self._held) >= PRUNE_AT and len(self._held) % PRUNE_AT == 0:
                self._held = {key: each for key, each in self._held.items() if not each.ref.expired()}
            carrier = spec_of(x.dtype)
            self._held[place] = Held(StorageWeakRef(x.untyped_storage()), spec if whole or carrier is None else carrier, x.dtype, region, site)
            return
        if whole or found.spec == ANY:
            found.spec = spec
        elif found.spec is not spec and not found.spec.holds(spec):
            found.spec = spec if spec.holds(found.spec) else float_spec("fp64")
        found.region, found.site = region, site

    def taken(self, x: torch.Tensor) -> torch.Tensor:
        """x as operators read it: itself where it was made here, else its rounded copy."""
        place = place_of(x)
        if place in self._held:
            return x
        carrier = spec_of(x.dtype)
        if carrier is None or (self.entering.spec.holds(carrier) and not self.entering.flush):
            return x
        kept = self._outside.get(place)
        version = 0 if x.is_inference() else x._version
        if kept is None or kept[1] != version:
            count = x.untyped_storage().nbytes() // x.element_size()
            if count > max(4 * x.numel(), 4096):  # a small window of a large memory
                out = round_tensor(x.contiguous(), self.entering, x.dtype)
                self.mark(out, self.entering.spec)
                return out
            flat = round_tensor(x.detach().as_strided((count,), (1,), 0), self.entering, x.dtype)
            self.mark(flat, self.entering.spec)
            kept = self._outside[place] = (StorageWeakRef(x.untyped_storage()), version, flat)
        return kept[2].as_strided(x.size(), x.stride(), x.storage_offset())

    def pending(self, region: str) -> list[tuple[torch.Tensor, str]]:
        """What a region made and is still alive, whole memories, with the sites that made them."""
        found = []
        for each in list(self._held.values()):
            if each.region == region:
                storage = torch.UntypedStorage._new_with_weak_ptr(each.ref.cdata)
                if storage is not None:
                    found.append((torch.empty(0, dtype=each.dtype).set_(storage), each.site))
                each.region = ""
        return found


def float_tensors(tree: Any) -> list[torch.Tensor]:
    """Floating tensors among arguments, lists of them included."""
    found: list[torch.Tensor] = []
    for each in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(each, torch.Tensor):
            if each.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
                found.append(each)
        elif isinstance(each, list | tuple):
            found += float_tensors(each)
    return found
