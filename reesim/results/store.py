"""Result files: the only HDF5 code.

A file is an HDF5 image behind a digest (see ``reesim.results.sealed``). The image is built in memory, because HDF5 on a full
disk can take the interpreter down with it, and it is parsed only after its digest has been verified, because HDF5 does
not survive damaged input. A digest proves that nothing changed, not who wrote it, so the structure is then checked as
if it came from a stranger: hard links only, plain contiguous data only, of the expected types and sizes, within the
file. Axes are known from the registry of variables; HDF5's own dimension scales are written for other readers and never
walked here (a damaged list of scales makes h5py free memory twice). Texts have a fixed length, because HDF5 can search
a forged heap of variable ones for ever; attributes are written for other readers, and only the schema number is read.

Layout, schema 1::

    /time (T) int64, days since 1970-01-01          /region, /partner (N), /sector (S), codes, UTF-8
    /<variable> (time, ...) float64                 /region_name, /partner_name, /sector_name
    /provenance/scenario_text, effective_scenario   verbatim UTF-8
    /provenance/record                              the rest, and the units, JSON
    /rule_state/<state> (time, ...) float64         only where rules of the user own states

It opens in h5py, and in xarray through h5netcdf with labelled coordinates.
"""

from __future__ import annotations

import io
import json
import math
import pathlib
import uuid
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reesim.errors import ReesimError, StoreError
from reesim.labels import Labels
from reesim.results import frames, sealed
from reesim.results.path import Path
from reesim.results.provenance import Provenance
from reesim.variables import VARIABLES, variable

SCHEMA = 1
"""Number of the layout; a file with a higher one is refused."""

_DAYS = "days since 1970-01-01"
_CALENDAR = "proleptic_gregorian"
_LONG_TEXTS = ("scenario_text", "effective_scenario")
_AXES = ("region", "partner", "sector")
_FLOAT = h5py.h5t.IEEE_F64LE
_INTEGER = h5py.h5t.STD_I64LE

_MOST_LINKS = 1_000
_FURTHEST_DAY = 10_000_000  # some 27,000 years, well within what a date can hold

_PARSER_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def save(path: Path, file: str | pathlib.Path) -> pathlib.Path:
    """Write a path to one file, whole or not at all, and return where it stands.

    Raises
    ------
    StoreError
        If it cannot be written, or holds a text that cannot be; a file that stood there before is then unharmed.
    """
    try:
        payload = image(path)
    except (UnicodeEncodeError, _UnfitText) as error:
        raise StoreError(f"{file}: not written: a label or text of the result is not plain text: {error}") from error
    return sealed.write(file, payload)


class _UnfitText(ValueError):
    """A text that HDF5 would cut short."""


def image(path: Path) -> bytes:
    """HDF5 image of a path: the same path always gives the same bytes."""
    # HDF5 tells open in-memory files apart by name only, so each gets its own; nothing of that name touches a disk.
    name = f"reesim-{uuid.uuid4()}"
    with h5py.File(name, "w", driver="core", backing_store=False, libver=("earliest", "v108")) as file:
        _write_about(file, path.provenance)
        _write_axes(file, path)
        for variable_name, array in path.values.items():
            _write_variable(file, variable_name, array)
        _write_provenance(file.create_group("provenance"), path)
        if path.rule_state:
            _write_states(file.create_group("rule_state"), file["time"], path)
        file.flush()
        return bytes(file.id.get_file_image())


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8")
    if b"\0" in encoded:
        raise _UnfitText("it holds a zero byte")
    return encoded


def _write_text(group: h5py.Group, name: str, texts: str | tuple[str, ...]) -> h5py.Dataset:
    """Write one text, or a list of them, as UTF-8 of one length."""
    data = _text(texts) if isinstance(texts, str) else [_text(text) for text in texts]
    length = max(1, *map(len, [data] if isinstance(data, bytes) else data))
    dataset = group.create_dataset(name, data=np.array(data, dtype=h5py.string_dtype("utf-8", length)))
    dataset.attrs["_Encoding"] = "utf-8"  # tells xarray that these bytes are text
    return dataset


def _write_about(file: h5py.File, record: Provenance) -> None:
    about: dict[str, Any] = {
        "Conventions": "CF-1.11",
        "title": record.title or record.name,
        "source": f"reesim {record.versions.get('reesim', '')}".strip(),
        "created": record.created,
        "calibration_hash": record.calibration_hash,
        "warnings": "\n".join(record.alerts),
    }
    for name, value in about.items():
        _text(value)
        file.attrs[name] = value
    file.attrs["reesim_schema"] = np.int64(SCHEMA)


