"""Scenarios: what is run, read from YAML, validated as a whole, replaced by dotted paths."""

from __future__ import annotations

import csv
import functools
import importlib.resources
import os
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator

from reesim.errors import Problem, ScenarioError
from reesim.labels import Labels
from reesim.scenario import yaml_source
from reesim.scenario.blocks import AdjustmentBlock, CalendarBlock, CalibrationBlock, OutputBlock, ParameterBlock
from reesim.scenario.calendar import Calendar
from reesim.scenario.checking import (
    MAX_PROBLEMS,
    Block,
    Context,
    Found,
    Line,
    World,
    findings,
    nearest,
    report,
    shown,
    world_of,
)
from reesim.scenario.clashes import conflicts
from reesim.scenario.overrides import Overrides, address, apply, parse_assignment, plain, written_as
from reesim.scenario.policy import INSTRUMENTS, Policy, PolicySchedule, schedule
from reesim.scenario.yaml_source import KeyPath, Source

__all__ = ["DEFAULT_REGIONS", "DEFAULT_SECTORS", "Scenario", "bundled", "check", "json_schema", "parse_assignment"]

SCHEMA = "reesim.scenario/1"
DEFAULT_EXPORTER = "CHN"
DEFAULT_REGIONS = Labels(
    "region",
    ("CHN", "EU", "JPN", "USA", "ROW"),
    ("China", "European Union", "Japan", "United States", "Rest of the world"),
)
DEFAULT_SECTORS = Labels(
    "sector",
    ("AGR", "MIN", "FOO", "TEX", "WOO", "CHE", "RUB", "NMM", "MET", "MAC", "ELE", "TRA", "FUR", "SER"),
    (
        "Agriculture",
        "Mining, petroleum and coal",
        "Food, beverages and tobacco",
        "Textiles",
        "Wood and paper",
        "Chemicals",
        "Rubber and plastics",
        "Other non-metallic mineral",
        "Basic and fabricated metal",
        "Machinery",
        "Computer and electronic",
        "Transport equipment",
        "Furniture and misc.",
        "Services",
    ),
)


