"""Which submodule is running: a stack of module calls, kept by hooks that are removed again whatever happens."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import torch
from torch.nn.modules import module as module_hooks

Place = tuple[str, int]
"""(module path, number of the call): which call of which module. The number tells two calls of one module apart."""

OUTSIDE: Final[Place] = ("", 0)
"""Outside of every module call."""


def _path(name: str) -> str:
    """The path of a module as its author knows it: what `torch.compile` puts around a submodule has no name of its own."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


class ModuleStack:
    """The module calls that are running, outermost first.

    here   : the innermost one; calls: module calls entered since it was last set to 0
    rerun  : whether it was entered from within backward (activation checkpointing does its forward again there)
    leaves : paths of modules without children
    """

    def __init__(self, root: torch.nn.Module) -> None:
        named = [(_path(name), m) for name, m in root.named_modules()]
        self._paths = {id(m): path for path, m in named}
        self.leaves = {path for path, m in named if next(m.children(), None) is None}
        self._compiled = any("_orig_mod" in name for name, _ in root.named_modules())
        self._stack: list[tuple[Place, bool]] = []
        self._count = 0
        self.here = OUTSIDE
        self.rerun = False
        self.calls = 0

    def _enter(self, module: torch.nn.Module, inputs: Any) -> None:
        self._stack.append((self.here, self.rerun))
        self._count += 1
        self.here = (self._paths.get(id(module), self.here[0]), self._count)
        self.rerun = self.rerun or torch._C._current_autograd_node() is not None
        self.calls += 1

    def _leave(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if self._stack:
            self.here, self.rerun = self._stack.pop()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow every module call of the process while open (one pair of global hooks: the modules themselves stay untouched)."""
        enter = module_hooks.register_module_forward_pre_hook(self._enter)
        leave = module_hooks.register_module_forward_hook(self._leave, always_call=True)
        try:
            with warnings.catch_warnings() if self._compiled else nullcontext():
                if self._compiled:
                    warnings.filterwarnings("ignore", message="Using `torch.compile.module.` when there are global hooks")
                yield
        finally:
            enter.remove()
            leave.remove()
            self._stack.clear()
            self.here, self.rerun = OUTSIDE, False
