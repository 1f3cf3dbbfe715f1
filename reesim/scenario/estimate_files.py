"""Reading files of estimated elasticities, so that everything wrong with one is told by its place."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reesim.errors import DataError, InputError
from reesim.scenario.estimates import SCHEMA, EstimatedElasticities, order

MAX_BYTES = 4 * 1024 * 1024
LARGEST = 10**15
"""No whole number in such a file is as large."""

_TOP = ("schema", "source", "mu", "delta", "sectors", "covariance")
_ROW = ("sector", "epsilon", "gamma")


def read_estimates(file: Path) -> EstimatedElasticities:
    """Read ``estimates.json``.

    Raises
    ------
    DataError
        Naming the file and the place of the first thing that is wrong.
    """
    raw = _bytes(file)
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # other text than UTF-8, numbers of thousands of digits
        raise DataError(f"{file}: this is not JSON text: {error}") from None
    except InputError as error:
        raise DataError(f"{file}: {error}") from None
    digest = hashlib.sha256(raw).hexdigest()
    try:
        return replace(_parsed(data), file=str(file), digest=f"sha256 {digest}")
    except InputError as error:
        raise DataError(f"{file}: {error}") from None


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: it cannot be read: {error}") from error
    if len(raw) > MAX_BYTES:
        raise DataError(f"{file}: it has more than {MAX_BYTES:,} bytes, which no estimates have")
    return raw


def _parsed(data: object) -> EstimatedElasticities:
    top = _mapping(data, "", _TOP)
    if top["schema"] != SCHEMA:
        raise InputError(f"schema: this version of reesim reads {SCHEMA}, not {_shown(top['schema'])}")
    rows = _list(top["sectors"], "sectors")
    optional = ("share",) if rows and isinstance(rows[0], dict) and "share" in rows[0] else ()
    parsed = [_row(row, f"sectors[{k}]", optional) for k, row in enumerate(rows)]
    names = tuple(_text(row["sector"], f"sectors[{k}].sector") for k, row in enumerate(parsed))
    epsilon, gamma = (_column(parsed, name) for name in ("epsilon", "gamma"))
    table = _mapping(top["covariance"], "covariance", ("order", "matrix"))
    if table["order"] != list(order(names)):
        raise InputError(
            "covariance.order: should be epsilon of all sectors and then log_odds_gamma of all sectors, in their order: "
            f"{', '.join(order(names)[:2])}, …, {order(names)[-1] if names else ''}"
        )
    matrix = tuple(
        tuple(
            _number(cell, f"covariance.matrix[{i}][{j}]")
            for j, cell in enumerate(_list(row, f"covariance.matrix[{i}]"))
        )
        for i, row in enumerate(_list(table["matrix"], "covariance.matrix"))
    )
    return EstimatedElasticities(
        sectors=names, epsilon_s=epsilon, gamma_s=gamma, covariance=matrix, mu=_number(top["mu"], "mu"),
        delta=_number(top["delta"], "delta"), source=_text(top["source"], "source"),
        share_s=_column(parsed, "share") if optional else None,
    )  # fmt: skip


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        raise InputError(
            f"the key {next(key for key in keys if keys.count(key) > 1)[:40]!r} stands twice in one mapping"
        )
    return entries


def _row(value: object, place: str, optional: tuple[str, ...]) -> Mapping[str, Any]:
    return _mapping(value, place, (*_ROW, *optional))


def _column(rows: list[Mapping[str, Any]], name: str) -> tuple[float, ...]:
    return tuple(_number(row[name], f"sectors[{k}].{name}") for k, row in enumerate(rows))


def _mapping(value: object, place: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{place + ': ' if place else ''}should be a mapping with {', '.join(keys)}")
    for key in keys:
        if key not in value:
            raise InputError(f"{place}{'.' if place else ''}{key}: this key is missing")
    for key in value:
        if key not in keys:
            raise InputError(f"{place}{'.' if place else ''}{str(key)[:40]}: unknown key; known: {', '.join(keys)}")
    return value


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{place}: should be a list, not {_shown(value)}")
    return value


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 300:
        raise InputError(f"{place}: should be one line of text, not {_shown(value)}")
    return value


def _number(value: object, place: str) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    if not whole and not (isinstance(value, float) and math.isfinite(value)):
        raise InputError(f"{place}: should be a finite number, not {_shown(value)}")
    return float(value)  # type: ignore[arg-type]  # one of the two


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:40]
