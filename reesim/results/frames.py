"""Tables with labels: the tidy and the wide form in which paths and static equilibria are read.

Both take plain arrays and the registry of variables; they know nothing of paths or solvers. Labels are codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reesim.errors import InputError
from reesim.labels import Labels
from reesim.variables import variable

NOT_APPLICABLE = ""
"""What a tidy table holds in a column of labels for a variable that has no such axis."""

_AXES = ("region", "partner", "sector")


def axis_labels(axis: str, regions: Labels, sectors: Labels) -> Labels:
    """Labels along an axis; the partner of a trade flow is a region."""
    return sectors if axis == "sector" else regions


def expected_shape(name: str, regions: Labels, sectors: Labels, times: int | None) -> tuple[int, ...]:
    """Shape that the array of a variable must have, time first; ``times=None`` for a static equilibrium.

    Raises
    ------
    LabelError
        If the registry has no such variable.
    """
    axes = tuple(len(axis_labels(axis, regions, sectors)) for axis in variable(name).axes)
    return axes if times is None else (times, *axes)


def checked(
    name: str, array: NDArray[np.float64], regions: Labels, sectors: Labels, times: int | None
) -> NDArray[np.float64]:
    """Return the array as it is if its shape fits its variable.

    Raises
    ------
    InputError
        If the shape is another; the message names the axes in order.
    LabelError
        If the registry has no such variable.
    """
    shape = expected_shape(name, regions, sectors, times)
    if np.shape(array) != shape:
        axes = ", ".join((() if times is None else ("time",)) + variable(name).axes)
        raise InputError(
            f"variable {name!r} has shape {np.shape(array)} where ({axes}) calls for {shape}: "
            "give one value for every label, axes in that order"
        )
    return array


def tidy(
    values: Mapping[str, NDArray[np.float64]], regions: Labels, sectors: Labels, times: pd.DatetimeIndex | None
) -> pd.DataFrame:
    """One row per number.

    Parameters
    ----------
    values : mapping of str to ndarray
        Arrays by variable, shape (time, *axes of the variable), or (*axes) without times.
    regions, sectors : Labels
        Labels of the axes.
    times : DatetimeIndex or None
        Dates of the first axis; None for a static equilibrium.

    Returns
    -------
    DataFrame
        Columns time (absent without times), variable, region, partner, sector, value, unit. Labels are codes, as
        categories; where a variable has no such axis its label is the empty string, so that grouping, selecting and
        writing to CSV never meet a missing label. A missing *value* (no limit in force) stays nan.

    Raises
    ------
    InputError
        If no variable is given or an array does not fit its variable.
    """
    if not values:
        raise InputError("no variables to tabulate: name at least one")
    length = None if times is None else len(times)
    arrays = [checked(name, array, regions, sectors, length) for name, array in values.items()]
    sizes = np.array([array.size for array in arrays])
    units = list(dict.fromkeys(variable(name).unit for name in values))
    unit_of = np.array([units.index(variable(name).unit) for name in values], dtype=np.int32)
    columns: dict[str, Any] = {}
    if times is not None:
        per_date = np.concatenate([np.repeat(np.arange(len(times)), array.size // len(times)) for array in arrays])
        columns["time"] = times.take(per_date)
    columns["variable"] = _categories(np.repeat(np.arange(len(arrays), dtype=np.int32), sizes), list(values))
    for axis in _AXES:
        codes = np.concatenate([_axis_codes(name, axis, array) for name, array in zip(values, arrays, strict=True)])
        columns[axis] = _categories(codes, [NOT_APPLICABLE, *axis_labels(axis, regions, sectors).codes])
    columns["value"] = np.concatenate([array.ravel() for array in arrays])
    columns["unit"] = _categories(np.repeat(unit_of, sizes), units)
    return pd.DataFrame(columns)


def _axis_codes(name: str, axis: str, array: NDArray[np.float64]) -> NDArray[np.int32]:
    """Position of every number of a flattened array in the categories of an axis; 0 is "does not apply"."""
    axes = variable(name).axes
    if axis not in axes:
        return np.zeros(array.size, dtype=np.int32)
    place = array.ndim - len(axes) + axes.index(axis)
    shape = [1] * array.ndim
    shape[place] = array.shape[place]
    codes = np.arange(1, array.shape[place] + 1, dtype=np.int32).reshape(shape)
    return np.broadcast_to(codes, array.shape).ravel()


def _categories(codes: NDArray[np.int32], categories: list[str]) -> Any:
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories))


def wide(
    name: str, array: NDArray[np.float64], regions: Labels, sectors: Labels, times: pd.DatetimeIndex | None
) -> pd.DataFrame:
    """One variable as a table with labels.

    Parameters
    ----------
    name : str
        A variable of the registry.
    array : ndarray, (time, *axes), or (*axes) without times
        Its values.
    regions, sectors : Labels
        Labels of the axes.
    times : DatetimeIndex or None
        Dates of the first axis; None for a static equilibrium.

    Returns
    -------
    DataFrame
        With times: one row per date; one column per region, per (region, sector) or per (region, partner, sector), or
        one column named after the variable. Without times: the last axis across, the others down.

    Raises
    ------
    InputError
        If the array does not fit its variable.
    """
    checked(name, array, regions, sectors, None if times is None else len(times))
    axes = variable(name).axes
    if times is not None:
        index: pd.Index[Any] = pd.DatetimeIndex(times, name="time")
        columns = _index(axes, name, regions, sectors)
    else:
        down, across = (axes[:-1], axes[-1:]) if len(axes) > 1 else (axes, ())
        index = _index(down, name, regions, sectors)
        columns = _index(across, name if down else "value", regions, sectors)
    # A copy: whoever edits the table must never edit the result it came from.
    return pd.DataFrame(array.reshape(len(index), len(columns)), index=index, columns=columns, copy=True)


def _index(axes: tuple[str, ...], name: str, regions: Labels, sectors: Labels) -> pd.Index[Any]:
    """Labels of one side of a wide table; the variable's own name where there is no axis."""
    codes = [list(axis_labels(axis, regions, sectors).codes) for axis in axes]
    if not axes:
        return pd.Index([name])
    if len(axes) == 1:
        return pd.Index(codes[0], name=axes[0])
    return pd.MultiIndex.from_product(codes, names=list(axes))


def series(name: str, array: NDArray[np.float64], regions: Labels, sectors: Labels) -> pd.Series[Any]:
    """One variable of a static equilibrium as a Series with labels.

    Parameters and errors are those of `wide`; a variable without axes gives one number under its own name.
    """
    checked(name, array, regions, sectors, None)
    index = _index(variable(name).axes, name, regions, sectors)
    return pd.Series(np.array(array).ravel(), index=index, name=name)
