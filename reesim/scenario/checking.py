"""What the blocks of a scenario are made of, and how their errors become problems with an address.

`Block` is the base of every block and policy instrument; the types below (`Number`, `StartDate`, `RegionCode`, ...) are
their fields. A check that needs several fields is a validator on the last of them: pydantic offers it the fields before
it that are valid, so one mistake never hides another. `report` adds problems that belong to other places.
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from reesim.errors import LabelError
from reesim.labels import Labels
from reesim.scenario.calendar import parse_end, parse_start
from reesim.scenario.rate_files import Requirements
from reesim.scenario.yaml_source import KeyPath, dotted

MAX_PROBLEMS = 50
NO_EXPORTER = "none"


class Refused(ValueError):
    """A field is refused, with a hint apart from the message; `whole` if it is rather the block that the field is in."""

    def __init__(self, message: str, hint: str = "", *, whole: bool = False) -> None:
        super().__init__(message)
        self.hint, self.whole = hint, whole


@dataclass(frozen=True, slots=True)
class Found:
    """A problem at a path, before it is given the position of that path in a file."""

    path: KeyPath
    message: str
    hint: str = ""
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What a scenario may name.

    Parameters
    ----------
    regions, sectors : Labels
        Of the calibration that the scenario will run on.
    exporter : str or None
        Code of the region whose rare earths the world uses; None in a world without rare earths.
    elasticities : mapping of str to (float, float)
        Default epsilon and gamma by sector code, which `parameters` may override.
    requirements : Requirements, optional
        Rare earths that sectors need by an input-output table, where the shares come from one and gamma from them.
    """

    regions: Labels
    sectors: Labels
    exporter: str | None
    elasticities: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    requirements: Requirements | None = None

    def users(self, gamma: Mapping[str, object]) -> tuple[str, ...]:
        """Codes of the sectors that use rare earths, by the requirements or else by the weights of the R bundle.

        Parameters
        ----------
        gamma : mapping of str to object
            Weights by sector code that a scenario gives; what is not a number does not count.
        """
        if self.requirements is not None:
            return self.requirements.users
        weights: dict[str, object] = {code: weight for code, (_, weight) in self.elasticities.items()} | dict(gamma)
        return tuple(code for code, weight in weights.items() if isinstance(weight, int | float) and weight > 0.0)


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to the validators: the world (None if it could not be read), the scenario's folder, what `report` fills."""

    world: World | None
    folder: Path = Path()
    found: list[Found] = field(default_factory=list)


def world_of(info: ValidationInfo) -> World | None:
    """World that the validation runs in; None for a block made by hand, whose labels are then taken as they are."""
    return info.context.world if isinstance(info.context, Context) else None


def folder_of(info: ValidationInfo) -> Path:
    """Folder that the files of a scenario are relative to; for a block made by hand the current one."""
    return info.context.folder if isinstance(info.context, Context) else Path()


def report(info: ValidationInfo, found: Iterable[Found]) -> None:
    """Add problems to those of the whole scenario; raise them where a block is made by hand."""
    problems = list(found)
    if isinstance(info.context, Context):
        info.context.found.extend(problems)
    elif problems:
        raise Refused("; ".join(problem.message for problem in problems), problems[0].hint)


