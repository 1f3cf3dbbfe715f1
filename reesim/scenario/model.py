"""Scenarios: what is run, read from YAML, validated as a whole, replaced by dotted paths."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator

from reesim.errors import Problem, ScenarioError
from reesim.labels import Labels
from reesim.scenario import policy as instruments
from reesim.scenario import yaml_source
from reesim.scenario.blocks import (
    AdjustmentBlock,
    CalendarBlock,
    CalibrationBlock,
    Elasticities,
    OutputBlock,
    ParameterBlock,
    labels_of,
    theta,
)
from reesim.scenario.bundle import bundled_files, read_source
from reesim.scenario.calendar import Calendar, one_period
from reesim.scenario.checking import (
    MAX_PROBLEMS,
    Block,
    Context,
    Found,
    Line,
    World,
    findings,
    report,
    shown,
    world_of,
)
from reesim.scenario.clashes import conflicts, file_conflicts
from reesim.scenario.overrides import Overrides, address, apply, parse_assignment, plain, written_as
from reesim.scenario.policy import INSTRUMENTS, Policy, PolicySchedule, out_of_place
from reesim.scenario.worlds import DEFAULT_REGIONS, DEFAULT_SECTORS, NO_RARE_EARTHS, Setting, default_world, setting_of
from reesim.scenario.yaml_source import KeyPath, Source

__all__ = [
    "DEFAULT_REGIONS", "DEFAULT_SECTORS", "Elasticities", "Scenario", "bundled", "check", "default_world", "json_schema",
    "parse_assignment",
]  # fmt: skip

SCHEMA = "reesim.scenario/1"


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
    technology: Literal["endogenous", "fixed", "none"] = "endogenous"
    entry_cost: Literal["labour", "final_good"] = "labour"
    deficit: Literal["world_labour_share", "own_income_share", "removed"] = "world_labour_share"
    adjustment: AdjustmentBlock = AdjustmentBlock()
    policies: tuple[Policy, ...] = Field(default=(), strict=False)
    output: OutputBlock = OutputBlock()

    _source: Source | None = PrivateAttr(default=None)
    _overrides: Overrides = PrivateAttr(default_factory=dict)
    _setting: Setting | None = PrivateAttr(default=None)
    _given: World | None = PrivateAttr(default=None)
    _dated: bool = PrivateAttr(default=True)

    @field_validator("policies", mode="before")
    @classmethod
    def _compatible(cls, items: object, info: ValidationInfo) -> object:
        if isinstance(items, list | tuple):
            world = world_of(info)
            report(info, conflicts(items, world.regions if world else None, world.sectors if world else None))
            report(info, out_of_place(items, world, info.data.get("technology")))
        return items

    @field_validator("policies")
    @classmethod
    def _files_compatible(cls, policies: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        flows = instruments.files(policies)
        report(info, file_conflicts([policy.model_dump() for policy in policies] if flows else [], flows, None, None))
        return policies

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
        changes = dict(parse_assignment(assignment) for assignment in set)
        return _build(read_source(source), _merge({}, changes), world)

    @classmethod
    def from_yaml(
        cls, text: str, file: str = "<text>", *, folder: str | os.PathLike[str] = ".", world: World | None = None
    ) -> Scenario:
        """Read a scenario from YAML text; `file` is its name in messages, `folder` what its files are relative to.

        Raises ScenarioError as `load` does.
        """
        return _build(yaml_source.read(text, file, Path(folder)), {}, world)

    @classmethod
    def from_dict(
        cls, data: Mapping[str, object], *, folder: str | os.PathLike[str] = ".", world: World | None = None
    ) -> Scenario:
        """Build a scenario from plain values, as `to_dict` gives them. Raises ScenarioError as `load` does."""
        return cls.from_yaml(yaml_source.dump(_merge({}, data)), "<dict>", folder=folder, world=world)

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
        return _build(source, _merge(self._overrides, changes), self._given)

    @property
    def text(self) -> str:
        """Verbatim source."""
        return self._source.text if self._source else self.effective_yaml()

    @property
    def overrides(self) -> Overrides:
        """What was replaced, by dotted path, in order."""
        return dict(self._overrides)

    @property
    def has_calendar(self) -> bool:
        """Whether it gives a calendar; if not, its own is the one year of a question of comparative statics."""
        return self._dated

    @property
    def world(self) -> World:
        """What the scenario may name."""
        return self._outside.world or default_world()

    @property
    def _outside(self) -> Setting:
        return self._setting or Setting(default_world())

    @property
    def folder(self) -> Path:
        """What the files that the scenario names are relative to."""
        return self._source.folder if self._source else Path()

    @property
    def table_path(self) -> Path | str:
        """Folder of the table that it runs on, or the name of a shipped one."""
        return self._outside.table

    @property
    def trade_elasticity_path(self) -> Path | None:
        """File of the trade elasticities, if one is named."""
        return self._outside.trade_elasticity

    @property
    def ree_requirements_path(self) -> Path | None:
        """File of the scenario's own rare-earth requirements, if one is named."""
        return self._outside.ree_requirements

    @property
    def estimates_path(self) -> Path | None:
        """File of the estimated elasticities, if one is named."""
        return self._outside.estimates

    def elasticities(self) -> Elasticities:
        """Elasticities of every sector and region of the table, from the scenario, its files and the defaults."""
        world, parameters = self.world, self.parameters
        defaults = [world.elasticities.get(code, NO_RARE_EARTHS) for code in world.sectors]
        sectors = list(zip(world.sectors, defaults, strict=True))
        weights = tuple(parameters.gamma.get(code, gamma) for code, (_, gamma) in sectors)
        gamma_s = weights if world.exporter is not None else (0.0,) * len(sectors)
        mu = math.inf if self.technology == "none" else parameters.mu
        delta = 0.0 if self.technology == "none" else parameters.delta
        return Elasticities(
            sigma_s=self._outside.sigma_s or parameters.sigma_of(world.sectors),
            epsilon_s=tuple(parameters.epsilon.get(code, epsilon) for code, (epsilon, _) in sectors),
            gamma_s=None if world.requirements is not None else gamma_s,
            rho=parameters.rho,
            mu=mu,
            theta=theta(delta, mu),
            ree_supply_i=parameters.ree_supply_elasticity_of(world.regions),
            estimated=self._outside.estimated,
        )

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
        block = self.calibration
        plain = instruments.schedule(
            self.policies, calendar.starts[extra:], calendar.ends[extra:], self.world,
            block.baseline_tax, block.baseline_exports_tonnes,
        )  # fmt: skip
        return plain.after_baseline() if extra else plain

    def schedule_at(self, start: date, end: date) -> PolicySchedule:
        """Policy in force on average from `start` to `end`, both inclusive: a schedule of one period."""
        block = self.calibration
        return instruments.at(self.policies, start, end, self.world, block.baseline_tax, block.baseline_exports_tonnes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenario):
            return NotImplemented
        places = [
            (one.table_path, one.trade_elasticity_path, one.ree_requirements_path, one.estimates_path)
            for one in (self, other)
        ]
        return self.__dict__ == other.__dict__ and places[0] == places[1]

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


