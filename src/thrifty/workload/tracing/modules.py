"""Which submodule is running: a stack of module paths, kept by hooks that are removed again whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules import module as module_hooks


class ModuleStack:
    """The paths of the modules that are running, outermost first.

    top    : path of the innermost one ("" for the root); calls: module calls entered since it was last set to 0
    leaves : paths of modules without children
    """

    def __init__(self, root: torch.nn.Module) -> None:
        self._paths = {id(m): path for path, m in root.named_modules(remove_duplicate=True)}
        self.leaves = {path for path, m in root.named_modules() if next(m.children(), None) is None}
        self._stack: list[str] = []
        self.top = ""
        self.calls = 0

    def _enter(self, module: torch.nn.Module, inputs: Any) -> None:
        self._stack.append(self.top)
        self.top = self._paths.get(id(module), self.top)
        self.calls += 1

    def _leave(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if self._stack:
            self.top = self._stack.pop()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow every module call of the process while open (one pair of global hooks: the modules themselves stay untouched)."""
        enter = module_hooks.register_module_forward_pre_hook(self._enter)
        leave = module_hooks.register_module_forward_hook(self._leave, always_call=True)
        try:
            yield
        finally:
            enter.remove()
            leave.remove()
            self._stack.clear()
            self.top = ""
