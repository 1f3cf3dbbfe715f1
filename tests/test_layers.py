"""The architecture, read from the source: imports point down, and libraries that touch the world have one owner each."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reesim

PACKAGE = Path(reesim.__file__).parent
MODULES = {
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}

OWNERS = {
    "h5py": ("store",), "networkx": ("network",), "matplotlib": ("plotting",), "ruamel": ("yaml_source",), "typer": ("cli",),
    "rich": ("cli",), "pydantic": ("scenario", "parameters", "policy", "checking", "overrides"), "xarray": ("path",),
    "rdata": ("wiod", "tables"),
    "openpyxl": ("wiod", "tables"), "pyfixest": (),
}  # fmt: skip
"""Who may import what; a name ends where an underscore or a dot begins."""

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


def imports(module: str, deep: bool) -> Iterator[str]:
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


def test_the_package_was_found():
    assert {"errors", "simulation", "_core.reference", "store"} <= set(MODULES)


@pytest.mark.parametrize("library", OWNERS)
def test_libraries_that_touch_the_world_have_one_owner(library):
    for module in MODULES:
        if library in {name.split(".")[0] for name in imports(module, deep=True)}:
            head = module.split(".")[0]
            assert any(head == owner or head.startswith(f"{owner}_") for owner in OWNERS[library]), (
                f"{module} imports {library}"
            )


def test_the_core_knows_nothing_above_it():
    for module in MODULES:
        if module.startswith("_core."):
            assert all(name.startswith("_core") for name in own(module, deep=True)), module
    for file in (PACKAGE / "_core").glob("*.p[yx][xd]"):
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        touched = [line for line in lines if line.startswith(("from reesim", "import reesim", "cimport reesim"))]
        assert all(line.startswith("from reesim._core") for line in touched), file.name


FORBIDDEN = {
    # contracts stand alone
    "errors": ("*",), "labels": ("*", "!errors"), "variables": ("*", "!errors"),
    # scenarios are words: no numbers behind them
    "scenario": ("_core", "simulation", "equilibrium", "economy", "calibration", "store", "path", "cli", "plotting"),
    "calendar": ("*", "!errors"),
    # the engine does not know who shows or keeps its results
    "simulation": ("cli", "plotting", "report", "store", "compare", "observed"),
    "equilibrium": ("cli", "plotting", "report", "store", "compare", "observed", "path", "simulation"),
    "economy": ("cli", "plotting", "report", "store", "scenario", "simulation", "equilibrium", "path"),
    "calibration": ("_core", "economy", "simulation", "equilibrium", "path", "store", "cli", "plotting"),
    "rules": ("simulation", "economy", "equilibrium", "path", "store", "cli", "plotting"),
    "outcomes": ("simulation", "equilibrium", "path", "store", "cli", "plotting"),
    "network": ("_core", "economy", "simulation", "calibration", "path", "store", "cli", "plotting"),
    # results do not need the engine: a file can be read without it
    "path": ("_core", "simulation", "equilibrium", "economy", "calibration", "scenario", "cli", "plotting"),
    "store": ("_core", "simulation", "equilibrium", "economy", "calibration", "cli", "plotting"),
    "compare": ("_core", "simulation", "equilibrium", "economy", "calibration", "cli", "plotting"),
}  # fmt: skip


@pytest.mark.parametrize("module", FORBIDDEN)
def test_imports_point_down(module):
    allowed = {rule[1:] for rule in FORBIDDEN[module] if rule.startswith("!")}
    for name in own(module, deep=True):
        head = name.split(".")[0].split("_")[0] or "_core"
        banned = "*" in FORBIDDEN[module] or head in FORBIDDEN[module]
        assert not banned or name in allowed, f"{module} imports {name}"


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
        "print([name for name in ('matplotlib', 'h5py', 'typer', 'rich', 'xarray') if name in sys.modules])"
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
