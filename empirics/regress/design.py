"""From a panel and sensitivity by industry to the sample of regression (26)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from reesim.data.csvfiles import listed
from reesim.empirics.panels.groups import members
from reesim.empirics.panels.schema import Panel
from reesim.empirics.regress.fit import DEFAULT, Estimator, Fit, Options, ols, ppml
from reesim.empirics.regress.published import Published, published
from reesim.errors import DataError, LabelError

if TYPE_CHECKING:
    import pandas as pd

TERM = "sensitivity x post"
POST = 2010
"""First year of the policy's effects, as in the slides: their event studies have the base year 2009."""

BASE = 2009
CHINA = "CHN"

Difference = Literal["none", "relative", "midpoint", "minus"]
DIFFERENCES: Mapping[str, Difference] = {"patents": "relative", "exports": "minus", "productivity": "minus"}
"""How an outcome is set against China's by kind of panel: growth by subtraction, counts relative to China's."""

NOT_MANUFACTURING = {"AGR", "SER"}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Design:
    """The sample of one regression (26), ready to be fitted.

    Parameters
    ----------
    frame : DataFrame
        Columns of the panel, ``sensitivity``, ``post``, `term`, the fixed effects, and the outcome.
    exercise : str
        Kind of panel: patents, exports, productivity.
    outcome : str
        Column that is explained.
    label : str
        What it is called in tables: ``annualised growth``, ``difference to China``.
    group : str
    term : str
    controls : tuple of str
    effects : tuple of str
        Columns of fixed effects: place x industry (x product) and place x year.
    cluster : str
        Column of clusters: place x industry.
    industry, place : str
        Names of those columns in the panel.
    sd : float
        Standard deviation of sensitivity over the industries of the sample, each counted once; see `used` for those of a fit.
    notes : tuple of str
        What was left out, and why.
    """

    frame: pd.DataFrame
    exercise: str
    outcome: str
    label: str
    group: str
    term: str = TERM
    controls: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    cluster: str = ""
    industry: str = "industry"
    place: str = "country"
    sd: float = math.nan
    notes: tuple[str, ...] = field(default=())

    def fit(self, estimator: Estimator = "OLS", options: Options = DEFAULT) -> Fit:
        """Fit (26) by Poisson pseudo-maximum likelihood or by least squares; errors as of `fit.ppml`."""
        compute = ppml if estimator == "PPML" else ols
        return compute(
            self.frame, self.outcome, (self.term, *self.controls), effects=self.effects, cluster=self.cluster,
            options=options,
        )  # fmt: skip

    def used(self, fit: Fit) -> Design:
        """Return the design with the standard deviation of sensitivity over the industries that a fit of it has used.

        Industries without a patent are in the sample and say nothing: a deviation with them is not one of the estimate.
        """
        return replace(self, sd=_spread(self.frame.iloc[fit.kept], self.industry))

    def published(self, estimator: Estimator) -> Published | None:
        """The slides' coefficient of the same regression, or None."""
        return published(self.exercise, self.label, estimator, self.group)


def default_sensitivity(panel: Panel) -> pd.Series[float]:
    """REE sensitivity (25), as shipped, for the codes that a panel uses: SIC 1987, WIOD, or sectors of the model.

    Returns
    -------
    pandas.Series
        By industry, USD per USD of final demand times 0 to 100.

    Raises
    ------
    DataError
        If none of the three knows any industry of the panel.
    """
    from reesim.empirics.iotable.outputs import shipped
    from reesim.empirics.panels.exports import sensitivity as of_wiod

    tables = shipped()
    codes = set(panel.frame[panel.industry])
    candidates = (
        tables["sensitivity"].set_index("sic")["sensitivity"],
        tables["sectors"].set_index("sector")["sensitivity"].drop(list(NOT_MANUFACTURING)),
        of_wiod(),
    )
    for series in candidates:
        if codes & set(series.index.astype(str)):
            return series.set_axis(series.index.astype(str)).rename("sensitivity")
    raise DataError(
        f"panel of {panel.kind} ({panel.source}): no sensitivity is shipped for its industries ({listed(sorted(codes))}): "
        "give your own, or use SIC 1987, WIOD or the model's sectors"
    )


def design(
    panel: Panel,
    sensitivity: pd.Series[float],
    *,
    group: str = "NONCHN",
    outcome: str = "",
    post: int = POST,
    difference: Difference = "none",
    years: Collection[int] | None = None,
    without: Collection[str] = (),
) -> Design:
    """Build the sample of (26).

    Parameters
    ----------
    panel : Panel
    sensitivity : pandas.Series
        By code of industry.
    group : str
        One of NONCHN, USA, EUR, JPN, ALL, CHN.
    outcome : str, optional
        Column of the panel. Default: ``enhancing`` patents or else their ``count``; ``growth`` of the others.
    post : int
        First year that counts as after.
    difference : {"none", "relative", "midpoint", "minus"}
        Whether the outcome is set against China's in the same industry (and product) and year: y / y_CHN − 1, which has
        no value where China has none; 2 (y − y_CHN) / (y + y_CHN); or y − y_CHN.
    years : collection of int, optional
        Which to keep; all by default.
    without : collection of str
        Industries left out.

    Raises
    ------
    DataError
        If the group has no rows, no industry has a sensitivity, all have the same, or no year is before or after.
    LabelError
        If the panel has no such outcome, or no such industry to leave out.
    """
    column = outcome or _outcome(panel)
    if column not in panel.frame.columns:
        raise LabelError(f"the panel of {panel.kind} has no outcome {column!r}; it has {', '.join(panel.outcomes)}")
    frame = panel.frame
    notes: list[str] = []
    if difference != "none":
        if group in (CHINA, "ALL"):
            raise DataError(f"a difference to China has no meaning for group {group}: take one without China")
        frame, column, notes = _against_china(panel, column, difference)
    chosen = members(frame[panel.place], group)
    frame = frame[frame[panel.place].isin(chosen)]
    if years is not None:
        frame = frame[frame["year"].isin(list(years))]
    if frame.empty:
        raise DataError(f"the panel of {panel.kind} ({panel.source}) has no rows of group {group} in these years")
    frame, more = _with_sensitivity(frame, panel, sensitivity, without)
    frame, cluster, effects = _effects(frame, panel)
    frame["post"] = (frame["year"] >= post).astype(float)
    frame[TERM] = frame["sensitivity"] * frame["post"]
    _require_contrast(frame, panel, post)
    return Design(
        frame=frame.reset_index(drop=True), exercise=panel.kind, outcome=column, label=_label(panel, column, difference),
        group=group, controls=panel.controls, effects=effects, cluster=cluster, industry=panel.industry,
        place=panel.place, sd=_spread(frame, panel.industry), notes=(*notes, *more),
    )  # fmt: skip


