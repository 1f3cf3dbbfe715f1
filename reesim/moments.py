"""Calibration moments: what the baseline should look like, what it does look like, and which of the two agree.

A moment is *matched* if the model is within `TOLERANCE` of its target, *not matched* if it is not, and *not available*
where no source gives a target. For blocks of shares the cell with the largest absolute deviation is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reesim.calibration import Calibration
from reesim.errors import InputError
from reesim.labels import Labels
from reesim.results.plan import FEW
from reesim.shares import bundle_share

if TYPE_CHECKING:
    import pandas as pd

    from reesim.data.composite import TradeTable
    from reesim.data.tables import WorldTable

__all__ = ["TOLERANCE", "moments"]

Array: TypeAlias = NDArray[np.float64]
Status = Literal["matched", "not matched", "not available"]

TOLERANCE = 1e-3
"""Largest deviation of a matched moment: relative for values, absolute for shares. A thousandth is far below what
national accounts measure, and above what the rare-earth accounts move in most of them."""

YEAR = 2009
"""Of the shipped accounts of employment and rare earths."""

DUST = 1e-5
"""Million USD: an output below ten dollars stands for none, and shares in it say nothing."""

MILLION = "million USD a year"
COLUMNS = (
    "moment", "region", "partner", "sector", "target", "model", "deviation", "unit", "status", "source", "note",
)  # fmt: skip
_Row = tuple[str, str, str, str, float, float, float, str, Status, str, str]


def moments(calibration: Calibration, table: WorldTable | TradeTable | None = None) -> pd.DataFrame:
    """Compare a calibrated baseline with what was observed, section 6.

    Parameters
    ----------
    calibration : Calibration
        The baseline.
    table : WorldTable or TradeTable, optional
        The world table it was calibrated from; by default the embedded table of 2009.

    Returns
    -------
    pandas.DataFrame
        Columns moment, region, partner, sector (empty where they do not apply; partner is the importer), target, model,
        deviation (model less target; for a block that of its worst cell, in absolute value the largest), unit, status
        ("matched", "not matched", "not available"), source, note. What is not available has a missing target. Nothing is said
        of rare earths in a world without them.

    Raises
    ------
    InputError
        If the regions or sectors of `table` are not those of the calibration.
    """
    import pandas as pd

    from reesim.data import tables

    table = tables.composite(tables.embedded() if table is None else table).balanced()
    if (table.regions.codes, table.sectors.codes) != (calibration.regions.codes, calibration.sectors.codes):
        raise InputError(
            "the world table has other regions or sectors than the calibration: "
            "give moments() the table that it was calibrated from"
        )
    rows = [
        *_accounts(calibration, table),
        *_blocks(calibration, table),
        *_labour(calibration),
    ]
    if calibration.exporter is not None:
        rows += [*_technology(calibration), *_rare_earths(calibration, calibration.exporter)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _judged(target: float, model: float, *, share: bool) -> Status:
    allowed = TOLERANCE if share else TOLERANCE * abs(target)
    return "matched" if abs(model - target) <= allowed else "not matched"


def _off(target: float, model: float) -> str:
    """Deviation in words: per cent, or a factor where per cent say nothing."""
    if target * model <= 0.0:
        return f"off by {model - target:.4g}"
    ratio = model / target
    return f"off by {100 * (ratio - 1):+.3g} %" if 0.5 < ratio < 2.0 else f"the model has {ratio:.3g} times the target"


def _value(
    moment: str,
    target: float,
    model: float,
    unit: str,
    source: str,
    note: str,
    region: str = "",
    *,
    share: bool = False,
) -> _Row:
    status = _judged(target, model, share=share)
    exact = abs(model - target) <= 1e-9 * max(abs(target), 1e-300)
    text = note if exact else f"{_off(target, model)}; {note}"
    return (moment, region, "", "", target, model, model - target, unit, status, source, text)


def _by_region(
    moment: str, target_i: Array, model_i: Array, labels: Labels, unit: str, source: str, note: str
) -> Iterator[_Row]:
    for region, target, model in zip(labels, target_i.tolist(), model_i.tolist(), strict=True):
        yield _value(moment, target, model, unit, source, note, region)


def _abroad(trade_jis: Array) -> Array:
    """Sales to others by region, (N,)."""
    everything: Array = trade_jis.sum(axis=(1, 2)) - np.einsum("iis->i", trade_jis)
    return everything


def _accounts(cal: Calibration, table: TradeTable) -> Iterator[_Row]:
    """National accounts by region, million USD a year."""
    source = f"{table.source}, {table.year}"
    labels, added = cal.regions, table.value_added_is.sum(axis=1)
    rare = cal.exporter is not None
    product = added + table.tariff_revenue_i
    yield from _by_region(
        "GDP", product, cal.own_income_i, labels, MILLION, source,
        "value added and tariffs" + (", less rare earths bought abroad, plus those sold (16); the target has none of them apart"
        if rare else " (16)"),
    )  # fmt: skip
    yield from _by_region(
        "value added", added, cal.value_added_is.sum(axis=1), labels, MILLION, source, "sales less materials"
    )
    yield from _by_region(
        "exports", _abroad(table.trade_jis), _abroad(cal.trade_jis), labels, MILLION, source,
        "goods and services of all sectors" + (", without the rare earths that the model adds to them" if rare else ""),
    )  # fmt: skip
    yield from _by_region(
        "trade deficit", table.final_is.sum(axis=1) - product, cal.deficit_i, labels, MILLION, source,
        "residual of (16)" + (": rare earths bought and sold come on top of the table's trade" if rare else "")
        + f"; closure: {cal.deficit.replace('_', ' ')}",
    )  # fmt: skip


def _over(part: Array, total: Array) -> Array:
    """Part of a total; zero where there is none."""
    share: Array = np.divide(part, total, out=np.zeros_like(part), where=total > 0.0)
    return share


def _shares(part: Array, axis: int | tuple[int, ...]) -> Array:
    return _over(part, part.sum(axis=axis, keepdims=True))


def _block(
    moment: str, target: Array, model: Array, axes: tuple[Labels, ...], unit: str, source: str, note: str
) -> _Row:
    """One row for a whole block: its worst cell. Axes: (region, sector) or (region, partner or sector, sector)."""
    gap = np.abs(model - target)
    cell = np.unravel_index(int(gap.argmax()), gap.shape)
    codes = [labels.codes[int(place)] for labels, place in zip(axes, cell, strict=True)]
    between = codes[1] if len(codes) == 3 and axes[1].kind == "region" else ""
    bought = f" of {codes[1]} by" if len(codes) == 3 and not between else ""
    status = _judged(float(target[cell]), float(model[cell]), share=True)
    largest = float(gap[cell])
    # Where no cell deviates by more than rounding, naming one of them would say nothing.
    exact = largest < 1e-12
    where = ("", "", "") if exact else (codes[0], between, codes[-1])
    seen, had = float(target[cell]), float(model[cell])
    size = f"all {gap.size} cells agree to rounding" if exact else f"worst of {gap.size} cells{bought}"
    return (moment, *where, seen, had, had - seen, unit, status, source, f"{size}; {note}")


def _blocks(cal: Calibration, table: TradeTable) -> Iterator[_Row]:
    """Shares that the model takes from the table: (1), (11), (12)."""
    source, unit = f"{table.source}, {table.year}", "share"
    regions, sectors = cal.regions, cal.sectors
    made = table.output_js > DUST
    sold, revenue = np.where(made, table.output_js, 0.0), np.where(made, cal.revenue_is, 0.0)
    yield _block(
        "consumption expenditure shares (alpha)", _shares(table.final_is, 1), _shares(cal.final_is, 1),
        (regions, sectors), unit, source, "final demand: consumption, investment and inventories in one (12)",
    )  # fmt: skip
    yield _block(
        "value-added shares (phi)", _over(table.value_added_is, sold), _over(cal.value_added_is, revenue),
        (regions, sectors), unit, source, "share of value added in sales (1)",
    )  # fmt: skip
    yield _block(
        "material shares (phi)", _over(table.materials_iks, sold[:, None, :]),
        _over(cal.materials_iks, revenue[:, None, :]), (regions, sectors, sectors), unit, source,
        "share of each composite in sales (1)",
    )  # fmt: skip
    yield _block(
        "trade shares (pi)", _shares(table.trade_jis, 0), _shares(cal.trade_jis, 0), (regions, regions, sectors), unit,
        source, "share of each exporter in an importer's spending (11); one share for materials and final demand",
    )  # fmt: skip


def _labour(cal: Calibration) -> Iterator[_Row]:
    """Labour endowments, (17): the model knows them as income, not as persons."""
    from reesim.data import tables

    research = " and less research, which is paid in the final good" if cal.entry_cost == "final_good" else ""
    yield from _by_region(
        "labour endowment, as income", cal.value_added_is.sum(axis=1), cal.labour_income_i, cal.regions, MILLION,
        "value added of the same baseline",
        f"equipped labour at baseline wages: value added less rare earths{research} (17)",
    )  # fmt: skip
    if cal.year != YEAR:
        yield _missing("labour endowment, in persons", "share of world", f"employment is shipped for {YEAR} only")
        return
    employment = tables.load_employment().set_index("region")
    known = [region for region in cal.regions if region in employment.index]
    if len(known) < len(cal.regions):
        lacking = [region for region in cal.regions if region not in employment.index]
        missing = ", ".join(lacking) if len(lacking) <= FEW else f"{len(lacking)} of {len(cal.regions)} regions"
        yield _missing("labour endowment, in persons", "share of world", f"no employment of {missing} is shipped")
        return
    heads = employment["million"].loc[known].to_numpy(dtype=float)
    income = cal.labour_income_i
    for position, region in enumerate(known):
        note = (
            f"{heads[position]:.1f} million persons earn {income[position] / heads[position]:,.0f} USD each; labour is "
            "counted in baseline income, and only hats enter, so that heads are neither needed nor matched"
        )
        target, model = float(heads[position] / heads.sum()), float(income[position] / income.sum())
        source = str(employment["source"].loc[region])
        yield _value("labour endowment, in persons", target, model, "share of world", source, note, region, share=True)


def _missing(moment: str, unit: str, note: str, model: float = float("nan")) -> _Row:
    return (moment, "", "", "", float("nan"), model, float("nan"), unit, "not available", "", note)


def _technology(cal: Calibration) -> Iterator[_Row]:
    """Bias of technology and the shares that carry it, (23)."""
    yield _missing(
        "relative technology bias (A_R/A_L)", "baseline = 1",
        "the deck gives no level of A_R/A_L, f_R/f_L or w_R/w_L, and none is needed: the model has hats only",
        model=1.0,
    )  # fmt: skip
    target = np.where(cal.revenue_is > 0.0, bundle_share(cal.gamma_s, cal.epsilon_s), 0.0)
    yield _block(
        "rare-earth shares of value added (s_R)", target, cal.ree_share_is, (cal.regions, cal.sectors), "share",
        "epsilon and gamma of the calibration, through (23) at p0 = 1", cal.choices.get("rare-earth shares", ""),
    )  # fmt: skip


def _accounts_2009() -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    """Values, sources and flags of the rare-earth accounts by key."""
    from reesim.data import tables

    frame = tables.load_rare_earth_accounts().set_index("key")
    words = {name: {str(key): str(text) for key, text in frame[name].items()} for name in ("source", "flag")}
    return {str(key): float(value) for key, value in frame["value"].items()}, words["source"], words["flag"]


def _rare_earths(cal: Calibration, exporter: str) -> Iterator[_Row]:
    """What is known of rare earths in the year of the table."""
    from reesim.observed import CHINA

    if cal.year != YEAR:
        yield _missing("rare-earth receipts, world market", MILLION, f"the shipped accounts are those of {YEAR}")
    elif exporter != CHINA:
        yield _missing("rare-earth receipts, world market", MILLION, "the shipped accounts have China as the exporter")
    else:
        yield from _market(cal, exporter)
        yield from _rare_earth_split(cal)


def _market(cal: Calibration, exporter: str) -> Iterator[_Row]:
    """Size of the rare-earth market, (15): value, exports, and the tonnes that the model's use stands for."""
    from reesim import observed

    values, source, _ = _accounts_2009()
    use, home = cal.ree_value_i, cal.supplier
    abroad = float(use.sum() - use[home])
    chosen = cal.choices.get("rare-earth shares", "shares of this calibration").partition(":")[0]
    yield _value(
        "rare-earth receipts, world market", values["market_value"], float(use.sum()), MILLION, source["market_value"],
        f"use of all regions at user prices; shares: {chosen}",
    )  # fmt: skip
    seen = observed.load()
    seen = seen[(seen["series"] == "export_value") & (seen["start"] == "2009-01-01") & (seen["end"] == "2009-12-31")]
    yield _value(
        "rare-earth exports, value", float(seen["value"].iloc[0]), abroad, MILLION, str(seen["source"].iloc[0]),
        f"foreign use at user prices; shares: {chosen}", exporter,
    )  # fmt: skip
    yield _value(
        "rare-earth exports, quantity", values["exports_tonnes"], cal.baseline_exports_tonnes, "tonnes a year",
        source["exports_tonnes"], "what baseline foreign use stands for, under every choice of shares", exporter,
    )  # fmt: skip
    yield from _home_use(cal, exporter, values, source)


