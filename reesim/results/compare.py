"""Two paths side by side: where they part, how far, how fast the gap closes, and what made them differ."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reesim.errors import InputError
from reesim.labels import Labels
from reesim.results import frames
from reesim.results.differences import Differences, differences
from reesim.results.path import Path
from reesim.results.provenance import Provenance, listed
from reesim.variables import HAT, REAL_USD, USD, variable

LEVEL_UNITS = (HAT, USD, REAL_USD, "tonnes a year")
"""Units in which a relative difference means something; shares and changes are compared by difference only."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """First place where two paths differ: ``region``, ``partner``, ``sector`` are empty where they do not apply."""

    time: pd.Timestamp
    variable: str
    region: str
    partner: str
    sector: str
    a: float
    b: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Path ``b`` against path ``a``, over what they have in common.

    Parameters
    ----------
    times, regions, sectors : DatetimeIndex, Labels, Labels
        The common dates and labels, in the order of ``a``.
    a, b : mapping of str to ndarray, shape (T, *axes of the variable)
        Values of the common variables; read-only.
    gap : mapping of str to ndarray
        ``b - a``. Where neither has a limit in force it is nan, and so it is where only one has.
    per_cent : mapping of str to ndarray
        ``100 (b - a) / |a|`` of the variables whose unit is a level; nan where ``a`` is zero.
    provenance : mapping of str to (object, object)
        What differs behind the two: ``scenario.<field>``, ``choices.<name>``, ``rules.<name>``, ...; None where one
        side has no such entry.
    left_out : mapping of str to tuple of str
        What stands in one path only: times, variables, regions, sectors of ``a`` or of ``b``.
    names, alerts, certificates : tuples
        Names and largest residuals of the two; warnings of either, an unstable equilibrium first.
    """

    times: pd.DatetimeIndex
    regions: Labels
    sectors: Labels
    a: Mapping[str, NDArray[np.float64]]
    b: Mapping[str, NDArray[np.float64]]
    gap: Mapping[str, NDArray[np.float64]]
    per_cent: Mapping[str, NDArray[np.float64]]
    provenance: Differences
    left_out: Mapping[str, tuple[str, ...]]
    names: tuple[str, str]
    alerts: tuple[str, ...]
    certificates: tuple[float, float]

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables compared."""
        return tuple(self.gap)

    def to_dataframe(self) -> pd.DataFrame:
        """Tidy table: time, variable, region, partner, sector, a, b, difference, per_cent, unit."""
        table = frames.tidy(self.a, self.regions, self.sectors, self.times).rename(columns={"value": "a"})
        unit = table.pop("unit")
        table["b"] = np.concatenate([self.b[name].ravel() for name in self.variables])
        table["difference"] = np.concatenate([self.gap[name].ravel() for name in self.variables])
        missing = {name: np.full(self.gap[name].shape, np.nan) for name in self.variables if name not in self.per_cent}
        relative = {**missing, **self.per_cent}
        table["per_cent"] = np.concatenate([relative[name].ravel() for name in self.variables])
        table["unit"] = unit
        table.attrs["warnings"] = self.alerts
        return table

    def summary(self) -> pd.DataFrame:
        """One row per variable and region (for trade: the exporter).

        Returns
        -------
        DataFrame
            variable, region, unit; the largest gap in size (``peak_difference``, ``peak_per_cent``) with its
            ``peak_date``, ``peak_sector`` and ``peak_partner``; and of that same cell the gap at the last date
            (``final_difference``, ``final_per_cent``) and ``half_life_years``: how long after the peak the gap has
            first halved, nan if it never does. ``attrs["warnings"]`` holds the alerts.
        """
        table = pd.DataFrame([row for name in self.variables for row in self._rows(name)])
        table.attrs["warnings"] = self.alerts
        return table

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        axes = variable(name).axes
        by_region = axes[:1] == ("region",)
        gap = self.gap[name] if by_region else self.gap[name][:, None]
        relative = self.per_cent.get(name)
        for region in range(gap.shape[1]):
            label = self.regions.codes[region] if by_region else frames.NOT_APPLICABLE
            row: dict[str, Any] = {"variable": name, "region": label, "unit": variable(name).unit}
            place = _peak(gap[:, region])
            if place is None:  # a limit that is never in force in both
                yield row | _NO_PEAK
                continue
            cell = ((region,) if by_region else ()) + place[1:]
            series = _series(self.gap[name], cell)
            per_cent = np.full_like(series, np.nan) if relative is None else _series(relative, cell)
            labels = self._place(name, cell)
            yield row | {
                "peak_difference": series[place[0]],
                "peak_per_cent": per_cent[place[0]],
                "peak_date": self.times[place[0]],
                "peak_sector": labels["sector"],
                "peak_partner": labels["partner"],
                "final_difference": series[-1],
                "final_per_cent": per_cent[-1],
                "half_life_years": half_life(self.times, series, place[0]),
            }

    def _place(self, name: str, cell: Sequence[int]) -> dict[str, str]:
        """Labels of a cell, empty where an axis does not apply."""
        labels = dict.fromkeys(("region", "partner", "sector"), frames.NOT_APPLICABLE)
        for axis, position in zip(variable(name).axes, cell, strict=True):
            labels[axis] = frames.axis_labels(axis, self.regions, self.sectors).codes[position]
        return labels

    def first_divergence(self, tolerance: float = 0.0) -> Divergence | None:
        """First date at which the paths differ, and the place where they then differ most; None if they never do.

        Parameters
        ----------
        tolerance : float
            Two numbers differ if ``|b - a| > tolerance * max(1, |a|, |b|)``, or if only one is missing.

        Raises
        ------
        InputError
            If the tolerance is negative or nan.
        """
        if not tolerance >= 0:
            raise InputError(f"tolerance {tolerance}: give zero or a positive number")
        found: tuple[int, float, str, tuple[int, ...]] | None = None
        for name in self.variables:
            size = _scaled_gap(self.a[name], self.b[name]).reshape(len(self.times), -1)
            rows = np.flatnonzero((size > tolerance).any(axis=1))
            if not len(rows):
                continue
            cell = int(size[rows[0]].argmax())
            size_there = float(size[rows[0], cell])
            if found is None or (rows[0], -size_there) < (found[0], -found[1]):
                place = tuple(int(i) for i in np.unravel_index(cell, self.gap[name].shape[1:]))
                found = (int(rows[0]), size_there, name, place)
        if found is None:
            return None
        row, _, name, place = found
        labels = self._place(name, place)
        values = (float(side[name][(row, *place)]) for side in (self.a, self.b))
        return Divergence(self.times[row], name, labels["region"], labels["partner"], labels["sector"], *values)

    @property
    def sides(self) -> tuple[str, str]:
        """Names to tell ``a`` and ``b`` apart: those of the scenarios, with the technology where only it differs."""
        a, b = self.names
        technologies = self.provenance.get("choices.technology")
        if a != b or technologies is None:
            return a, b
        of_a, of_b = (found or "not recorded" for found in technologies)
        return f"{a} (technology {of_a})", f"{b} (technology {of_b})"

    def __repr__(self) -> str:
        """Say in a few lines what is compared, where the paths part, and what is wrong with either."""
        lines = self._headline()
        if self.provenance:
            lines += listed([f"differ in: {', '.join(self.provenance)}"], 1)
        lines += [f"WARNING: {text}" for text in listed(self.alerts, 3)]
        return "<Comparison of " + "\n  ".join(lines) + ">"

    def __str__(self) -> str:
        """Say all: what differs behind the paths (a -> b), every warning, and the whole summary, b less a."""
        lines = self._headline()
        lines += [f"WARNING: {text}" for text in self.alerts]
        lines += [f"differ in {name}: {a} -> {b}" for name, (a, b) in self.provenance.items()]
        table = self.summary().to_string(index=False, float_format="{:.6g}".format, na_rep="")
        return "\n".join(
            ["Comparison of " + "\n  ".join(lines), "", "Largest gap of each variable and region (b - a):", table]
        )

    def _headline(self) -> list[str]:
        """Which two, over what, and where they part."""
        a, b = self.sides
        dates = f"{self.times[0]:%Y-%m-%d} to {self.times[-1]:%Y-%m-%d}, {len(self.times)} dates"
        size = f"{len(self.variables)} variables, {len(self.regions)} regions × {len(self.sectors)} sectors"
        return [f"a {a!r} and b {b!r}: {dates}", size, self._parting()]

    def _parting(self) -> str:
        first = self.first_divergence()
        if first is None:
            return "equal wherever they can be compared"
        place = ", ".join(label for label in (first.region, first.partner, first.sector) if label)
        return (
            f"part on {first.time:%Y-%m-%d}: {first.variable}{f' ({place})' if place else ''} "
            f"a {first.a:.6g}, b {first.b:.6g}"
        )

    def _repr_html_(self) -> str:
        warned = "".join(f"<p><strong>Warning: {html.escape(text)}</strong></p>" for text in self.alerts)
        behind = "".join(
            f"<li>{html.escape(name)}: {html.escape(str(a))} → {html.escape(str(b))}</li>"
            for name, (a, b) in self.provenance.items()
        )
        a, b = (html.escape(name) for name in self.sides)
        return (
            f"<div><strong>a: {a}; b: {b}</strong>{warned}<p>{html.escape(self._parting())}</p><ul>{behind}</ul>"
            f"{self.summary().to_html(index=False, float_format='{:.4g}'.format)}</div>"
        )


_NO_PEAK: dict[str, Any] = {
    "peak_difference": np.nan,
    "peak_per_cent": np.nan,
    "peak_date": pd.NaT,
    "peak_sector": "",
    "peak_partner": "",
    "final_difference": np.nan,
    "final_per_cent": np.nan,
    "half_life_years": np.nan,
}


def compare(a: Path, b: Path, *, variables: str | Sequence[str] | None = None) -> Comparison:
    """Compare two paths over their common dates, regions, sectors and variables.

    Parameters
    ----------
    a, b : Path
        ``a`` is what ``b`` is measured against.
    variables : str or sequence of str, optional
        Which ones; all common ones by default.

    Raises
    ------
    InputError
        If nothing is common.
    LabelError
        If a variable named is not in both paths.
    """
    names = [variables] if isinstance(variables, str) else variables
    if names is None:
        names = [name for name in a.variables if name in b.values]
    for name in names:
        a.array(name), b.array(name)
    if not names:
        raise InputError("nothing to compare: the two paths have no variable in common; see path.variables of both")
    times = a.times.intersection(b.times)
    if not len(times):
        raise InputError(
            f"nothing to compare: no date is common ({_dates(a)} and {_dates(b)}); "
            "run both scenarios on calendars with the same start and step"
        )
    regions, sectors = _common(a.regions, b.regions), _common(a.sectors, b.sectors)
    left = {name: _pick(a, name, times, regions, sectors) for name in names}
    right = {name: _pick(b, name, times, regions, sectors) for name in names}
    gap = {name: _read_only(right[name] - left[name]) for name in names}
    relative = {name: _relative(gap[name], left[name]) for name in names if variable(name).unit in LEVEL_UNITS}
    return Comparison(
        pd.DatetimeIndex(times, name="time"),
        regions,
        sectors,
        MappingProxyType(left),
        MappingProxyType(right),
        MappingProxyType(gap),
        MappingProxyType(relative),
        provenance=MappingProxyType(differences(a.provenance, b.provenance)),
        left_out=MappingProxyType(_left_out(a, b)),
        names=(a.provenance.name, b.provenance.name),
        alerts=_alerts(a.provenance, b.provenance),
        certificates=(a.certificate, b.certificate),
    )


def _dates(path: Path) -> str:
    return f"{path.times[0]:%Y-%m-%d} to {path.times[-1]:%Y-%m-%d}, {len(path)} rows"


def _common(ours: Labels, theirs: Labels) -> Labels:
    kept = [(code, name) for code, name in zip(ours.codes, ours.names, strict=True) if code in theirs.codes]
    if not kept:
        raise InputError(
            f"nothing to compare: no {ours.kind} is common ({', '.join(ours.codes)} and {', '.join(theirs.codes)})"
        )
    return Labels(ours.kind, tuple(code for code, _ in kept), tuple(name for _, name in kept))


def _pick(path: Path, name: str, times: pd.Index[Any], regions: Labels, sectors: Labels) -> NDArray[np.float64]:
    """Part of a variable at common dates and labels, in their order."""
    positions = [path.times.get_indexer(times)]
    for axis in variable(name).axes:
        own = frames.axis_labels(axis, path.regions, path.sectors).codes
        positions.append(np.array([own.index(code) for code in frames.axis_labels(axis, regions, sectors)]))
    return _read_only(path.array(name)[np.ix_(*positions)])


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.flags.writeable = False
    return array


def _relative(gap: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    return _read_only(100 * np.divide(gap, np.abs(base), out=np.full_like(gap, np.nan), where=base != 0))


def _scaled_gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``|b - a| / max(1, |a|, |b|)``; zero where both are missing, infinite where one is."""
    size = np.abs(b - a) / np.maximum(1, np.maximum(np.abs(a), np.abs(b)))
    size[np.isnan(a) & np.isnan(b)] = 0
    size[np.isnan(a) != np.isnan(b)] = np.inf
    return size


