"""The result of a simulation: labelled, immutable, and loud about what it is worth."""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from reesim.errors import ConvergenceError, InputError, LabelError, ReesimError
from reesim.labels import Labels
from reesim.results import frames
from reesim.results.provenance import Provenance
from reesim.variables import OPTIONAL_VALUES, VARIABLES, variable

if TYPE_CHECKING:
    import xarray

__all__ = ["Path", "Provenance"]

_STATE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Path:
    """Every variable that was kept, by date; the first row is the baseline.

    Parameters
    ----------
    times : DatetimeIndex, shape (T,)
        Opening day of each period, increasing.
    values : mapping of str to array, shape (T, *axes of the variable)
        By name of the registry. Kept as read-only float64, in the order of the registry.
    regions, sectors : Labels
        Labels of the axes.
    provenance : Provenance
        Where the path comes from.
    rule_state : mapping of str to array, shape (T, ...), optional
        States owned by rules of the user. Kept as read-only float64, in alphabetical order.

    Raises
    ------
    InputError
        If dates, shapes or names do not fit.
    ConvergenceError
        If a number is not finite; the message names variable, region, sector and date. Only the policy limits in
        ``OPTIONAL_VALUES`` may be nan, where no limit is in force.
    """

    times: pd.DatetimeIndex
    values: Mapping[str, NDArray[np.float64]]
    regions: Labels
    sectors: Labels
    provenance: Provenance
    rule_state: Mapping[str, NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        times = _checked_times(self.times)
        object.__setattr__(self, "times", times)
        for name in self.values:
            variable(name)
        if not self.values:
            raise InputError("a path needs at least one variable")
        kept = {name: _frozen(self.values[name], name) for name in VARIABLES if name in self.values}
        for name, array in kept.items():
            frames.checked(name, array, self.regions, self.sectors, len(times))
            self._require_finite(name, array)
        object.__setattr__(self, "values", MappingProxyType(kept))
        states = dict(self.rule_state or {})
        owned = {name: _checked_state(name, states[name], len(times)) for name in sorted(states)}
        object.__setattr__(self, "rule_state", MappingProxyType(owned))

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            Path,
            (self.times, dict(self.values), self.regions, self.sectors, self.provenance, dict(self.rule_state or {})),
        )

    def _require_finite(self, name: str, array: NDArray[np.float64]) -> None:
        wrong = np.isinf(array) if name in OPTIONAL_VALUES else ~np.isfinite(array)
        if not wrong.any():
            return
        place = np.unravel_index(int(np.argmax(wrong)), array.shape)
        labels = {
            axis: frames.axis_labels(axis, self.regions, self.sectors).codes[position]
            for axis, position in zip(variable(name).axes, place[1:], strict=True)
        }
        date = f"{self.times[int(place[0])]:%Y-%m-%d}"
        where = "".join(f", {axis} {label}" for axis, label in labels.items())
        raise ConvergenceError(
            f"{name} is {array[place]} on {date}{where}: such a path is not a result and is refused; "
            "look at what the simulation reports for that date",
            equation=variable(name).equation,
            region=labels.get("region", ""),
            sector=labels.get("sector", ""),
            date=date,
        )

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables kept, in the order of the registry."""
        return tuple(self.values)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every output must show with this path: instability first."""
        return self.provenance.alerts

    @property
    def certificate(self) -> float:
        """Largest relative residual over all dates; nan if ``residual`` was not kept."""
        return float(self.values["residual"].max()) if "residual" in self.values else float("nan")

    def array(self, name: str) -> NDArray[np.float64]:
        """Read-only values of a variable, shape (T, *axes).

        Raises
        ------
        LabelError
            If there is no such variable, or the path did not keep it.
        """
        try:
            return self.values[name]
        except KeyError:
            variable(name)
            raise LabelError(
                f"this path did not keep {name!r}: name it under output.variables and run again. "
                f"Kept: {', '.join(self.variables)}."
            ) from None

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Table of one variable by date, with labelled columns (see ``frames.wide``)."""
        return frames.wide(name, self.array(name), self.regions, self.sectors, self.times)

    def __len__(self) -> int:
        return len(self.times)

    def to_dataframe(self, variables: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Tidy table: time, variable, region, partner, sector, value, unit (see ``frames.tidy``).

        Parameters
        ----------
        variables : str or sequence of str, optional
            Which ones; all that were kept by default.

        Raises
        ------
        LabelError
            If the path has no such variable.
        """
        names = [variables] if isinstance(variables, str) else list(self.variables if variables is None else variables)
        table = frames.tidy({name: self.array(name) for name in names}, self.regions, self.sectors, self.times)
        table.attrs["warnings"] = self.provenance.alerts
        return table

    def to_xarray(self) -> xarray.Dataset:
        """Labelled arrays with units, for the extra ``xarray``.

        Raises
        ------
        ReesimError
            If xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            raise ReesimError("to_xarray needs xarray: install it with pip install 'reesim[xarray]'") from error
        data = {}
        for name, array in self.values.items():
            known = variable(name)
            notes = {"units": known.unit, "long_name": known.description, "equation": known.equation}
            data[name] = (("time", *known.axes), array, notes)
        coordinates: dict[str, Any] = {"time": self.times.to_numpy()}
        for axis in dict.fromkeys(axis for name in self.values for axis in variable(name).axes):
            labels = frames.axis_labels(axis, self.regions, self.sectors)
            coordinates[axis] = list(labels.codes)
            coordinates[f"{axis}_name"] = (axis, list(labels.names))
        about = {
            "title": self.provenance.title or self.provenance.name,
            "calibration_hash": self.provenance.calibration_hash,
            "warnings": "\n".join(self.provenance.alerts),
        }
        return xarray.Dataset(data, coordinates, about)

    def save(self, file: str | pathlib.Path) -> pathlib.Path:
        """Write everything to one HDF5 file, whole or not at all, and return where it stands.

        Raises
        ------
        StoreError
            If it cannot be written; a file that stood there before is then unharmed.
        """
        from reesim.results import store

        return store.save(self, file)

    @classmethod
    def load(cls, file: str | pathlib.Path) -> Path:
        """Read a path that ``save`` wrote; bit for bit the same.

        Raises
        ------
        StoreError
            If the file is missing, damaged, foreign or from a newer version.
        """
        from reesim.results import store

        return store.load(file)

    def at(self, date: str | datetime.date) -> Path:
        """Path of the one row whose period contains a date.

        Parameters
        ----------
        date : str or date
            ``"2012-06"``, ``"2012"``, ``"2012Q2"``, ``"2012-06-15"`` or a date. A partial date means its first day, or
            the first row if the path begins within it.

        Raises
        ------
        InputError
            If it is not a date, or outside the path.
        """
        first, last = _span(date)
        row = int(self.times.searchsorted(first, side="right")) - 1
        if row < 0 and last >= self.times[0]:
            row = 0
        end = _end_of_last_period(self.times)
        if row < 0 or first >= end:
            raise InputError(
                f"{date} is outside this path, which covers {self.times[0]:%Y-%m-%d} to "
                f"{end - pd.Timedelta(days=1):%Y-%m-%d}"
            )
        rows = slice(row, row + 1)
        return Path(
            self.times[rows],
            {name: array[rows] for name, array in self.values.items()},
            self.regions,
            self.sectors,
            self.provenance,
            {name: array[rows] for name, array in (self.rule_state or {}).items()},
        )

    def equals(self, other: object) -> bool:
        """Whether everything is the same, bit for bit: dates, labels, numbers, states of rules, provenance."""
        return (
            isinstance(other, Path)
            and self.times.equals(other.times)
            and (self.regions, self.sectors) == (other.regions, other.sectors)
            and self.provenance == other.provenance
            and _same_bits(self.values, other.values)
            and _same_bits(self.rule_state or {}, other.rule_state or {})
        )

    def summary(self) -> pd.DataFrame:
        """Key figures by region (see ``reesim.results.describe.summary``)."""
        from reesim.results import describe

        return describe.summary(self)

    def __repr__(self) -> str:
        from reesim.results import describe

        return describe.short(self)

    def _repr_html_(self) -> str:
        from reesim.results import describe

        return describe.card(self)


def describe(path: Path) -> str:
    """Full text about a path: what ``reesim show`` prints (see ``reesim.results.describe.full``)."""
    from reesim.results import describe as words

    return words.full(path)


def _checked_times(times: object) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(times)  # type: ignore[arg-type]
    if len(index) == 0 or index.hasnans or index.tz is not None:
        raise InputError("a path needs at least one date, none missing, none with a time zone")
    if not (index.is_monotonic_increasing and index.is_unique):
        raise InputError("the dates of a path must increase, each standing once")
    if not bool((index == index.normalize()).all()):
        raise InputError("the dates of a path are days: give them without a time of day")
    # Through NumPy: one resolution whatever came in, and no frequency, so that saving and loading is an identity.
    return pd.DatetimeIndex(index.to_numpy().astype("datetime64[us]"), name="time")


def _frozen(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Read-only, contiguous float64 copy that nobody else can write to."""
    given = np.asarray(values)
    flags = given.flags
    if given is values and given.dtype == np.float64 and flags.owndata and flags.c_contiguous and not flags.writeable:
        return given
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name!r} holds {given.dtype} where numbers belong")
    array = np.array(given, dtype=np.float64, order="C", copy=True)
    array.flags.writeable = False
    return array


