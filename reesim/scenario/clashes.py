"""Policy instruments that cannot be in force at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reesim.errors import LabelError
from reesim.labels import Labels
from reesim.scenario.calendar import parse_end, parse_start
from reesim.scenario.checking import Found


@dataclass(frozen=True, slots=True, order=True)
class _Spell:
    """One instrument in time, as far as its item can be read at all."""

    start: date
    position: int
    end: date
    kind: str
    regions: frozenset[str] | None
    rate: float

    @property
    def words(self) -> str:
        return f"policies.{self.position} ({self.start} to {'for good' if self.end == date.max else self.end})"


def conflicts(items: Sequence[object], regions: Labels | None) -> Iterator[Found]:
    """Instruments that cannot be in force at once: two quotas, two embargoes on one destination, taxes below -100 %.

    Works on items as they stand in a file and passes over what it cannot read, so that one mistake hides no other.
    """
    spells = sorted(spell for spell in (_spell(k, item, regions) for k, item in enumerate(items)) if spell)
    for kind in ("export_quota", "embargo"):
        yield from _overlapping([spell for spell in spells if spell.kind == kind])
    yield from _oversubsidised([spell for spell in spells if spell.kind == "export_tax"])


def _overlapping(spells: list[_Spell]) -> Iterator[Found]:
    running: dict[frozenset[str] | None, _Spell] = {}
    for spell in spells:
        earlier = running.get(spell.regions)
        if earlier is not None and spell.start <= earlier.end:
            what = "quotas" if spell.kind == "export_quota" else "embargoes"
            message = f"overlaps {earlier.words}: two {what} cannot be in force on the same trade at once"
            day_before = spell.start - timedelta(days=1) if spell.start > earlier.start else None
            hint = f"end the earlier one on {day_before}" if day_before else "keep one of them"
            yield Found(("policies", spell.position, "start"), message, hint)
        if earlier is None or spell.end > earlier.end:
            running[spell.regions] = spell


def _oversubsidised(spells: list[_Spell]) -> Iterator[Found]:
    named = {code for spell in spells for code in spell.regions or ()}
    for destination in (None, *sorted(named)):
        concerned = [spell for spell in spells if spell.regions is None or destination in spell.regions]
        # The sum of rates falls only where a subsidy starts or a tax ends; only a subsidy can bring it down to -1.
        days = {spell.start for spell in concerned if spell.rate < 0}
        if days:
            days |= {spell.end + timedelta(days=1) for spell in concerned if spell.rate > 0 and spell.end < date.max}
        for day in sorted(days):
            together = [spell for spell in concerned if spell.start <= day <= spell.end]
            total = sum(spell.rate for spell in together)
            if len(together) > 1 and total <= -1.0:
                where = f" to {destination}" if destination else ""
                message = f"the taxes in force on exports{where} on {day} add up to {total:g}; the sum must be above -1"
                yield Found(("policies", min(together, key=lambda spell: spell.rate).position, "rate"), message)
                break


def _spell(position: int, item: object, regions: Labels | None) -> _Spell | None:
    if not isinstance(item, Mapping) or "start" not in item:
        return None
    try:
        start = parse_start(item["start"])
        end = date.max if item.get("end") is None else parse_end(item["end"])
        touched = _touched(item, regions)
    except (ValueError, LabelError):
        return None
    rate = item.get("rate")
    known_rate = float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else 0.0
    return _Spell(start, position, end, str(item.get("type")), touched, known_rate)


def _touched(item: Mapping[Any, Any], regions: Labels | None) -> frozenset[str] | None:
    named = item.get("destinations") if "destination" not in item else [item["destination"]]
    if named is None:
        return None
    if not isinstance(named, list | tuple):
        raise ValueError("not a list of destinations")
    return frozenset(str(label) if regions is None else regions.codes[regions.index(str(label))] for label in named)
