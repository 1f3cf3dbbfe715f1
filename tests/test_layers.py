"""The architecture, read from the source: imports point down, and libraries that touch the world have one owner each."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import reesim
import reesim.empirics

PACKAGE = Path(reesim.__file__).parent
EMPIRICS = Path(reesim.empirics.__file__).parent


def modules(folder: Path, prefix: str = "") -> dict[str, Path]:
    """Files of a package by the names of their modules, without the leading ``reesim.``."""
    files = {".".join(file.relative_to(folder).with_suffix("").parts): file for file in folder.rglob("*.py")}
    return {(prefix + name).removesuffix(".__init__"): file for name, file in files.items()}


# In a checkout the empirics stand beside the package and a link leads to them, which a search from above does not follow.
MODULES = modules(PACKAGE) | modules(EMPIRICS, "empirics.")

EXERCISES = ("iotable", "panels", "patents", "regress", "structural", "delta")

OWNERS = {
    "h5py": ("results.store",), "networkx": ("network",),
    "matplotlib": ("plotting", *(f"empirics.{room}.figures" for room in EXERCISES)),
    "ruamel": ("scenario.yaml_source",), "typer": ("cli", "empirics.cli"), "rich": ("cli", "empirics.cli"),
    "pydantic": ("scenario",), "xarray": ("results.path",), "rdata": ("data.wiod",), "openpyxl": ("data.wiod",),
    "pyfixest": ("empirics",),
}  # fmt: skip
"""Which module, or package with all in it, may import a library."""

HEAVY = (
    "pandas",
    "scipy",
    "matplotlib",
    "networkx",
    "h5py",
    "pydantic",
    "ruamel",
    "typer",
    "rich",
    "xarray",
    "pyfixest",
    "numpy",
    "reesim.empirics",
)


def for_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(body: list[ast.stmt], deep: bool) -> Iterator[ast.stmt]:
    """Statements that run, in functions too if deep."""
    for node in body:
        if for_types_only(node):
            continue
        yield node
        for field in ("body", "orelse", "handlers", "finalbody"):
            inner = getattr(node, field, None)
            if isinstance(inner, list) and (deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
                yield from statements(inner, deep)


@functools.cache
def imports(module: str, deep: bool) -> tuple[str, ...]:
    return tuple(_imports(module, deep))


def _imports(module: str, deep: bool) -> Iterator[str]:
    for node in statements(ast.parse(MODULES[module].read_text(encoding="utf-8")).body, deep):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole.removeprefix("reesim.") in MODULES else node.module


def own(module: str, deep: bool) -> set[str]:
    """Modules of the package that a module imports."""
    names = {name.removeprefix("reesim.") for name in imports(module, deep) if name.startswith("reesim.")}
    return {name for name in names if name in MODULES or name.startswith("_core.")} - {module}


PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "setuptools"
]


def test_every_folder_of_modules_is_installed():
    """Packages are listed by name, and one that is forgotten is missing only where nobody looks: once installed."""
    folders = {name.rpartition(".")[0] for name in MODULES if "." in name} | {"empirics"}
    assert {f"reesim.{folder}" for folder in folders} <= set(PROJECT["packages"])


def test_every_table_of_the_empirics_is_installed():
    shipped = {file for pattern in PROJECT["package-data"]["reesim.empirics"] for file in EMPIRICS.glob(pattern)}
    there = {file for file in (EMPIRICS / "data").rglob("*") if file.is_file()}
    assert there <= shipped


def test_the_package_was_found():
    assert {"errors", "simulation", "_core.reference", "results.store"} <= set(MODULES)
    assert {"empirics", "empirics.cli", "empirics.iotable"} <= set(MODULES)


@pytest.mark.parametrize("library", OWNERS)
def test_libraries_that_touch_the_world_have_one_owner(library):
    for module in MODULES:
        if library in {name.split(".")[0] for name in imports(module, deep=True)}:
            assert any(within(module, owner) for owner in OWNERS[library]), f"{module} imports {library}"


def test_the_core_knows_nothing_above_it():
    for module in MODULES:
        if module.startswith("_core."):
            assert all(name.startswith("_core") for name in own(module, deep=True)), module
    for file in (PACKAGE / "_core").glob("*.p[yx][xd]"):
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        touched = [line for line in lines if line.startswith(("from reesim", "import reesim", "cimport reesim"))]
        assert all(line.startswith("from reesim._core") for line in touched), file.name


LAYERS = (
    ("errors", "labels", "lazy", "variables"),
    ("_core",),
    ("data", "scenario.calendar", "observed_sources"),
    ("results",),
    ("scenario",),
    ("shares",),
    ("calibration",),
    ("network", "outcomes", "accounts", "decomposition", "rules", "stepsize"),
    ("economy",),
    ("stability", "lowering"),
    ("equilibrium",),
    ("simulation",),
    ("sensitivity", "observed", "moments", "report"),
    ("plotting",),
    ("empirics",),
    ("cli", "__main__"),
    ("empirics.cli", "empirics.__main__"),
)
"""From the bottom up; a module imports from its own layer and those below. The empirics have a rule of their own, too."""


def within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def layer(module: str) -> int:
    """Position of the closest layer: ``scenario.calendar`` before ``scenario``."""
    found = [(len(place), height) for height, places in enumerate(LAYERS) for place in places if within(module, place)]
    assert found, f"{module} has no place in LAYERS"
    return max(found)[1]


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__init__"}))
def test_imports_point_down(module):
    for name in own(module, deep=True) - {""}:
        assert layer(name) <= layer(module), f"{module} imports {name}, which stands above it"


def test_the_engine_knows_nothing_of_the_empirics():
    engine = [module for module in MODULES if not within(module, "empirics")]
    for module in engine:
        known = [name for name in imports(module, deep=True) if within(name, "reesim.empirics")]
        assert not known, f"{module} imports {known[0]}"
    assert not any(within(home, "empirics") for home in reesim._HOME.values())


@pytest.mark.parametrize("package", ["reesim", *(f"reesim.empirics.{room}" for room in EXERCISES)])
def test_public_names_are_there_and_are_no_modules(package):
    """A module of the same name would take the name's place once it is imported."""
    home = importlib.import_module(package)
    assert not set(home._HOME) & {module.name for module in pkgutil.iter_modules(home.__path__)}
    for name, module in home._HOME.items():
        assert getattr(home, name) is getattr(importlib.import_module(f"{package}.{module}"), name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        home.nothing  # noqa: B018
    assert set(home._HOME) <= set(dir(home))


def test_results_can_be_read_without_the_engine():
    """Nor do scenarios need numbers behind them: neither reaches the core, even through others."""
    for start in ("results", "scenario"):
        seen: set[str] = set()
        todo = {module for module in MODULES if within(module, start)}
        while todo:
            module = todo.pop()
            seen.add(module)
            todo |= (own(module, deep=True) & set(MODULES)) - seen - {""}
        engine = {"economy", "equilibrium", "simulation", "calibration"}
        assert not seen & engine, seen & engine
        assert not any(name.startswith("_core") for name in seen)


def test_no_circle_at_import():
    """Modules can be loaded in some order: what is imported when a module is, not later in its functions, has no cycle."""
    below = {module: own(module, deep=False) & set(MODULES) for module in MODULES}
    done: set[str] = set()
    while len(done) < len(MODULES):
        ready = {module for module, needs in below.items() if module not in done and needs <= done}
        assert ready, f"a circle among {sorted(set(MODULES) - done)}"
        done |= ready


def test_importing_reesim_is_light():
    code = f"import sys, reesim; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"


def test_drawing_is_not_imported_to_simulate():
    code = (
        "import sys, reesim; s = reesim.Scenario.load('baseline')\n"
        "s = s.replace({'calendar.end': '2010-02', 'calendar.start': '2010-01'})\n"
        "reesim.Simulation(s).run()\n"
        "foreign = ('matplotlib', 'h5py', 'typer', 'rich', 'xarray', 'pyfixest', 'reesim.empirics')\n"
        "print([name for name in foreign if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_library_module_prints_or_swallows(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{module}:{node.lineno}: bare except"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and not module.startswith(("cli", "__main__"))
        ):
            assert node.func.id != "print", f"{module}:{node.lineno}: prints"
