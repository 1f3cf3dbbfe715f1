"""Replacing fields of a scenario by dotted path, the same in Python and in ``--set a.b=value``."""

from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from reesim.errors import LabelError, Problem, ScenarioError
from reesim.labels import Labels
from reesim.scenario import yaml_source
from reesim.scenario.checking import Found
from reesim.scenario.yaml_source import KeyPath

Overrides = dict[str, object]
LabelsOf = Callable[[str], Labels]
"""Labels by which a parameter is given, from the parameter's name."""


def address(*paths: str) -> str:
    """Return what stands in a message in place of a file, for a problem that overrides brought about."""
    return f"--set {', '.join(paths)}"


def parse_assignment(text: str) -> tuple[str, object]:
    """Read ``a.b=value``; the value is YAML.

    Raises
    ------
    ScenarioError
        If there is no ``=`` or no path, or the value is not YAML.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path:
        problem = Problem(
            f"{text[:60]!r} sets nothing", file="--set", hint="write a.b=value, as in calendar.end=2014-12"
        )
        raise ScenarioError([problem])
    source = yaml_source.read(value, address(path))
    if source.problems:
        raise ScenarioError(source.problems)
    return path, source.data


def plain(value: object, path: str) -> Any:
    """Bring a Python value into the form it would have in a YAML file, which JSON can hold as well.

    Raises
    ------
    ScenarioError
        If a scenario cannot hold such a value.
    """
    if isinstance(value, np.generic):
        value = np.datetime_as_string(value, "D") if isinstance(value, np.datetime64) else value.item()
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True, exclude_none=True)
    if isinstance(value, datetime.date):
        return (value.date() if isinstance(value, datetime.datetime) else value).isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item, path) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value is None or isinstance(value, str | int | float):
        return value
    raise ScenarioError([Problem(f"a scenario cannot hold a {type(value).__name__}", path, address(path))])


def apply(data: Any, overrides: Overrides, labels_of: LabelsOf) -> tuple[Any, dict[KeyPath, str], list[Found]]:
    """Replace values in a copy of a scenario's data.

    Parameters
    ----------
    data : object
        As read.
    overrides : dict
        New values by dotted path.
    labels_of : callable
        Labels of a parameter that is given by label, so that either of a label's names finds the other.

    Returns
    -------
    data : object
        The copy.
    places : dict
        Which override set which path.
    found : list of Found
        Overrides whose path leads nowhere.
    """
    if not overrides or not isinstance(data, dict):
        return data, {}, []
    data = copy.deepcopy(data)
    places: dict[KeyPath, str] = {}
    found: list[Found] = []
    for name, value in overrides.items():
        path = _enter(data, name.split("."), copy.deepcopy(value), labels_of)
        if isinstance(path, Found):
            found.append(path)
            path = path.path
        places[path] = name
    return data, places, found


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """A path that leads nowhere, and why."""

    message: str


def _enter(data: Any, parts: list[str], value: object, labels_of: LabelsOf) -> KeyPath | Found:
    here = data
    path: KeyPath = ()
    for depth, part in enumerate(parts):
        key = _key(here, part, labels_of, path)
        if isinstance(key, _Nowhere):
            return Found((*path, part), key.message)
        path = (*path, key)
        if depth == len(parts) - 1:
            here[key] = value
        elif isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = here[key]
    return path


def _key(here: object, part: str, labels_of: LabelsOf, path: KeyPath) -> str | int | _Nowhere:
    name = yaml_source.dotted(path)
    if not part:
        return _Nowhere("a name is missing between two dots, or at an end (name a sector by its code)")
    if isinstance(here, dict):
        return written_as(here, part, labels_of(str(path[1]))) if path[:1] == ("parameters",) and path[1:] else part
    if isinstance(here, list):
        if part.isascii() and part.isdigit() and len(part) < 9 and int(part) < len(here):
            return int(part)
        entries = f"name an entry by its number, 0 to {len(here) - 1}" if here else "it has no entries"
        return _Nowhere(f"{name} is a list: {entries}")
    return _Nowhere(f"{name} is a single value and has nothing below it")


def written_as(numbers: Mapping[Any, Any], label: str, labels: Labels) -> str:
    """Key under which a mapping already has a label, by code or by name; the label itself if it does not."""
    if label in numbers:
        return label
    for key in numbers:
        try:
            if labels.index(str(key)[:60]) == labels.index(label[:60]):
                return str(key)
        except LabelError:
            continue
    return label