class Block(BaseModel):
    """Base of all blocks: frozen, nothing unknown, nothing converted, nothing infinite unless its type says so."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ByLabel(Mapping[str, float]):
    """Numbers by label; cannot be changed."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self._numbers = dict(numbers)

    def __getitem__(self, label: str) -> float:
        return self._numbers[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __hash__(self) -> int:
        return hash(frozenset(self._numbers.items()))

    def __repr__(self) -> str:
        return repr(self._numbers)


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest of the known words, or nothing."""
    # Nothing long is a slip of the pen, and comparing long words costs their square.
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6) if len(word) <= 60 else []
    return f"did you mean {near[0]!r}?" if near else ""


def _code(labels: Labels, label: str) -> str:
    short = label[:60]
    try:
        return labels.codes[labels.index(short)]
    except LabelError:
        near = labels.suggest(short)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(labels.codes)}"
        raise Refused(f"no {labels.kind} {shown(label)}", hint) from None


def _region(label: str, info: ValidationInfo) -> str:
    world = world_of(info)
    return _code(world.regions, label) if world else label


def _importer(label: str, info: ValidationInfo) -> str:
    world, code = world_of(info), _region(label, info)
    if world and code == world.exporter:
        raise Refused(f"{code} is the exporter; a destination is a region it sells to")
    return code


def _exporter(label: str, info: ValidationInfo) -> str:
    return label if label == NO_EXPORTER else _region(label, info)


def _each_once(labels: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
    what = str(info.field_name).removesuffix("s")
    if labels is not None and not labels:
        raise Refused(f"should name at least one {what}", "leave it out for all")
    if labels and len(set(labels)) < len(labels):
        raise Refused(f"a {what} stands twice in {', '.join(labels)}")
    return labels


def _sector(label: str, info: ValidationInfo) -> str:
    world = world_of(info)
    return _code(world.sectors, label) if world else label


def _infinity(value: object) -> object:
    return math.inf if isinstance(value, str) and value.strip().lower() in ("inf", ".inf", "never") else value


def _not_nan(value: float) -> float:
    if math.isnan(value):
        raise Refused("nan is not a number to compute with")
    return value


def _plain(value: float) -> float | str:
    # Spelt out, because JSON has no infinity.
    return "inf" if math.isinf(value) else value


def _one_line(text: str) -> str:
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise Refused("should be one line of printable text")
    return text


_DATE_SCHEMA = {
    "type": ["string", "integer"],
    "pattern": r"^\d{4}(-?[Qq][1-4]|-\d{2}(-\d{2})?)?$",
    "minimum": 1000,
    "maximum": 9999,
}


def _date_schema(sentence: str) -> WithJsonSchema:
    return WithJsonSchema({**_DATE_SCHEMA, "description": sentence})


def _number_or_inf(bound: str, value: float) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", bound: value}, {"enum": ["inf", ".inf", "never"]}]})


Line = Annotated[str, Field(max_length=300), AfterValidator(_one_line)]
Positive = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
HalfLife = Annotated[
    float,
    Field(ge=0.0, allow_inf_nan=True),
    BeforeValidator(_infinity),
    AfterValidator(_not_nan),
    PlainSerializer(_plain),
    _number_or_inf("minimum", 0),
]
AboveOne = Annotated[
    float,
    Field(gt=1.0, allow_inf_nan=True),
    BeforeValidator(_infinity),
    AfterValidator(_not_nan),
    PlainSerializer(_plain),
    _number_or_inf("exclusiveMinimum", 1),
]
StartDate = Annotated[
    datetime.date, BeforeValidator(parse_start), _date_schema("A partial date begins on its first day.")
]
EndDate = Annotated[
    datetime.date, BeforeValidator(parse_end), _date_schema("Inclusive: a partial date ends on its last day.")
]
Importer = Annotated[str, AfterValidator(_importer)]
RegionCode = Annotated[str, AfterValidator(_region)]
SectorCode = Annotated[str, AfterValidator(_sector)]
ExporterCode = Annotated[str, AfterValidator(_exporter)]
RegionCodes = Annotated[tuple[RegionCode, ...] | None, Field(strict=False), AfterValidator(_each_once)]
SectorCodes = Annotated[tuple[SectorCode, ...] | None, Field(strict=False), AfterValidator(_each_once)]


def shown(value: object) -> str:
    """Describe a value in a message, never at length."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    # The cut comes first: writing out a huge value would cost more than the message is worth.
    text = repr(value[:40] + "..." if isinstance(value, str) and len(value) > 40 else value)
    return text if len(text) <= 60 else text[:57] + "..."


_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "date_type": "a date",
}
_BOUND = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def findings(error: ValidationError, data: object, keys_of: Mapping[str, Iterable[str]]) -> Iterator[Found]:
    """Translate a pydantic error, one problem each.

    Parameters
    ----------
    error : ValidationError
        Of a whole scenario.
    data : object
        What was validated.
    keys_of : mapping
        Known keys of each block by its name, of each instrument by its type, and of the whole under ``""``.
    """
    for item in error.errors(include_input=False, include_url=False)[: MAX_PROBLEMS + 1]:
        path = _in_file(item["loc"])
        yield _translate(item, path, _at(data, path), keys_of, data)


_TAGGED = (
    ("policies",),
    ("parameters", "sigma"),
    ("parameters", "ree_supply_elasticity"),
    ("output", "variables"),
    ("calendar", "substeps"),
)


def _in_file(loc: tuple[str | int, ...]) -> KeyPath:
    """Drop what pydantic adds to a path: the chosen branch of a union, in third place, and its mark for a key."""
    if loc[:1] in _TAGGED or loc[:2] in _TAGGED:
        loc = loc[:2] + loc[3:]
    return loc[:-1] if loc and loc[-1] == "[key]" else loc


def _at(data: object, path: KeyPath) -> object:
    for piece in path:
        inside = isinstance(data, list) and isinstance(piece, int) and piece < len(data)
        if not inside and not (isinstance(data, dict) and piece in data):
            return None
        data = data[piece]  # type: ignore[index]
    return data


def _translate(item: Any, path: KeyPath, value: object, keys_of: Mapping[str, Iterable[str]], data: object) -> Found:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return Found(path, "this key is missing")
    if kind == "extra_forbidden":
        known = list(_known_keys(path[:-1], data, keys_of))
        hint = nearest(str(path[-1]), known) or f"known: {', '.join(known)}"
        return Found(path, "unknown key", hint, at_key=True)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = [name for name, keys in keys_of.items() if "type" in keys]
        return _wrong_tag(path, value, known)
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        hint = nearest(value, choices) if isinstance(value, str) else ""
        return Found(path, f"should be {context['expected']}, not {shown(value)}", hint)
    if kind in _BOUND:
        word, key = _BOUND[kind]
        return Found(path, f"should be {word} {context[key]:g}, not {shown(value)}")
    if kind in _EXPECTED:
        return Found(path, f"should be {_EXPECTED[kind]}, not {shown(value)}")
    if kind == "value_error":
        cause = context["error"]
        return Found(path[:-1] if getattr(cause, "whole", False) else path, str(cause), getattr(cause, "hint", ""))
    if kind == "string_pattern_mismatch":
        return Found(path, f"should be letters, digits, dots, dashes and underscores only, not {shown(value)}")
    if kind == "finite_number":
        return Found(path, f"should be a finite number, not {shown(value)}")
    return Found(path, item["msg"][:1].lower() + item["msg"][1:])


def _wrong_tag(path: KeyPath, value: object, known: list[str]) -> Found:
    if not isinstance(value, dict):
        return Found(path, f"should be a mapping (key: value), not {shown(value)}")
    if "type" not in value:
        return Found((*path, "type"), "this key is missing", f"one of {', '.join(known)}")
    hint = nearest(str(value["type"]), known) or f"known: {', '.join(known)}"
    return Found((*path, "type"), f"no instrument {shown(value['type'])}", hint)


def _known_keys(parent: KeyPath, data: object, keys_of: Mapping[str, Iterable[str]]) -> Iterable[str]:
    block = _at(data, parent)
    if parent[:1] == ("policies",) and isinstance(block, dict):
        return keys_of.get(str(block.get("type")), ())
    return keys_of.get(dotted(parent), ())
