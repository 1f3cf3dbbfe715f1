"""Where a result comes from: the scenario it ran, the choices and rules behind it, and what must be said with it."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from reesim.errors import InputError

_FLOAT = "$float"
"""Key under which a number that JSON cannot write (inf, nan) is kept, as text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provenance:
    """The record that is kept with every result. Equal when every word and number is.

    Parameters
    ----------
    name, title : str
        Name and one-line title of the scenario.
    scenario_text : str
        The scenario file, verbatim.
    effective_scenario : str
        The scenario that ran, after overrides, as canonical YAML.
    overrides : mapping of str to object
        Dotted path to the value that replaced the file's; anything that JSON can hold, dates as ISO text.
    calibration_hash : str
        Hash of the calibrated baseline.
    choices : mapping of str to str
        Calibration choices and default speeds of adjustment, shown with every result.
    rules : mapping of str to str
        Name of the rule in the place of ``entry``, ``pricing``, ``switching``.
    versions : mapping of str to str
        Software and its version.
    substeps : int
        Substeps in each period.
    created : str
        When the run ended, ISO 8601, UTC.
    stability : mapping of str to float, bool or str
        Of the equilibrium the path moves around. ``stable=False`` is repeated as a warning wherever the result is
        shown, and so is a ``delta_star_warning`` that is neither empty nor False.
    warnings : tuple of str
        Anything else that must be said with the result.

    Raises
    ------
    InputError
        If a mapping holds something that cannot be written to a file.
    """

    name: str
    title: str = ""
    scenario_text: str = ""
    effective_scenario: str = ""
    overrides: Mapping[str, object] = field(default_factory=dict)
    calibration_hash: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    substeps: int = 1
    created: str = ""
    stability: Mapping[str, float | bool | str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("overrides", "choices", "rules", "versions", "stability"):
            entries = _plain(getattr(self, name), name)
            object.__setattr__(self, name, MappingProxyType(entries))
        object.__setattr__(self, "substeps", int(self.substeps))
        object.__setattr__(self, "warnings", tuple(str(text) for text in self.warnings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Provenance) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return (Provenance.from_dict, (self.to_dict(),))

    def _key(self) -> str:
        # JSON text rather than the values: it tells 1 from 1.0 and finds nan equal to itself.
        return json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)

    @property
    def alerts(self) -> tuple[str, ...]:
        """What every output must show: an unstable equilibrium first, then the other warnings."""
        texts = []
        if self.stability.get("stable", True) is False:
            rate = self.stability.get("spectral_abscissa")
            speed = f" (spectral abscissa {rate:+.4g} a year)" if isinstance(rate, float) else ""
            texts.append(f"UNSTABLE equilibrium{speed}: entry moves away from it; do not read it as an outcome")
        near = self.stability.get("delta_star_warning", "")
        if near:
            texts.append(near if isinstance(near, str) else "delta is close to the edge of stability (delta*)")
        return tuple(dict.fromkeys((*texts, *self.warnings)))

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON can write."""
        record: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            record[entry.name] = _encode(dict(value) if isinstance(value, Mapping) else value)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Provenance:
        """Undo ``to_dict``.

        Raises
        ------
        InputError
            If an entry is missing, unknown or of another type.
        """
        known = {entry.name for entry in fields(cls)}
        if set(record) != known:
            odd = ", ".join(sorted(set(record) ^ known))
            raise InputError(f"the record of provenance has missing or unknown entries: {odd}")
        decoded = {name: _decode(value) for name, value in record.items()}
        for name, value in decoded.items():
            wanted = _TYPES.get(name, str)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise InputError(f"the record of provenance holds {type(value).__name__} under {name!r}")
        return cls(**decoded)


_TYPES: dict[str, type] = {
    "overrides": dict,
    "choices": dict,
    "rules": dict,
    "versions": dict,
    "stability": dict,
    "substeps": int,
    "warnings": list,
}


def _plain(value: object, place: str) -> Any:
    """Copy of a value in plain Python types, so that nothing outside can change it and JSON can write it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, f"{place}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{place}.{position}") for position, entry in enumerate(value)]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():  # a NumPy scalar, np.float64 included
        return _plain(item(), place)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise InputError(
        f"provenance {place}: {type(value).__name__} cannot be saved; give text, numbers, lists or mappings"
    )


def _encode(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if isinstance(value, dict):
        return {key: _encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(entry) for entry in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _decode(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_decode(entry) for entry in value]
    return value


def listed(texts: Iterable[str], most: int) -> list[str]:
    """Each text on one line of at most 110 characters; beyond ``most`` texts, say how many more there are."""
    lines = [" ".join(text.split()) for text in texts]
    lines = [line if len(line) <= 110 else line[:109] + "…" for line in lines]
    return lines if len(lines) <= most else [*lines[: most - 1], f"… and {len(lines) - most + 1} more"]