@functools.cache
def default_world() -> World:
    """Regions, sectors and elasticities of the embedded calibration."""
    text = (Path(__file__).parents[1] / "data" / "elasticities.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    elasticities = {row["sector"]: (float(row["epsilon"]), float(row["gamma"])) for row in rows}
    return World(DEFAULT_REGIONS, DEFAULT_SECTORS, DEFAULT_EXPORTER, elasticities)


class Scenario(Block):
    """A validated scenario; cannot be changed, only replaced.

    Load one with `Scenario.load` or `Scenario.from_yaml`; two scenarios are equal if they mean the same, however they
    are written.
    """

    schema_: Literal["reesim.scenario/1"] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    title: Line = ""
    description: Annotated[str, Field(max_length=20_000)] = ""
    calendar: CalendarBlock
    calibration: CalibrationBlock = CalibrationBlock()
    parameters: ParameterBlock = ParameterBlock()
    technology: Literal["endogenous", "fixed"] = "endogenous"
    entry_cost: Literal["labour", "final_good"] = "labour"
    deficit: Literal["world_labour_share", "own_income_share", "removed"] = "world_labour_share"
    adjustment: AdjustmentBlock = AdjustmentBlock()
    policies: tuple[Policy, ...] = Field(default=(), strict=False)
    output: OutputBlock = OutputBlock()

    _source: Source | None = PrivateAttr(default=None)
    _overrides: Overrides = PrivateAttr(default_factory=dict)
    _world: World | None = PrivateAttr(default=None)

    @field_validator("policies", mode="before")
    @classmethod
    def _compatible(cls, items: object, info: ValidationInfo) -> object:
        if isinstance(items, list | tuple):
            world = world_of(info)
            report(info, conflicts(items, world.regions if world else None))
        return items

    @classmethod
    def load(cls, source: str | os.PathLike[str], *, set: Iterable[str] = (), world: World | None = None) -> Scenario:
        """Read a scenario from a file, or a bundled one by its name.

        Parameters
        ----------
        source : str or path
            A word alone is the name of a bundled scenario; anything with a folder or ``.yaml`` is a file.
        set : iterable of str
            Overrides ``a.b=value``, as on the command line.
        world : World, optional
            Regions, sectors and default elasticities it may name; by default those of the embedded calibration.

        Raises
        ------
        ScenarioError
            With all problems of the scenario, each with its address.
        """
        text, file = _text_of(source)
        changes = dict(parse_assignment(assignment) for assignment in set)
        return _build(yaml_source.read(text, file), _merge({}, changes), world or default_world())

    @classmethod
    def from_yaml(cls, text: str, file: str = "<text>", *, world: World | None = None) -> Scenario:
        """Read a scenario from YAML text; `file` is its name in messages. Raises ScenarioError as `load` does."""
        return _build(yaml_source.read(text, file), {}, world or default_world())

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, world: World | None = None) -> Scenario:
        """Build a scenario from plain values, as `to_dict` gives them. Raises ScenarioError as `load` does."""
        return cls.from_yaml(yaml_source.dump(_merge({}, data)), "<dict>", world=world)

    def replace(self, changes: Mapping[str, object]) -> Scenario:
        """Return a new, validated scenario with fields replaced by dotted path.

        Parameters
        ----------
        changes : mapping
            As in ``{"technology": "fixed", "calendar.end": "2080-12", "policies.0.rate": 1.0}``.

        Raises
        ------
        ScenarioError
            If a path leads nowhere or the scenario would not be valid; the address is ``--set path``.
        """
        source = self._source or yaml_source.read(self.effective_yaml())
        return _build(source, _merge(self._overrides, changes), self.world)

    @property
    def text(self) -> str:
        """Verbatim source."""
        return self._source.text if self._source else self.effective_yaml()

    @property
    def overrides(self) -> Overrides:
        """What was replaced, by dotted path, in order."""
        return dict(self._overrides)

    @property
    def world(self) -> World:
        """What the scenario may name."""
        return self._world or default_world()

    def to_dict(self) -> dict[str, Any]:
        """Say everything, defaults included, in plain values that JSON can hold; infinity is ``"inf"``."""
        data = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        data["policies"] = [_said({"type": item.pop("type"), **item}) for item in data["policies"]]
        return _said(data)

    def effective_yaml(self) -> str:
        """Write the effective scenario as canonical YAML, which loads back to an equal scenario."""
        return yaml_source.dump(self.to_dict())

    def schedule(self, calendar: Calendar | None = None) -> PolicySchedule:
        """Policy in force in each row of the path, eq. (19); a baseline row put before the periods has none."""
        calendar = calendar or Calendar.for_scenario(self)
        extra = int(calendar.has_extra_baseline)
        plain = schedule(
            self.policies,
            calendar.starts[extra:],
            calendar.ends[extra:],
            self.world.regions,
            self.world.exporter,
            self.calibration.baseline_tax,
            self.calibration.baseline_exports_tonnes,
        )
        return plain.after_baseline() if extra else plain

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if isinstance(other, Scenario) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.effective_yaml())

    def __repr__(self) -> str:
        from reesim.scenario.view import as_text

        return as_text(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from reesim.scenario.view import as_html

        return as_html(self)


def _said(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value != ""}


def _keys(block: type[Block]) -> list[str]:
    names = [field.alias or name for name, field in block.model_fields.items()]
    return sorted(names, key=lambda name: name != "type")


_KEYS: Mapping[str, list[str]] = {
    "": _keys(Scenario),
    "calendar": _keys(CalendarBlock),
    "calibration": _keys(CalibrationBlock),
    "parameters": _keys(ParameterBlock),
    "adjustment": _keys(AdjustmentBlock),
    "output": _keys(OutputBlock),
    **{name: _keys(instrument) for name, instrument in INSTRUMENTS.items()},
}


def _merge(earlier: Overrides, changes: Mapping[str, object]) -> Overrides:
    """Put overrides in the order in which they apply: one that is given again moves to the end."""
    kept = {path: value for path, value in earlier.items() if path not in changes}
    return {**kept, **{path: plain(value, path) for path, value in changes.items()}}


def _build(source: Source, overrides: Overrides, world: World) -> Scenario:
    data, places, nowhere = apply(source.data, overrides, world.sectors)
    scenario, found = _validate(data, world)
    found = [*_in_order(source), *nowhere, *found]
    problems = list(source.problems)
    if found:
        # What the file has wrong by itself keeps its line; the rest came with the overrides, wherever it shows.
        own = set(_validate(source.data, world)[1]) if overrides else set(found)
        problems += [_addressed(item, source, places, own, world) for item in found]
    if problems or scenario is None:
        raise ScenarioError(
            _few(sorted(problems, key=lambda problem: (problem.line == 0, problem.line, problem.column)))
        )
    scenario._source, scenario._overrides, scenario._world = source, overrides, world
    return scenario


def _in_order(source: Source) -> list[Found]:
    late = isinstance(source.data, dict) and "schema" in source.data and next(iter(source.data)) != "schema"
    return [Found(("schema",), "should be the first key of the file", at_key=True)] if late else []


def _validate(data: Any, world: World) -> tuple[Scenario | None, list[Found]]:
    if not isinstance(data, dict):
        return None, [Found((), f"a scenario is a mapping (key: value) that starts with schema: {SCHEMA}")]
    if data.get("schema", SCHEMA) != SCHEMA:
        # The rest may follow rules that this version does not know.
        return None, [Found(("schema",), f"this version of reesim reads {SCHEMA}, not {shown(data['schema'])}")]
    context = Context(world)
    scenario, found = None, []
    try:
        # The block is named even if empty, so that its defaults are checked against the world as well.
        scenario = Scenario.model_validate({"parameters": {}, **data}, context=context)
    except ValidationError as error:
        found = list(findings(error, data, _KEYS))
    return scenario, [*found, *context.found]


def _addressed(item: Found, source: Source, places: Mapping[KeyPath, str], own: set[Found], world: World) -> Problem:
    path = item.path
    name = yaml_source.dotted(path)
    setters = [
        place
        for place in places
        if place == path[: len(place)] or (path == place[: len(path)] and path not in source.values)
    ]
    if setters or item not in own:
        # The longest path is the override nearest to the problem.
        names = [places[max(setters, key=len)]] if setters else list(places.values())
        return Problem(item.message, name, address(*names), hint=item.hint)
    if len(path) == 3 and path[0] == "parameters":
        path = (*path[:2], written_as(source.data["parameters"].get(path[1]) or {}, str(path[2]), world.sectors))
    line, column = source.locate(path, key=item.at_key)
    return Problem(item.message, name, source.file, line, column, item.hint)


def _few(problems: list[Problem]) -> list[Problem]:
    rest = len(problems) - MAX_PROBLEMS
    return problems if rest <= 0 else [*problems[:MAX_PROBLEMS], Problem("and more problems; mend these first")]


def _text_of(source: str | os.PathLike[str]) -> tuple[bytes, str]:
    name = os.fspath(source)
    path = Path(name)
    if isinstance(source, str) and path.name == name and path.suffix not in (".yaml", ".yml"):
        return _bundled_text(name), f"{name}.yaml"
    try:
        with path.open("rb") as stream:
            return stream.read(yaml_source.MAX_BYTES + 1), name
    except OSError as error:
        known = path.stem in _bundled_files()
        hint = f"the bundled scenario is loaded by its name alone: {path.stem}" if known else ""
        raise ScenarioError([Problem(f"cannot be read: {error.strerror or error}", file=name, hint=hint)]) from error


@functools.cache
def _bundled_files() -> Mapping[str, Traversable]:
    try:
        folder = importlib.resources.files("reesim.scenarios")
    except ModuleNotFoundError:
        # Not installed: in a checkout the folder stands beside the package.
        folder = Path(__file__).parents[2] / "scenarios"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): file for file in files}


def _bundled_text(name: str) -> bytes:
    files = _bundled_files()
    if name in files:
        return files[name].read_bytes()
    known = f"bundled: {', '.join(files)}"
    near = nearest(name, files)
    hint = f"{near} {known}; a file is named with its folder or with .yaml" if near else known
    raise ScenarioError([Problem(f"no bundled scenario {shown(name)}", hint=hint)])


def bundled() -> dict[str, str]:
    """Names of the bundled scenarios, with their titles."""
    return {name: Scenario.load(name).title for name in _bundled_files()}


def check(source: str | os.PathLike[str], *, set: Iterable[str] = (), world: World | None = None) -> list[Problem]:
    """Return all problems of a scenario with their addresses; an empty list if it is valid."""
    try:
        Scenario.load(source, set=set, world=world)
    except ScenarioError as error:
        return list(error.problems)
    return []


def json_schema() -> dict[str, Any]:
    """JSON Schema of scenario files, for editors; what several fields must satisfy together only `check` knows."""
    schema = Scenario.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