def _series(array: NDArray[np.float64], cell: tuple[int, ...]) -> NDArray[np.float64]:
    """One cell over time."""
    return array.reshape(len(array), -1)[:, np.ravel_multi_index(cell, array.shape[1:]) if cell else 0]


def _peak(gap: NDArray[np.float64]) -> tuple[int, ...] | None:
    """Place of the largest gap in size; None if there is no number at all."""
    size = np.abs(gap)
    if np.isnan(size).all():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.nanargmax(size)), size.shape))


def half_life(times: pd.DatetimeIndex, gap: NDArray[np.float64], peak: int) -> float:
    """Years from a peak until a gap has first halved.

    Parameters
    ----------
    times, gap : shape (T,)
        Dates and the gap.
    peak : int
        Row of the peak.

    Returns
    -------
    float
        Between two dates the gap is taken to decay at a constant rate (in a straight line where it changes sign or
        vanishes). nan if the gap is zero or does not halve before the last date.
    """
    half = abs(gap[peak]) / 2
    below = np.flatnonzero(np.abs(gap[peak:]) <= half)
    if half == 0 or not len(below):
        return float("nan")
    row = peak + int(below[0])
    years = (times - times[peak]) / pd.Timedelta(days=365.25)
    before, after = gap[row - 1], gap[row]
    if before * after > 0:
        share = np.log(abs(before) / half) / np.log(before / after)
    else:
        share = (abs(before) - half) / abs(before - after)
    return float(years[row - 1] + share * (years[row] - years[row - 1]))


def _left_out(a: Path, b: Path) -> dict[str, tuple[str, ...]]:
    """List what stands in one path only."""
    kinds: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "times": ([f"{t:%Y-%m-%d}" for t in a.times], [f"{t:%Y-%m-%d}" for t in b.times]),
        "variables": (a.variables, b.variables),
        "regions": (a.regions.codes, b.regions.codes),
        "sectors": (a.sectors.codes, b.sectors.codes),
    }
    found = {}
    for kind, (ours, theirs) in kinds.items():
        found[f"{kind}_only_in_a"] = tuple(entry for entry in ours if entry not in set(theirs))
        found[f"{kind}_only_in_b"] = tuple(entry for entry in theirs if entry not in set(ours))
    return {key: entries for key, entries in found.items() if entries}


def _alerts(a: Provenance, b: Provenance) -> tuple[str, ...]:
    """Warnings of either side, each with its side, those of an unstable equilibrium first."""
    texts = [f"{side} ({record.name}): {text}" for side, record in (("a", a), ("b", b)) for text in record.alerts]
    return tuple(sorted(texts, key=lambda text: "UNSTABLE" not in text))
