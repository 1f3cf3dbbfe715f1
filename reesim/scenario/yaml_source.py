"""Reading YAML 1.2 with the position of every key and value, within limits that no file can exceed.

The parser's events are composed here, so that a limit stops the reading before anything large is built, scalars follow
the YAML 1.2 core schema (``NO`` is a word, ``1e-3`` a number, ``2010-07`` text) and every value keeps its address.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reesim.errors import Problem, ScenarioError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_ALIASES = 100
MAX_DIGITS = 30

KeyPath = tuple[str | int, ...]
Position = tuple[int, int]

_HERE = Path()

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML document as plain Python values, with addresses.

    Parameters
    ----------
    data : object
        Nested dicts (text keys only), lists, text, numbers, booleans and None.
    file, text : str
        The name used in messages and the verbatim source.
    values, keys : dict
        One-based (line, column) of each value and of each key, by path from the root.
    problems : tuple of Problem
        What is wrong without hindering the reading: duplicate keys, tags.
    folder : Path
        What the files that it names are relative to.
    """

    data: Any
    file: str
    text: str
    values: dict[KeyPath, Position] = field(repr=False)
    keys: dict[KeyPath, Position] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    folder: Path = _HERE

    def locate(self, path: KeyPath, *, key: bool = False) -> Position:
        """Position of a value (or of its key), or of the nearest ancestor that stands in the file."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))


def read(text: str | bytes, file: str = "<text>", folder: Path = _HERE) -> Source:
    """Read one YAML document; the files that it names are relative to `folder`.

    Raises
    ------
    ScenarioError
        If the text is not YAML 1.2, or is beyond the limits of size, depth, nodes or aliases.
    """
    decoded = _decode(text, file)
    composer = _Composer(file, decoded)
    data = composer.document()
    return Source(data, file, decoded, composer.values, composer.keys, tuple(composer.problems), folder)


def _decode(text: str | bytes, file: str) -> str:
    try:
        raw = text.encode("utf-8") if isinstance(text, str) else text
        if len(raw) > MAX_BYTES:
            message = f"this file has {len(raw):,} bytes; a scenario may have {MAX_BYTES:,}"
            raise ScenarioError([Problem(message, file=file, line=1, column=1)])
        return raw.decode("utf-8").removeprefix("\ufeff")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        message = f"this is not UTF-8 text ({error.reason} at byte {error.start}); save the file as UTF-8"
        raise ScenarioError([Problem(message, file=file, line=1, column=1)]) from error


class _Composer:
    """Turns parser events into plain values; each method consumes the events of one node."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.values: dict[KeyPath, Position] = {}
        self.keys: dict[KeyPath, Position] = {}
        self.problems: list[Problem] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._nodes = 0
        self._aliases = 0
        self._events = self._parse(text)

    def document(self) -> Any:
        """Compose the only document; nothing at all reads as None."""
        data: Any = None
        for count, event in enumerate(self._nodes_of_stream()):
            if count:
                raise self._stop("a second document starts here; a scenario is one document", event)
            data = self._node(event, (), 1)[0]
        return data

    def _nodes_of_stream(self) -> Iterator[Any]:
        from ruamel.yaml import events

        for event in self._events:
            if isinstance(event, events.DocumentStartEvent) and (event.version not in (None, (1, 2)) or event.tags):
                raise self._stop("directives are not read; the file is YAML 1.2", event)
            if isinstance(event, events.NodeEvent):
                yield event

    def _parse(self, text: str) -> Iterator[Any]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        try:
            yield from YAML(typ="safe", pure=True).parse(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = ", ".join(part for part in (error.context, error.problem) if part)
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise self._fatal(f"this is not YAML: {said or 'unreadable'}", line, column) from error
        except ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            raise self._fatal("this character is not allowed in YAML", line, column) from error
        except (YAMLError, ValueError) as error:
            raise self._fatal(f"this is not YAML: {error}", 1, 1) from error

    def _fatal(self, message: str, line: int, column: int) -> ScenarioError:
        return ScenarioError([*self.problems, Problem(message, file=self.file, line=line, column=column)])

    def _stop(self, message: str, event: Any) -> ScenarioError:
        return self._fatal(message, *_position(event))

    def _note(self, message: str, event: Any, path: KeyPath, hint: str = "") -> None:
        line, column = _position(event)
        self.problems.append(Problem(message, dotted(path), self.file, line, column, hint))

    def _refuse_tag(self, event: Any, path: KeyPath) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
        self._note(f"tags such as {tag} are not read", event, path, "remove the tag")

    def _count(self, nodes: int, depth: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._stop(f"more than {MAX_NODES:,} values, aliases counted in full; a scenario may not have", event)
        if depth > MAX_DEPTH:
            raise self._stop(f"nested more than {MAX_DEPTH} levels deep; a scenario may not be", event)

    def _node(self, event: Any, path: KeyPath, depth: int) -> tuple[Any, int]:
        """Compose a node; return its value and its height in levels."""
        from ruamel.yaml import events

        if isinstance(event, events.AliasEvent):
            return self._alias(event, path, depth)
        self._count(1, depth, event)
        nothing = isinstance(event, events.ScalarEvent) and event.value == "" and event.implicit[0]
        # The parser places a value that is not there wherever it noticed, perhaps lines below.
        self.values[path] = self.keys.get(path, _position(event)) if nothing else _position(event)
        if event.tag is not None:
            self._refuse_tag(event, path)
        before = self._nodes
        value: Any
        if isinstance(event, events.MappingStartEvent):
            value, height = self._mapping(path, depth)
        elif isinstance(event, events.SequenceStartEvent):
            value, height = self._sequence(path, depth)
        else:
            value, height = self._scalar(event, path), 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1, height)
        return value, height

    def _alias(self, event: Any, path: KeyPath, depth: int) -> tuple[Any, int]:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._stop(f"more than {MAX_ALIASES} aliases; a scenario may not have", event)
        if event.anchor not in self._anchors:
            raise self._stop(f"the alias *{event.anchor[:60]} names nothing that is complete before it", event)
        value, nodes, height = self._anchors[event.anchor]
        self._count(nodes, depth + height - 1, event)
        self.values[path] = _position(event)
        # A copy, so that replacing a value later changes it in one place only.
        return copy.deepcopy(value), height

    def _mapping(self, path: KeyPath, depth: int) -> tuple[dict[str, Any], int]:
        from ruamel.yaml import events

        result: dict[str, Any] = {}
        tallest = 0
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            self._count(1, depth, event)
            if not isinstance(event, events.ScalarEvent):
                raise self._stop("a key should be a plain word", event)
            key, here = event.value, (*path, event.value)
            if event.tag is not None:
                self._refuse_tag(event, here)
            if key in result:
                first = self.keys[here]
                self._note(f"this key stands twice, first in line {first[0]}", event, here, "remove one of them")
                value, height = self._node(next(self._events), (*path, "\0duplicate"), depth + 1)
            else:
                self.keys[here] = _position(event)
                value, height = self._node(next(self._events), here, depth + 1)
                result[key] = value
            tallest = max(tallest, height)
        return result, tallest + 1

    def _sequence(self, path: KeyPath, depth: int) -> tuple[list[Any], int]:
        from ruamel.yaml import events

        result: list[Any] = []
        tallest = 0
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            value, height = self._node(event, (*path, len(result)), depth + 1)
            result.append(value)
            tallest = max(tallest, height)
        return result, tallest + 1

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        if not event.implicit[0]:
            return event.value
        if _INT.fullmatch(event.value) and len(event.value) > MAX_DIGITS:
            self._note(f"a number with more than {MAX_DIGITS} digits", event, path)
            return None
        return resolve(event.value)


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def resolve(word: str) -> str | int | float | bool | None:
    """Meaning of a plain (unquoted) scalar in the YAML 1.2 core schema."""
    if _NULL.fullmatch(word):
        return None
    if _TRUE.fullmatch(word) or _FALSE.fullmatch(word):
        return word[0] in "tT"
    if _INT.fullmatch(word):
        base = {"0o": 8, "0x": 16}.get(word[:2], 10)
        return int(word[2:] if base != 10 else word, base)
    if _FLOAT.fullmatch(word):
        return float(word)
    if _INF.fullmatch(word):
        return float("-inf") if word[0] == "-" else float("inf")
    return float("nan") if _NAN.fullmatch(word) else word


def dotted(path: KeyPath) -> str:
    """Write a path as in messages and overrides: ``policies.1.rate``."""
    return ".".join(part if len(part := str(piece)) <= 60 else part[:57] + "..." for piece in path)


def dump(data: Any) -> str:
    """Write plain values as YAML 1.2, keys in their order."""
    import io

    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.allow_unicode = True
    stream = io.StringIO()
    writer.dump(data, stream)
    return stream.getvalue()