def _home_use(cal: Calibration, exporter: str, values: dict[str, float], source: dict[str, str]) -> Iterator[_Row]:
    """Yield use at home in the unit in which foreign use is the exports, tonnes a year."""
    moment, key, home = "rare-earth use at home, quantity", f"use_tonnes.{exporter}", cal.supplier
    quantity = cal.ree_value_i / cal.tax_factor_i
    abroad = float(quantity.sum() - quantity[home])
    if not abroad > 0.0:
        yield _missing(moment, "tonnes a year", "nobody abroad uses rare earths in this calibration")
        return
    tonnes = float(quantity[home]) * cal.baseline_exports_tonnes / abroad
    if key not in values:
        yield _missing(moment, "tonnes a year", f"no use of {exporter} is shipped", tonnes)
        return
    note = "its weight in world use decides how far a tax or quota raises the price abroad and lowers it at home"
    yield _value(moment, values[key], tonnes, "tonnes a year", source[key], note, exporter)


def _rare_earth_split(cal: Calibration) -> Iterator[_Row]:
    """Regional split of rare-earth use."""
    values, source, flag = _accounts_2009()
    unit, moment = "share of world use", "rare-earth use by region"
    share = _shares(cal.ree_value_i, 0)
    for region, model in zip(cal.regions, share.tolist(), strict=True):
        key = f"use_share.{region}"
        if key not in values:
            yield _missing(moment, unit, f"no use of {region} is shipped", model)
            continue
        note = "at user prices" + (f"; the target is {flag[key]}" if flag[key] else "")
        yield _value(moment, values[key], model, unit, source[key], note, region, share=True)