def _write_axes(file: h5py.File, path: Path) -> None:
    days = path.times.to_numpy().astype("datetime64[D]").astype("<i8")
    time = file.create_dataset("time", data=days)
    time.attrs["units"], time.attrs["calendar"] = _DAYS, _CALENDAR
    time.attrs["standard_name"], time.attrs["long_name"] = "time", "Opening day of the period"
    time.make_scale("time")
    for axis in _AXES:
        labels = frames.axis_labels(axis, path.regions, path.sectors)
        codes, names = _write_text(file, axis, labels.codes), _write_text(file, f"{axis}_name", labels.names)
        codes.attrs["long_name"], names.attrs["long_name"] = f"Code of the {axis}", f"Name of the {axis}"
        codes.make_scale(axis)
        names.dims[0].attach_scale(codes)


def _write_variable(file: h5py.File, name: str, array: NDArray[np.float64]) -> None:
    known = variable(name)
    dataset = file.create_dataset(name, data=array.astype("<f8", copy=False))
    attributes = {
        "units": known.unit,
        "long_name": known.description,
        "symbol": known.symbol,
        "equation": known.equation,
        "coordinates": " ".join(f"{axis}_name" for axis in known.axes),
    }
    for key, value in attributes.items():
        if value:
            dataset.attrs[key] = value
    for position, axis in enumerate(("time", *known.axes)):
        dataset.dims[position].attach_scale(file[axis])


def _write_provenance(group: h5py.Group, path: Path) -> None:
    entries = path.provenance.to_dict()
    for name in _LONG_TEXTS:
        _write_text(group, name, entries.pop(name))
    record = {"provenance": entries, "units": {name: variable(name).unit for name in path.variables}}
    _write_text(group, "record", json.dumps(record, ensure_ascii=True, allow_nan=False))


def _write_states(group: h5py.Group, time: h5py.Dataset, path: Path) -> None:
    for name, array in (path.rule_state or {}).items():
        dataset = group.create_dataset(name, data=array.astype("<f8", copy=False))
        dataset.dims[0].attach_scale(time)
        for position in range(1, array.ndim):
            # Other readers want every axis named; a space keeps these names apart from those of states.
            scale = group.create_dataset(f"{name} axis {position}", data=np.arange(array.shape[position], dtype="<i8"))
            scale.make_scale(f"{name} axis {position}")
            dataset.dims[position].attach_scale(scale)


def load(file: str | pathlib.Path) -> Path:
    """Read a path that ``save`` wrote; bit for bit the same.

    Raises
    ------
    StoreError
        If the file is missing, damaged, foreign, hostile or from a newer version.
    """
    payload = sealed.read(file)
    try:
        # From memory: what is parsed is what was verified, whatever happens to the file meanwhile.
        with h5py.File(io.BytesIO(payload), "r") as opened:
            return _Reader(len(payload)).path(opened)
    except _Refused as error:
        raise StoreError(f"{file}: refused: {error}") from error
    except ReesimError as error:
        raise StoreError(f"{file}: refused: its contents are not a result: {error}") from error
    except _PARSER_ERRORS as error:
        raise StoreError(f"{file}: refused: not laid out as a result of reesim ({error})") from error


class _Refused(Exception):
    """What is wrong with the structure of a verified file."""