def _build(source: Source, overrides: Overrides, given: World | None) -> Scenario:
    # Applied twice: what an override names in the second is looked up in the table that the first may have changed.
    outside = setting_of(apply(source.data, overrides, _nothing)[0], source.folder, given)
    world = outside.world or default_world()
    data, places, nowhere = apply(source.data, overrides, lambda name: labels_of(name, world))
    scenario, found = _validate(data, outside, source.folder)
    found = [*_in_order(source), *nowhere, *found]
    problems = list(source.problems)
    if found:
        # What the file has wrong by itself keeps its line; the rest came with the overrides, wherever it shows.
        own = set(_own(source, given) if overrides else found)
        problems += [_addressed(item, source, places, own, world) for item in found]
    if problems or scenario is None:
        raise ScenarioError(
            _few(sorted(problems, key=lambda problem: (problem.line == 0, problem.line, problem.column)))
        )
    scenario._source, scenario._overrides = source, overrides
    scenario._setting, scenario._given, scenario._dated = outside, given, "calendar" in data
    return scenario


def _nothing(_: str) -> Labels:
    return Labels("label", (), ())


def _own(source: Source, given: World | None) -> list[Found]:
    return _validate(source.data, setting_of(source.data, source.folder, given), source.folder)[1]


def _in_order(source: Source) -> list[Found]:
    late = isinstance(source.data, dict) and "schema" in source.data and next(iter(source.data)) != "schema"
    return [Found(("schema",), "should be the first key of the file", at_key=True)] if late else []


def _validate(data: Any, outside: Setting, folder: Path) -> tuple[Scenario | None, list[Found]]:
    if not isinstance(data, dict):
        return None, [Found((), f"a scenario is a mapping (key: value) that starts with schema: {SCHEMA}")]
    if data.get("schema", SCHEMA) != SCHEMA:
        # The rest may follow rules that this version does not know.
        return None, [Found(("schema",), f"this version of reesim reads {SCHEMA}, not {shown(data['schema'])}")]
    context = Context(outside.world, folder)
    scenario, found = None, []
    try:
        # The block is named even if empty, so that its defaults are checked against the world as well.
        scenario = Scenario.model_validate({"parameters": {}, **one_period(data), **data}, context=context)
    except ValidationError as error:
        found = list(_without_calendar(findings(error, data, _KEYS), data))
    return scenario, [*outside.found, *found, *context.found]


def _without_calendar(found: Iterable[Found], data: Mapping[str, Any]) -> Iterable[Found]:
    """Leave a missing calendar out where there are policies: it would come from them, and what is wrong is in them."""
    given = "calendar" in data or "policies" not in data or data["policies"] == []
    return (item for item in found if given or item.path != ("calendar",))


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
        written = source.data["parameters"].get(path[1]) or {}
        path = (*path[:2], written_as(written, str(path[2]), labels_of(str(path[1]), world)))
    line, column = source.locate(path, key=item.at_key)
    return Problem(item.message, name, source.file, line, column, item.hint)


def _few(problems: list[Problem]) -> list[Problem]:
    rest = len(problems) - MAX_PROBLEMS
    return problems if rest <= 0 else [*problems[:MAX_PROBLEMS], Problem("and more problems; mend these first")]


def bundled() -> dict[str, str]:
    """Names of the bundled scenarios, with their titles."""
    return {name: Scenario.load(name).title for name in bundled_files()}


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
    # Only a scenario without policies cannot do without a calendar.
    schema["required"] = [name for name in schema["required"] if name != "calendar"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
