"""What was observed in the episode, and how far a path is from it.

The shipped tables are tidy: ``series, element, start, end, value, unit, status, source``, a row for every number, with
the first and last day of the period it covers. Status V was read in a source, D is derived from such numbers, and M is
from memory: every output flags those rows as unverified.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reesim.data.tables import DATA, UNVERIFIED, read_facts
from reesim.errors import InputError, LabelError
from reesim.labels import Labels
from reesim.observed_sources import build
from reesim.results.plan import plan_of
from reesim.scenario.calendar import years_between

if TYPE_CHECKING:
    import pandas as pd

    from reesim.results.provenance import Provenance

__all__ = ["CHINA", "MT_WELD", "build", "events", "gaps", "load", "out_of_reach", "overlay", "price_index"]

CHINA = "CHN"
"""The region whose rare earths the observed series are about."""

FOLDER = DATA / "observed"

MT_WELD: Mapping[str, float] = MappingProxyType(
    {"La": 25.5, "Ce": 46.74, "Nd": 18.5, "Pr": 5.32, "Sm": 2.27, "Eu": 0.443, "Dy": 0.124, "Tb": 0.068}
)
"""Kilograms of each oxide in 100 kg of the Mt Weld basket of Lynas, the default weights of `price_index`."""

_BASE = ("2009-01-01", "2009-12-31")
_BASKET = "basket"
_MIXTURES = {"PrNd": ("Pr", "Nd")}
_SERIES = {"fob": ("price_fob", "price_outside"), "ex_works": ("price_ex_works",)}
_INDEX_COLUMNS = ("basis", "start", "end", "elements", "coverage", "value", "unit", "status", "source", "flag")
_OVERLAY_COLUMNS = ("variable", "element", "start", "end", "observed", "unit", "status", "source", "flag")
_GAP_COLUMNS = (*_OVERLAY_COLUMNS, "model", "gap", "log_gap", "wrong_sign", "reading")
RELATIVE = "2009 FOB = 1"
_LARGE = math.log(2.0)  # a model off by a factor of two or more is uncomfortable
_MATERIAL = math.log(1.05)  # a smaller observed change has no direction: months and definitions differ by as much
_STILL = 1e-9  # a model variable that moves less, in logs, has no direction: solver noise is of this size


class Observable(Protocol):
    """What is read of a path: dates, regions and arrays (time first)."""

    @property
    def times(self) -> pd.DatetimeIndex: ...
    @property
    def regions(self) -> Labels: ...
    def array(self, name: str, /) -> NDArray[np.float64]: ...


def out_of_reach(record: Provenance, regions: Labels) -> str:
    """Say why a result has nothing to do with what was observed; empty where the two can be compared.

    What was observed is China's restriction of rare earths.
    """
    plan = plan_of(record.effective_scenario)
    exporter = plan.exporter if plan is not None else CHINA
    if not record.rare_earths:
        return "there are no rare earths in this world"
    if exporter != CHINA or CHINA not in regions.codes:
        return f"observed are China's rare earths, and here {exporter} exports them"
    if plan is not None and plan.on_goods_alone:
        return "observed is a restriction of rare earths, and no policy of this scenario is on them"
    return ""


def load() -> pd.DataFrame:
    """All observed series: columns series, element, start, end, value, unit, status, source, flag.

    ``start`` and ``end`` are the first and last day of the period covered. Series: ``export_quota``,
    ``export_licences_domestic`` and ``exports`` (tonnes over the period), ``export_value``, ``export_unit_value``,
    ``export_tax`` (percent), ``price_fob``, ``price_outside`` (outside China, year ends) and ``price_ex_works`` (inside
    China), all in USD/kg, and ``wedge`` (FOB over ex works).
    """
    import pandas as pd

    files = sorted(file for file in FOLDER.glob("*.csv") if file.name != "events.csv")
    return pd.concat([_read(file) for file in files], ignore_index=True)


def events() -> pd.DataFrame:
    """Dated events of the episode: columns start, end, event, status, source, flag."""
    return _read(FOLDER / "events.csv")


def price_index(
    basis: Literal["fob", "ex_works"] = "fob", weights: Mapping[str, float] | None = MT_WELD
) -> pd.DataFrame:
    """Price of a basket of rare-earth oxides relative to the FOB annual averages of 2009, for every period with quotes.

    No ex-works price of 2009 is at hand. The inside price is therefore relative to the FOB price of 2009 too; as that
    was at least the inside price, the index bounds the rise inside China from below.

    Parameters
    ----------
    basis : {"fob", "ex_works"}
        Price at the Chinese port (with the year-end prices outside China of the USGS), or inside China.
    weights : mapping of str to float, optional
        Kilograms of each element: the index is the cost of the elements quoted over their cost in 2009. With the
        default weights, periods for which only Lynas's own price of the basket is at hand use that. None gives each
        element the same weight in logs.

    Returns
    -------
    pandas.DataFrame
        Columns basis, start, end, elements, coverage (share of the basket's value of 2009 that is quoted), value,
        unit, status, source, flag.

    Raises
    ------
    LabelError
        If `basis` is not known or a weight names an element without a price of 2009.
    """
    import pandas as pd

    if basis not in _SERIES:
        raise LabelError(f"no price basis {basis!r}; known: {', '.join(_SERIES)}")
    frame = load()
    base = _base_prices(frame)
    unknown = [element for element in weights or () if element not in base]
    if unknown:
        raise LabelError(f"no price of 2009 for {', '.join(unknown)}; known: {', '.join(base)}")
    quotes = frame[frame["series"].isin(_SERIES[basis])]
    rows = []
    for _, group in quotes.groupby(["start", "end"], sort=True):
        prices = dict(zip(group["element"], group["value"], strict=True))
        used, coverage, value = _index(prices, base, weights)
        if not used:
            continue
        taken = group[group["element"].isin(used)]
        status, flag = _status(taken["status"])
        source = "; ".join(sorted({text.partition(";")[0] for text in taken["source"]}))
        first = group.iloc[0]
        names = ", ".join(used)
        rows.append((basis, first["start"], first["end"], names, coverage, value, RELATIVE, status, source, flag))
    return pd.DataFrame(rows, columns=list(_INDEX_COLUMNS))


def overlay(
    path: Observable,
    *,
    weights: Mapping[str, float] | None = MT_WELD,
    baseline_wedge: float = 1.0,
    min_coverage: float = 0.5,
) -> pd.DataFrame:
    """Observed points that a path has a counterpart for, in the units of the model.

    Only points whose whole period lies within the path are given.

    Parameters
    ----------
    path : Path
        Used for its dates alone.
    weights : mapping, optional
        Weights of the price index.
    baseline_wedge : float
        FOB over ex-works price in 2009, which no source gives. The default of one reads observed wedges as the deck
        does and leaves the rise of inside prices a lower bound; the export taxes of 2009 alone would make it 1.15 to
        1.25.
    min_coverage : float
        Price indices that rest on less of the basket's value of 2009 are left out.

    Returns
    -------
    pandas.DataFrame
        Columns variable, element, start, end, observed, unit, status, source, flag. ``ree_exports`` is annualised over
        its period; ``ree_price`` is the FOB price and ``ree_mine_price`` the ex-works price, 2009 = 1; ``ree_wedge`` is
        that of foreign users.

    Raises
    ------
    InputError
        If the path has a single date, or `baseline_wedge` is below one.
    """
    import pandas as pd

    if not baseline_wedge >= 1.0:
        raise InputError(
            f"baseline_wedge is {baseline_wedge:g}: an export price below the inside price; give 1 or more"
        )
    frame = load()
    rows = [*_export_rows(frame), *_wedge_rows(frame, baseline_wedge)]
    rows += _price_rows("ree_price", price_index("fob", weights), min_coverage, 1.0)
    rows += _price_rows("ree_mine_price", price_index("ex_works", weights), min_coverage, baseline_wedge)
    points = pd.DataFrame(rows, columns=list(_OVERLAY_COLUMNS))
    edges = _edges(path)
    inside = (points["start"] >= pd.Timestamp(edges[0])) & (points["end"] < pd.Timestamp(edges[-1]))
    return points[inside].sort_values(["variable", "start", "end", "element"], ignore_index=True)


def gaps(
    path: Observable,
    *,
    weights: Mapping[str, float] | None = MT_WELD,
    baseline_wedge: float = 1.0,
    min_coverage: float = 0.5,
    supplier: str = "CHN",
) -> pd.DataFrame:
    """Observed points against the path's mean over the same period, the most uncomfortable first.

    A point where the observed number rose since 2009 and the model's fell, or the reverse, ranks before every point
    that is merely far away; within each kind the larger gap in logs ranks first. Observed changes below 5 % count as
    none.

    Parameters
    ----------
    path : Path
        Read are its dates, regions, ``ree_exports``, ``ree_price``, ``ree_mine_price``, ``ree_wedge`` and ``ree_use``.
        The row of a date holds until the next one. Prices and wedges of foreign users are averaged by their use.
    weights, baseline_wedge, min_coverage
        As in `overlay`.
    supplier : str
        The region that is not a foreign user.

    Returns
    -------
    pandas.DataFrame
        The columns of `overlay`, and model, gap (observed over model), log_gap, wrong_sign, and reading: a sentence
        where the direction is wrong or the model is off by a factor of two or more.

    Raises
    ------
    InputError
        As `overlay`.
    LabelError
        If the path lacks one of the variables, or the supplier.
    """
    import pandas as pd

    points = overlay(path, weights=weights, baseline_wedge=baseline_wedge, min_coverage=min_coverage)
    base_exports = _single(load(), "exports", "")
    series = {name: _model_series(path, name, supplier) for name in sorted(set(points["variable"]))}
    edges = _edges(path)
    rows = []
    for point in points.to_dict("records"):
        values = series[point["variable"]]
        model = _mean_over(values, edges, point["start"], point["end"])
        seen_base = base_exports if point["variable"] == "ree_exports" else 1.0
        seen, moved = point["observed"] / seen_base, model / float(values[0])
        wrong = _is_wrong(math.log(seen), math.log(moved))
        gap = point["observed"] / model
        reading = _reading(seen, moved, gap, wrong, point["flag"])
        rows.append((*(point[name] for name in _OVERLAY_COLUMNS), model, gap, math.log(gap), wrong, reading))
    frame = pd.DataFrame(rows, columns=list(_GAP_COLUMNS))
    order = sorted(range(len(rows)), key=lambda row: (not frame["wrong_sign"][row], -abs(frame["log_gap"][row])))
    return frame.iloc[order].reset_index(drop=True)


def _read(file: Path) -> pd.DataFrame:
    import pandas as pd

    frame = read_facts(file)
    return frame.assign(start=pd.to_datetime(frame["start"]), end=pd.to_datetime(frame["end"]))


def _status(statuses: Iterable[str]) -> tuple[str, str]:
    """Status and flag of a number computed from others: derived, or from memory if any of them is."""
    return ("M", UNVERIFIED) if "M" in set(statuses) else ("D", "")


def _single(frame: pd.DataFrame, series: str, element: str) -> float:
    """Value of a series over the whole of 2009."""
    rows = frame[(frame["series"] == series) & (frame["element"] == element)]
    rows = rows[(rows["start"] == _BASE[0]) & (rows["end"] == _BASE[1])]
    (value,) = rows["value"]
    return float(value)


def _base_prices(frame: pd.DataFrame) -> dict[str, float]:
    return {element: _single(frame, "price_fob", element) for element in (*MT_WELD, _BASKET)}


def _index(
    prices: Mapping[str, float], base: Mapping[str, float], weights: Mapping[str, float] | None
) -> tuple[list[str], float, float]:
    """Elements used, coverage and price relative; no elements where none of the quotes can be used."""
    kilograms = dict.fromkeys(MT_WELD, 1.0) if weights is None else dict(weights)
    total = sum(kilograms[element] * (base[element] if weights else 1.0) for element in kilograms)
    used, share, relatives = [], [], []
    for quoted in [element for element in (*MT_WELD, *_MIXTURES) if element in prices]:
        parts = [element for element in _MIXTURES.get(quoted, (quoted,)) if element in kilograms]
        # Of a mixture the proportions are those of the Mt Weld basket, whatever the weights of the index.
        mass = sum(MT_WELD[element] for element in parts)
        if parts and mass > 0.0:
            relatives.append(prices[quoted] / (sum(MT_WELD[element] * base[element] for element in parts) / mass))
            share.append(sum(kilograms[element] * (base[element] if weights else 1.0) for element in parts) / total)
            used.append(quoted)
    if not used and _BASKET in prices and weights is MT_WELD:
        return [_BASKET], 1.0, prices[_BASKET] / base[_BASKET]
    coverage = sum(share)
    if not coverage > 0.0:
        return [], 0.0, math.nan
    if weights is None:
        mean_log = sum(part * math.log(relative) for part, relative in zip(share, relatives, strict=True)) / coverage
        return used, coverage, math.exp(mean_log)
    # With the value shares of 2009 the mean of price relatives is the cost of the basket over its cost of 2009.
    return used, coverage, sum(part * relative for part, relative in zip(share, relatives, strict=True)) / coverage


def _export_rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    # Rows of another scope (with ferro-alloys) carry it as their element and are not comparable with the total.
    for row in frame[(frame["series"] == "exports") & (frame["element"] == "")].to_dict("records"):
        years = years_between(row["start"].date(), row["end"].date())
        status = row["status"] if years == 1.0 else _status([row["status"]])[0]
        source = row["source"] if years == 1.0 else f"{row['source']}; annualised"
        tonnes = row["value"] / years
        rows.append(("ree_exports", "", row["start"], row["end"], tonnes, "tonnes a year", status, source, row["flag"]))
    return rows


def _wedge_rows(frame: pd.DataFrame, baseline_wedge: float) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for row in frame[frame["series"] == "wedge"].to_dict("records"):
        wedge = row["value"] / baseline_wedge
        facts = (row["status"], row["source"], row["flag"])
        rows.append(("ree_wedge", row["element"], row["start"], row["end"], wedge, "2009 = 1", *facts))
    return rows


def _price_rows(variable: str, index: pd.DataFrame, least: float, factor: float) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    unit = RELATIVE if factor == 1.0 else "2009 = 1"
    for row in index[index["coverage"] >= least].to_dict("records"):
        facts = (row["status"], row["source"], row["flag"])
        rows.append((variable, row["elements"], row["start"], row["end"], row["value"] * factor, unit, *facts))
    return rows


def _edges(path: Observable) -> NDArray[np.datetime64]:
    """Dates at which the rows of a path begin, and the end of the last, which lasts as long as the one before it."""
    times = np.asarray(path.times, dtype="datetime64[ns]")
    if len(times) < 2:
        raise InputError(f"a path of {len(times)} dates has no periods to compare with what was observed")
    edges: NDArray[np.datetime64] = np.append(times, times[-1] + (times[-1] - times[-2]))
    return edges


def _model_series(path: Observable, name: str, supplier: str) -> NDArray[np.float64]:
    """Values by date, shape (T,); of a variable by region, the mean over foreign users weighted by their use."""
    values = path.array(name)
    if values.ndim == 1:
        return values
    foreign = [position for position in range(len(path.regions)) if position != path.regions.index(supplier)]
    use = path.array("ree_use")[:, foreign]
    mean: NDArray[np.float64] = (values[:, foreign] * use).sum(axis=1) / use.sum(axis=1)
    return mean


def _mean_over(
    values: NDArray[np.float64], edges: NDArray[np.datetime64], start: pd.Timestamp, end: pd.Timestamp
) -> float:
    """Mean over the days from `start` to `end`, both included, each row holding until the next."""
    first, after = start.to_datetime64(), end.to_datetime64() + np.timedelta64(1, "D")
    days = (np.minimum(edges[1:], after) - np.maximum(edges[:-1], first)) / np.timedelta64(1, "D")
    return float(np.average(values, weights=np.maximum(days, 0.0)))


def _is_wrong(seen: float, moved: float) -> bool:
    """Whether two changes since 2009, in logs, go in opposite directions, both being large enough to have one."""
    return abs(seen) > _MATERIAL and abs(moved) > _STILL and seen * moved < 0.0


def _reading(seen: float, moved: float, gap: float, wrong: bool, flag: str) -> str:
    """Return a sentence on an uncomfortable point, empty for the others."""
    if wrong:
        text = f"Wrong direction: observed {seen:.2f} times its level of 2009, the model {moved:.2f} times."
    elif abs(math.log(gap)) >= _LARGE:
        side = "low" if gap > 1.0 else "high"
        text = f"The model is too {side} by a factor of {max(gap, 1.0 / gap):.1f}."
    else:
        return ""
    return f"{text} The observed number is {flag}." if flag else text