class _Reader:
    """Reads an image of a given size and refuses whatever ``image`` would not have written."""

    def __init__(self, size: int) -> None:
        self._size = size

    def path(self, file: h5py.File) -> Path:
        """Return the path in an open image."""
        self._require_schema(file)
        children = self._children(file)
        groups = {name for name, kind in children.items() if issubclass(kind, h5py.Group)}
        axes = {"time", *_AXES, *(f"{axis}_name" for axis in _AXES)}
        names = [name for name in children if name not in axes | groups]
        unknown = sorted(set(names) - set(VARIABLES)) + sorted(groups - {"provenance", "rule_state"})
        if unknown:
            raise _Refused(f"it holds {unknown[0]!r}, which this version does not know")
        times = self._times(file)
        regions, sectors = self._labels(file, "region"), self._labels(file, "sector")
        if self._texts(file, "partner") != regions.codes or self._texts(file, "partner_name") != regions.names:
            raise _Refused("its partners are not its regions")
        if "provenance" not in groups:
            raise _Refused("it has no provenance")
        provenance, units = self._record(file["provenance"])
        self._require_units(names, units)
        values = {name: self._numbers(file, name, _FLOAT) for name in names}
        states = self._states(file["rule_state"]) if "rule_state" in groups else None
        return Path(times, values, regions, sectors, provenance, states)

    def _require_schema(self, file: h5py.File) -> None:
        if not h5py.h5a.exists(file.id, b"reesim_schema"):
            raise _Refused("it has no schema number")
        attribute = h5py.h5a.open(file.id, b"reesim_schema")
        if attribute.shape != () or not attribute.get_type().equal(_INTEGER):
            raise _Refused("its schema is not a number")
        schema = int(file.attrs["reesim_schema"])
        if schema > SCHEMA:
            raise _Refused(f"written by a newer reesim (schema {schema}, known {SCHEMA}); install the newest version")
        if schema != SCHEMA:
            raise _Refused(f"it has schema {schema}, which never was")

    def _require_units(self, names: list[str], units: dict[str, Any]) -> None:
        for name in names:
            if units.get(name) != variable(name).unit:
                raise _Refused(f"{name} is in {units.get(name)!r} where this version has {variable(name).unit!r}")

    def _children(self, group: h5py.Group) -> dict[str, type]:
        """Names in a group and what they are; nothing is opened that a link could lead elsewhere."""
        if len(group) > _MOST_LINKS:
            raise _Refused(f"{group.name} has {len(group)} entries")
        children: dict[str, type] = {}
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _Refused(f"{name!r} is a link to somewhere else")
            kind = group.get(name, getclass=True)
            if not (isinstance(kind, type) and issubclass(kind, h5py.Group | h5py.Dataset)):
                raise _Refused(f"{name!r} is neither a group nor data")
            children[name] = kind
        return children

    def _dataset(self, group: h5py.Group, name: str) -> h5py.Dataset:
        """Open data after checking where and how they are stored."""
        if name not in group:
            raise _Refused(f"it has no {name!r}")
        dataset = group[name]
        if not isinstance(dataset, h5py.Dataset):
            raise _Refused(f"{name!r} is not data")
        how = dataset.id.get_create_plist()
        if how.get_layout() != h5py.h5d.CONTIGUOUS or how.get_external_count() or how.get_nfilters():
            raise _Refused(f"{name!r} is not stored plainly in the file")
        kind = dataset.id.get_type()
        if not (_is_text(kind) or kind.equal(_FLOAT) or kind.equal(_INTEGER)):
            raise _Refused(f"{name!r} is of a type that results do not have")
        if dataset.id.shape is None:
            raise _Refused(f"{name!r} is empty")
        stored, offset = dataset.id.get_storage_size(), dataset.id.get_offset()
        promised = math.prod(dataset.id.shape) * kind.get_size()
        if promised and (offset is None or stored != promised or offset + stored > self._size):
            raise _Refused(f"{name!r} declares {promised} bytes that the file does not hold")
        return dataset

    def _numbers(self, group: h5py.Group, name: str, kind: Any) -> NDArray[Any]:
        dataset = self._dataset(group, name)
        if not dataset.id.get_type().equal(kind):
            raise _Refused(f"{name!r} is of a type that it should not have")
        return np.asarray(dataset[()])

    def _times(self, file: h5py.File) -> pd.DatetimeIndex:
        days = self._numbers(file, "time", _INTEGER)
        if days.ndim != 1 or (days < -_FURTHEST_DAY).any() or (days > _FURTHEST_DAY).any():
            raise _Refused("its times are not dates")
        return pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[us]"))

    def _raw_text(self, group: h5py.Group, name: str, rank: int) -> NDArray[np.bytes_]:
        dataset = self._dataset(group, name)
        if not _is_text(dataset.id.get_type()) or len(dataset.id.shape) != rank:
            raise _Refused(f"{name!r} is not {'a list of labels' if rank else 'a text'}")
        return np.asarray(dataset[()])

    def _text(self, group: h5py.Group, name: str) -> str:
        return bytes(self._raw_text(group, name, 0)[()]).decode("utf-8")

    def _texts(self, group: h5py.Group, name: str) -> tuple[str, ...]:
        return tuple(bytes(label).decode("utf-8") for label in self._raw_text(group, name, 1))

    def _labels(self, file: h5py.File, kind: str) -> Labels:
        codes, names = self._texts(file, kind), self._texts(file, f"{kind}_name")
        return Labels(kind, codes, names)

    def _record(self, group: h5py.Group) -> tuple[Provenance, dict[str, Any]]:
        """Return the provenance, and the units that the variables were written in."""
        self._children(group)
        record = json.loads(self._text(group, "record"))
        provenance, units = (
            (record.get("provenance"), record.get("units")) if isinstance(record, dict) else (None, None)
        )
        if not (isinstance(provenance, dict) and isinstance(units, dict)):
            raise _Refused("its record of provenance is not one")
        return Provenance.from_dict(provenance | {name: self._text(group, name) for name in _LONG_TEXTS}), units

    def _states(self, group: h5py.Group) -> dict[str, NDArray[np.float64]]:
        names = [name for name in self._children(group) if " axis " not in name]
        return {name: self._numbers(group, name, _FLOAT) for name in names}


def _is_text(kind: Any) -> bool:
    """Whether a type of HDF5 is the one of ``_write_text``."""
    return (
        isinstance(kind, h5py.h5t.TypeStringID)
        and not kind.is_variable_str()
        and kind.get_cset() == h5py.h5t.CSET_UTF8
        and kind.get_strpad() == h5py.h5t.STR_NULLPAD
    )