def _spread(frame: pd.DataFrame, industry: str) -> float:
    return float(frame.drop_duplicates(industry)["sensitivity"].std(ddof=1))


def _outcome(panel: Panel) -> str:
    if panel.kind == "patents":
        return "enhancing" if "enhancing" in panel.outcomes else "count"
    if "growth" in panel.outcomes:
        return "growth"
    raise LabelError(
        f"the panel of {panel.kind} has no column 'growth' but {', '.join(panel.outcomes)}: add it "
        "(reesim.empirics.panels.growth.annual_growth), or name an outcome"
    )


def _label(panel: Panel, column: str, difference: Difference) -> str:
    if difference != "none":
        return "difference to China"
    return {"enhancing": "enhancing patents", "count": "patents", "growth": "annualised growth"}.get(column, column)


def _against_china(panel: Panel, column: str, difference: Difference) -> tuple[pd.DataFrame, str, list[str]]:
    keys = [name for name in panel.units if name != panel.place] + ["year"]
    frame = panel.frame
    china = frame.loc[frame[panel.place] == CHINA, [*keys, column]].rename(columns={column: "_china"})
    if china.empty:
        raise DataError(f"the panel of {panel.kind} ({panel.source}) has no rows of China to take differences to")
    both = frame[frame[panel.place] != CHINA].merge(china, on=keys, how="left")
    y, c = both[column], both["_china"]
    name = f"{column}, difference to China"
    if difference == "minus":
        both[name] = y - c
    elif difference == "relative":
        both[name] = y / c.where(c > 0.0) - 1.0
    else:
        both[name] = 2.0 * (y - c) / (y + c).where(y + c > 0.0)
    lost = int((both[name].isna() & y.notna()).sum())
    notes = [f"{lost:,} rows have no difference to China: China has none in that industry and year."] if lost else []
    return both.drop(columns="_china"), name, notes


def _with_sensitivity(
    frame: pd.DataFrame, panel: Panel, sensitivity: pd.Series[float], without: Collection[str]
) -> tuple[pd.DataFrame, list[str]]:
    known = sensitivity.set_axis(sensitivity.index.astype(str)).dropna()
    if known.index.has_duplicates:
        raise DataError(f"sensitivity: industry {known.index[known.index.duplicated()][0]!r} is there more than once")
    if not np.isfinite(known.to_numpy(dtype=np.float64)).all():
        raise DataError("sensitivity: a number is infinite")
    codes = frame[panel.industry]
    strange = sorted(set(without) - set(codes))
    if strange:
        raise LabelError(f"no industry {listed(strange)} in the panel to leave out")
    notes = [f"Left out: {', '.join(sorted(without))}."] if without else []
    frame = frame[~codes.isin(list(without))]
    unknown = ~frame[panel.industry].isin(known.index)
    if unknown.any():
        names = sorted(set(frame.loc[unknown, panel.industry]))
        notes.append(f"{int(unknown.sum()):,} rows of industries without a sensitivity were left out: {listed(names)}.")
        frame = frame[~unknown]
    if frame.empty:
        raise DataError(f"no industry of the panel of {panel.kind} ({panel.source}) has a sensitivity")
    return frame.assign(sensitivity=frame[panel.industry].map(known).astype(float)), notes


def _effects(frame: pd.DataFrame, panel: Panel) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    place, industry = panel.place, panel.industry
    cluster, by_year = f"{place} x industry", f"{place} x year"
    columns = {cluster: _crossed(frame, (place, industry)), by_year: _crossed(frame, (place, "year"))}
    unit = cluster
    if "product" in panel.units:
        unit = f"{place} x industry x product"
        columns[unit] = _crossed(frame, (place, industry, "product"))
    return frame.assign(**columns), cluster, (unit, by_year)


def _crossed(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series[int]:
    return frame.groupby(list(names), sort=False).ngroup()


def _require_contrast(frame: pd.DataFrame, panel: Panel, post: int) -> None:
    first, last = int(frame["year"].min()), int(frame["year"].max())
    if not first < post <= last:
        raise DataError(
            f"the panel of {panel.kind} ({panel.source}) has years {first} to {last} and nothing "
            f"{f'before {post}' if first >= post else f'from {post} on'}: no difference to estimate; choose another first "
            "year after the shock (post)"
        )
    if frame["sensitivity"].nunique() < 2:
        raise DataError(f"all industries of the panel of {panel.kind} ({panel.source}) have the same sensitivity")
