"""The house rules that can be read off the files: sizes, names, forbidden calls, and what the wheel carries."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "thrifty"
MODULES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in MODULES if path.name == "__init__.py")
ROOMS = [path for path in PACKAGES if path.parent == PACKAGE or path.parent.name in ("lenses", "levers")]
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def declared(module: ast.Module) -> list[str] | None:
    """What `__all__` lists, None where there is none."""
    for node in module.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == "__all__":
            value = node.value  # type: ignore[union-attr]
            return [str(name) for name in ast.literal_eval(value)]
    return None


def defined(module: ast.Module) -> set[str]:
    """Public names that the top level of a package's `__init__` defines itself or takes from thrifty."""
    names = set()
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and ((node.module or "").startswith("thrifty") or node.level):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))], ids=label)
def test_files_stop_at_400_lines(path: Path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= 400, f"{label(path)} has {count} lines; split it by what its parts do"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert (ast.get_docstring(tree(path)) or "").strip()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_no_code_is_loaded_from_data(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not FORBIDDEN & {name.partition(".")[0] for name in names}, f"{label(path)}:{node.lineno} imports {names}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "torch.load", "pickle.load", "pickle.loads"), f"{label(path)}:{node.lineno} calls {called}"
            for keyword in node.keywords:
                if keyword.arg in ("trust_remote_code", "allow_pickle"):
                    safe = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                    assert safe, f"{label(path)}:{node.lineno} passes {keyword.arg}"


@pytest.mark.parametrize("path", ROOMS, ids=label)
def test_every_room_lists_its_public_names(path: Path) -> None:
    module = tree(path / "__init__.py")
    names = declared(module)
    assert names is not None, f"{label(path)} has no __all__"
    assert len(set(names)) == len(names)
    missing = defined(module) - set(names) - {"annotations"}
    assert not missing, f"{label(path)} imports {sorted(missing)} without listing them in __all__"


@pytest.mark.parametrize("path", PACKAGES, ids=label)
def test_no_module_bears_the_name_of_a_public_function(path: Path) -> None:
    children = {child.stem for child in path.glob("*.py")} | {child.name for child in path.iterdir() if (child / "__init__.py").exists()}
    rooms = children if path == PACKAGE else set()  # `thrifty.workload` is a room, and a public name for being one
    shadowed = set(declared(tree(path / "__init__.py")) or ()) & children - rooms
    assert not shadowed, f"{label(path)}: {sorted(shadowed)} would be hidden by a module of the same name"
    assert "assess" not in children or path != PACKAGE


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_a_builtin_error_that_is_raised_is_caught_in_the_same_module(path: Path) -> None:
    module = tree(path)
    raised = {ast.unparse(node.exc.func) for node in ast.walk(module) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)}
    caught = " ".join(ast.unparse(node.type) for node in ast.walk(module) if isinstance(node, ast.ExceptHandler) and node.type)
    names = {"ValueError", "RuntimeError", "Exception", "KeyError", "OSError"}
    escaping = {name for name in raised & names if name not in caught and "Exception" not in caught.split()}
    assert not escaping, f"{label(path)} raises {sorted(escaping)}; what a user can cause is a ThriftyError"


def test_the_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("thrifty/")}
        licence = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    here = {
        path.relative_to(ROOT / "src").as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not any(part.startswith(("__pycache__", ".")) for part in path.relative_to(PACKAGE).parts)
    }
    assert inside == here
    assert "thrifty/py.typed" in inside
    assert licence


def test_the_tested_set_covers_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line and "+" not in line for line in pins), "a constraint is one exact public version"
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
    extras = project["project"]["optional-dependencies"]
    optional = [each for name in extras if name != "all" for each in extras[name]]
    wanted = [*project["project"]["dependencies"], *optional, *project["dependency-groups"]["dev"]]
    for requirement in wanted:
        name, floor = requirement.split(">=")
        assert name.partition("[")[0].lower() in pinned, f"{name} is not pinned in constraints.txt"
        assert floor, f"{name} has no floor"
    assert set(extras["all"][0].removeprefix("thrifty[").removesuffix("]").split(",")) == set(extras) - {"all", "dask", "ray", "tables"}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    page = (ROOT / "docs" / "dependencies.md").read_text()
    extras = project["project"]["optional-dependencies"]
    for requirement in [*project["project"]["dependencies"], *(each for name in extras if name != "all" for each in extras[name])]:
        name = requirement.split(">=")[0]
        assert f"| `{name}` |" in page, f"docs/dependencies.md gives no reason for {name}"
    for requirement in project["dependency-groups"]["dev"]:
        assert f"| `{requirement.split('>=')[0].partition('[')[0]}` |" in page, f"docs/dependencies.md gives no reason for {requirement}"
