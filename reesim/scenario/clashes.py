"""Policy instruments that cannot be in force at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reesim.errors import LabelError
from reesim.labels import Labels
from reesim.scenario.calendar import parse_end, parse_start
from reesim.scenario.checking import Found

Flow = tuple[str, str, str]
_Labelled = frozenset[str] | None  # None: all


@dataclass(frozen=True, slots=True, order=True)
class _Spell:
    """One instrument in time, as far as its item can be read at all.

    `cells` says what it touches, one set of labels for each dimension of its kind; a table of rates has `flows` instead.
    """

    start: date
    position: int
    end: date
    kind: str
    rate: float
    cells: tuple[_Labelled, ...] = field(compare=False)
    flows: frozenset[Flow] | None = field(default=None, compare=False)

    @property
    def words(self) -> str:
        return f"policies.{self.position} ({self.start} to {'for good' if self.end == date.max else self.end})"


@dataclass(frozen=True, slots=True)
class _Exclusive:
    """Instruments of one kind that may not meet: how a message calls two of them, and what they must not share."""

    two: str
    share: str = "on the same trade"


_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "export_tax": ("destinations",),
    "embargo": ("destination",),
    "tariff": ("exporters", "importers", "sectors"),
    "goods_export_tax": ("exporters", "destinations", "sectors"),
    "production_subsidy": ("regions", "sectors"),
    "innovation_subsidy": ("bundle", "regions", "sectors"),
}
_EXCLUSIVE: Mapping[str, _Exclusive] = {
    "export_quota": _Exclusive("quotas"),
    "embargo": _Exclusive("embargoes"),
    "production_quota": _Exclusive("production quotas", "on the same mines"),
    "tariff": _Exclusive("tariff rates", "on the same flow"),
    "goods_export_tax": _Exclusive("rates of an export tax", "on the same flow"),
}


def conflicts(items: Sequence[object], regions: Labels | None, sectors: Labels | None) -> Iterator[Found]:
    """Instruments that cannot be in force at once: two quotas, two rates on one flow, taxes below -100 %.

    Works on items as they stand in a file and passes over what it cannot read, so that one mistake hides no other.
    Tables of rates are left to `file_conflicts`.
    """
    spells = sorted(spell for spell in (_spell(k, item, regions, sectors) for k, item in enumerate(items)) if spell)
    for kind in _EXCLUSIVE:
        yield from _overlapping([spell for spell in spells if spell.kind == kind])
    yield from _adding_up([spell for spell in spells if spell.kind == "export_tax"], -1, _taxes)
    yield from _adding_up([spell for spell in spells if spell.kind == "production_subsidy"], -1, _subsidies)
    yield from _adding_up([spell for spell in spells if spell.kind == "innovation_subsidy"], 1, _subsidies)


def file_conflicts(
    items: Sequence[object], flows: Mapping[int, frozenset[Flow]], regions: Labels | None, sectors: Labels | None
) -> Iterator[Found]:
    """Tariffs from files, by position of the item that names the file, that meet another rate on one of their flows."""
    if flows:
        read = (_spell(k, item, regions, sectors, flows.get(k)) for k, item in enumerate(items))
        yield from _overlapping(sorted(spell for spell in read if spell and spell.kind == "tariff"), files_only=True)


def _overlapping(spells: list[_Spell], *, files_only: bool = False) -> Iterator[Found]:
    running: list[_Spell] = []
    for spell in spells:
        running = [earlier for earlier in running if spell.start <= earlier.end]
        met = [
            earlier for earlier in running if (spell.flows or earlier.flows or not files_only) and _meet(earlier, spell)
        ]
        if met:
            earlier = max(met, key=lambda other: other.end)
            kind = _EXCLUSIVE[spell.kind]
            message = f"overlaps {earlier.words}: two {kind.two} cannot be in force {kind.share} at once"
            day_before = spell.start - timedelta(days=1) if spell.start > earlier.start else None
            hint = f"end the earlier one on {day_before}" if day_before else "keep one of them"
            yield Found(("policies", spell.position, "start"), message, hint)
        running.append(spell)


def _meet(one: _Spell, other: _Spell) -> bool:
    """Whether two instruments of one kind touch the same trade; that of a region with itself is touched by none."""
    if one.flows is not None and other.flows is not None:
        return not one.flows.isdisjoint(other.flows)
    if one.flows is not None or other.flows is not None:
        named, plain = (one, other) if one.flows is not None else (other, one)
        return any(
            all(_within(code, cell) for code, cell in zip(flow, plain.cells, strict=True)) for flow in named.flows or ()
        )
    shared = [_common(a, b) for a, b in zip(one.cells, other.cells, strict=True)]
    if any(cell is not None and not cell for cell in shared):
        return False
    own_only = len(shared) == 3 and shared[0] is not None and shared[0] == shared[1] and len(shared[0]) == 1
    return not own_only


def _within(code: str, cell: _Labelled) -> bool:
    return cell is None or code in cell


def _common(one: _Labelled, other: _Labelled) -> _Labelled:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _adding_up(spells: list[_Spell], side: int, words: Callable[..., str]) -> Iterator[Found]:
    """Rates that add up to `side` (-1 or 1) or beyond on some day, in some cell; one problem for each instrument."""
    named: list[list[str | None]] = [
        [None, *sorted({code for spell in spells for code in spell.cells[d] or ()})]
        for d in range(len(spells[0].cells) if spells else 0)
    ]
    reported: set[int] = set()
    for cell in itertools.product(*named):
        concerned = [
            spell
            for spell in spells
            if all(labels is None or code in labels for code, labels in zip(cell, spell.cells, strict=True))
        ]
        day, together = _first_beyond(concerned, side)
        worst = max(together, key=lambda spell: side * spell.rate, default=None)
        if worst is not None and worst.position not in reported:
            reported.add(worst.position)
            total = sum(spell.rate for spell in together)
            bound = "above -1" if side < 0 else "below 1"
            message = f"{words(cell)} on {day} add up to {total:g}; the sum must be {bound}"
            yield Found(("policies", worst.position, "rate"), message)


def _first_beyond(spells: list[_Spell], side: int) -> tuple[date, list[_Spell]]:
    """First day on which several rates together reach `side`, and the instruments in force on it; none if there is none."""
    # The sum moves towards the bound only where a rate of its sign starts or one of the other ends.
    days = {spell.start for spell in spells if side * spell.rate > 0}
    if days and len(spells) > 1:
        days |= {spell.end + timedelta(days=1) for spell in spells if side * spell.rate < 0 and spell.end < date.max}
        for day in sorted(days):
            together = [spell for spell in spells if spell.start <= day <= spell.end]
            if len(together) > 1 and side * sum(spell.rate for spell in together) >= 1.0:
                return day, together
    return date.min, []


def _taxes(cell: tuple[str | None, ...]) -> str:
    return f"the taxes in force on exports{f' to {cell[0]}' if cell[0] else ''}"


def _subsidies(cell: tuple[str | None, ...]) -> str:
    where = ", ".join(code for code in cell if code)
    return f"the subsidies in force{f' in {where}' if where else ''}"


def _spell(
    position: int,
    item: object,
    regions: Labels | None,
    sectors: Labels | None,
    flows: frozenset[Flow] | None = None,
) -> _Spell | None:
    if not isinstance(item, Mapping) or "start" not in item:
        return None
    kind = str(item.get("type"))
    if kind in ("tariff", "goods_export_tax") and flows is None and item.get("rate") is None:
        return None  # what is added to a rate clashes with nothing
    try:
        start = parse_start(item["start"])
        end = date.max if item.get("end") is None else parse_end(item["end"])
        cells = tuple(_labelled(item, name, regions, sectors) for name in _DIMENSIONS.get(kind, ()))
    except (ValueError, LabelError):
        return None
    rate = item.get("rate")
    known_rate = float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else 0.0
    return _Spell(start, position, end, kind, known_rate, cells, flows)


def _labelled(item: Mapping[Any, Any], name: str, regions: Labels | None, sectors: Labels | None) -> _Labelled:
    named = item.get(name)
    if name == "bundle":
        return frozenset("RL" if named in (None, "both") else (str(named),))
    if name == "destination":
        named = [named]
    if named is None:
        return None
    if not isinstance(named, list | tuple):
        raise ValueError("not a list of labels")
    return _codes(named, sectors if name == "sectors" else regions)


def _codes(named: Iterable[object], labels: Labels | None) -> frozenset[str]:
    return frozenset(str(label) if labels is None else labels.codes[labels.index(str(label))] for label in named)