def _checked_state(name: str, values: ArrayLike, times: int) -> NDArray[np.float64]:
    if not _STATE_NAME.fullmatch(name):
        raise InputError(f"state of a rule {name!r}: use letters, digits, and . _ - only, beginning with a letter")
    array = _frozen(values, f"state of a rule {name}")
    if array.ndim == 0 or array.shape[0] != times:
        raise InputError(f"state of a rule {name!r} has shape {array.shape}: its first axis must be the {times} dates")
    if not np.isfinite(array).all():
        raise ConvergenceError(f"state of a rule {name!r} is not finite everywhere: mend the rule that owns it")
    return array


def _same_bits(ours: Mapping[str, NDArray[np.float64]], theirs: Mapping[str, NDArray[np.float64]]) -> bool:
    return list(ours) == list(theirs) and all(
        ours[name].shape == theirs[name].shape and ours[name].tobytes() == theirs[name].tobytes() for name in ours
    )


def _span(date: str | datetime.date) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last instant of a date or of a partial date."""
    try:
        if isinstance(date, str):
            period = pd.Period(date)
            return period.start_time, period.end_time
        stamp = pd.Timestamp(date)
        return stamp, stamp
    except (ValueError, TypeError) as error:
        raise InputError(f"{date!r} is not a date: give '2012', '2012-06', '2012Q2' or '2012-06-15'") from error


def _end_of_last_period(times: pd.DatetimeIndex) -> pd.Timestamp:
    """First day after the last period, taken to be as long as the one before; a single row covers its own day."""
    last = times[-1]
    if len(times) == 1:
        return last + pd.Timedelta(days=1)
    before = times[-2]
    months = (last.year - before.year) * 12 + last.month - before.month
    if months and before + pd.DateOffset(months=months) == last:
        return last + pd.DateOffset(months=months)
    return last + (last - before)
