"""Where the text of a scenario comes from: a file, or the bundled scenarios."""

from __future__ import annotations

import functools
import importlib.resources
import os
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from reesim.errors import Problem, ScenarioError
from reesim.scenario import yaml_source
from reesim.scenario.checking import nearest, shown
from reesim.scenario.yaml_source import Source


def read_source(source: str | os.PathLike[str]) -> Source:
    """Read a file, or a bundled scenario by its name; the files it names are relative to its folder.

    Raises
    ------
    ScenarioError
        If there is no such scenario, or it is not YAML.
    """
    name = os.fspath(source)
    path = Path(name)
    if isinstance(source, str) and path.name == name and path.suffix not in (".yaml", ".yml"):
        return yaml_source.read(_bundled_text(name), f"{name}.yaml")
    try:
        with path.open("rb") as stream:
            text = stream.read(yaml_source.MAX_BYTES + 1)
    except OSError as error:
        known = path.stem in bundled_files()
        hint = f"the bundled scenario is loaded by its name alone: {path.stem}" if known else ""
        raise ScenarioError([Problem(f"cannot be read: {error.strerror or error}", file=name, hint=hint)]) from error
    # Absolute, because the scenario outlives a change of the current folder.
    return yaml_source.read(text, name, path.parent.absolute())


@functools.cache
def bundled_files() -> Mapping[str, Traversable]:
    """Files of the bundled scenarios by name."""
    try:
        folder = importlib.resources.files("reesim.scenarios")
    except ModuleNotFoundError:
        # Not installed: in a checkout the folder stands beside the package.
        folder = Path(__file__).parents[2] / "scenarios"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): file for file in files}


def _bundled_text(name: str) -> bytes:
    files = bundled_files()
    if name in files:
        return files[name].read_bytes()
    known = f"bundled: {', '.join(files)}"
    near = nearest(name, files)
    hint = f"{near} {known}; a file is named with its folder or with .yaml" if near else known
    raise ScenarioError([Problem(f"no bundled scenario {shown(name)}", hint=hint)])
