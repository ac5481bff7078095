"""The dispatch mode: every operator that torch runs, forward and backward, goes through `Arithmetic`. Imports torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from thrifty.errors import BadValue, unknown_name
from thrifty.formats import float_spec
from thrifty.lenses.numerics.auditing.numbers.arithmetic import Arithmetic, Watch, complex_numbers
from thrifty.lenses.numerics.auditing.numbers.rounding import SPECS
from thrifty.lenses.numerics.auditing.operators.handlers import handler_of
from thrifty.lenses.numerics.auditing.operators.steps import Steps
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.policy.operators import LIST, STEPS

SPEEDS: Final = ("fast", "exact")


class Emulation(TorchDispatchMode):  # type: ignore[misc]
    """A policy over everything that torch computes while it is entered; see `emulate`.

    widest : tensors that code makes or casts in a floating dtype of its own are FP64 all the same, as golden needs
    """

    def __init__(
        self, policy: Policy, working: str, *, fused: Collection[str], speed: str, seed: int, watch: Watch | None = None, widest: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if speed not in SPEEDS:
            raise BadValue(f"speed='{speed}' is unknown. Choose: {', '.join(SPEEDS)}.")
        for name in fused:
            if name not in STEPS:
                raise unknown_name("operator to fuse", name, STEPS, LIST)
        self.arithmetic = Arithmetic(policy, float_spec(working).name, speed=speed, seed=seed, watch=watch)
        self._fused = frozenset(fused) | {f"{name}_backward" for name in fused if f"{name}_backward" in STEPS}
        self._widest = widest
        self._within: list[str] = []
        self._hooks: list[Any] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """torch.compile never sees this mode; asking it at every operator costs as much as a small one."""
        return False

    def __enter__(self) -> Emulation:
        self.arithmetic.values.forget_outside()
        super().__enter__()
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._widest and kwargs.get("dtype") in SPECS:
            kwargs = {**kwargs, "dtype": torch.float64}
        made = handler_of(func)(self, func, args, kwargs)
        if isinstance(made, torch.Tensor) and made.is_complex():
            raise complex_numbers(str(func))
        return made

    @contextmanager
    def region(self, name: str = "region") -> Iterator[None]:
        """Operators inside are one kernel: their results stay as their tensors' dtype holds them, and what is left at the end is rounded then.

        That is what is still alive: what the code goes on with, and what the backward pass needs.
        """
        held = self.arithmetic
        self._within.append(name)
        held.region = held.region or name
        try:
            yield
        finally:
            self._within.pop()
            if not self._within:
                ended, held.region = held.region, ""
                with _disable_current_modes():
                    for memory, site in held.values.pending(ended):
                        memory.copy_(held.round(memory, site, memory.dtype))
                        held.values.mark(memory, held.rounding(site).spec)

    def fuse(self, module: torch.nn.Module, name: str = "") -> None:
        """Every call of `module` becomes a region."""
        open_: list[Any] = []

        def before(*_: Any) -> None:
            open_.append(self.region(name or type(module).__name__))
            open_[-1].__enter__()

        def after(*_: Any) -> None:
            open_.pop().__exit__(None, None, None)

        self._hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after, always_call=True)]

    def close(self) -> None:
        """Modules are as they were."""
        for each in self._hooks:
            each.remove()
        self._hooks.clear()

    def taken(self, tree: Any) -> Any:
        """Arguments as operators read them: tensors from outside rounded."""
        if isinstance(tree, torch.Tensor):
            return self.arithmetic.values.taken(tree) if tree.dtype in SPECS else tree
        if isinstance(tree, dict):
            return {name: self.taken(each) for name, each in tree.items()}
        return type(tree)(self.taken(each) for each in tree) if isinstance(tree, list | tuple) else tree

    def steps(self, name: str, dtype: torch.dtype) -> Steps:
        return Steps(self.arithmetic, name, dtype, fused=name in self._fused or bool(self.arithmetic.region))
