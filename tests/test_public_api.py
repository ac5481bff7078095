"""What users may touch: light to import, and the same thing on every touch."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import thrifty

HEAVY = ("torch", "numba", "pint", "altair", "transformers", "diffusers", "rich", "typer", "pydantic", "jinja2", "numpy", "psutil", "vl_convert")


def run(code: str) -> str:
    """What `code` prints in a fresh process, in which warnings are errors."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_thrifty_is_light() -> None:
    assert run(f"import sys, thrifty; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


@pytest.mark.parametrize("room", ["workload", "hardware", "cost", "footprint", "formats", "report", "timeline"])
def test_rooms_that_only_model_need_no_heavy_library(room: str) -> None:
    heavy = ("torch", "transformers", "diffusers", "altair", "vl_convert", "rich", "typer", "numba")
    assert run(f"import sys, thrifty; thrifty.{room}; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_help_imports_no_room() -> None:
    code = """
import sys
from thrifty.cli import main
main(["--help"])
print([name for name in sys.modules if name.startswith("thrifty.") and name.count(".") == 1], "numpy" in sys.modules, "rich" in sys.modules)
"""
    assert run(code).splitlines()[-1] == "['thrifty.errors', 'thrifty.version', 'thrifty.printing', 'thrifty.cli'] False False"


def test_every_public_name_is_itself_twice_after_all_modules_are_imported() -> None:
    code = """
import importlib, importlib.util, pkgutil, thrifty
names = [found.name for found in pkgutil.walk_packages(thrifty.__path__, "thrifty.")]
left = ("__main__", *(() if importlib.util.find_spec("triton") else ("triton_calls", "triton_kernels")))  # Triton is for GPUs, and no part of any extra
modules = [importlib.import_module(name) for name in names if not name.endswith(left)]
rooms = [thrifty, *(module for module in modules if hasattr(module, "__path__"))]
touched = 0
for room in rooms:
    for name in getattr(room, "__all__", ()):
        first, second = getattr(room, name), getattr(room, name)
        assert first is second, (room.__name__, name)
        assert name in dir(room), (room.__name__, name)
        module = type(first).__name__ == "module"
        assert module == (room is thrifty and name not in ("assess", "ThriftyError", "__version__")), (room.__name__, name, "is a module")
        touched += 1
print(touched, len(modules))
"""
    touched, modules = map(int, run(code).split())
    assert touched > 20
    assert modules > 20


def test_the_top_level_is_what_all_says() -> None:
    assert dir(thrifty) == sorted(thrifty.__all__)
    public = {name for name, value in vars(thrifty).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)}
    assert public - {"Any", "Final", "TYPE_CHECKING", "annotations"} <= set(thrifty.__all__)


def test_rooms_are_modules_and_assess_is_a_function() -> None:
    for name in set(thrifty.__all__) - {"__version__", "ThriftyError", "assess"}:
        assert isinstance(getattr(thrifty, name), types.ModuleType)
    assert callable(thrifty.assess)


def test_unknown_attributes_are_refused() -> None:
    with pytest.raises(AttributeError, match=r"^module 'thrifty' has no attribute 'workloads'$"):
        thrifty.workloads  # noqa: B018
