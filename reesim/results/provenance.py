"""Where a result comes from: the scenario it ran, the choices and rules behind it, and what must be said with it."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reesim.errors import InputError

if TYPE_CHECKING:
    from reesim.scenario import Scenario

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
    inputs : mapping of str to str
        Files that the scenario names, by dotted path, each with the digest of its bytes: what the texts above do not hold.
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
    inputs: Mapping[str, str] = field(default_factory=dict)
    substeps: int = 1
    created: str = ""
    stability: Mapping[str, float | bool | str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("overrides", "choices", "rules", "versions", "inputs", "stability"):
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
    def rare_earths(self) -> bool:
        """Whether the world of the result has rare earths."""
        return has_rare_earths(self.choices)

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
        if set(record) | _LATER != known:
            odd = ", ".join(sorted((set(record) | _LATER) ^ known))
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
    "inputs": dict,
    "stability": dict,
    "substeps": int,
    "warnings": list,
}


_LATER = {"inputs"}
"""Entries that older records do not have."""


def has_rare_earths(choices: Mapping[str, str]) -> bool:
    """Whether the choices behind a result are those of a world with rare earths."""
    return choices.get("rare-earth shares", "").partition(":")[0] != "none"


def input_digests(scenario: Scenario) -> dict[str, str]:
    """Digest the files that a scenario names beside its table, whose numbers are in the calibration's hash.

    Returns
    -------
    dict of str to str
        By dotted path: name of the file and SHA-256 of its bytes, or that it can no longer be read.
    """
    files: dict[str, Path] = {}
    if scenario.trade_elasticity_path is not None:
        files["calibration.trade_elasticity"] = scenario.trade_elasticity_path
    if scenario.ree_requirements_path is not None:
        files["calibration.ree_requirements"] = scenario.ree_requirements_path
    if scenario.estimates_path is not None:
        files["parameters.from"] = scenario.estimates_path
    for position, policy in enumerate(scenario.policies):
        name = getattr(policy, "file", None)
        if name is not None:
            files[f"policies.{position}.file"] = scenario.folder / str(name)
    return {place: f"{file.name}, {_digest(file)}" for place, file in files.items()}


def _digest(file: Path) -> str:
    try:
        return f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
    except OSError as error:  # it was read before the run: the result stands without its digest
        return f"no digest: {error.strerror or error}"


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
