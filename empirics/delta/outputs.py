"""The exercise as files: estimates, one row a case, the profiles, what else moves the response, figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reesim.empirics import estimates
from reesim.empirics.delta.profile import WORDS, Profile, Status
from reesim.empirics.delta.study import Case, Progress, Study, study
from reesim.empirics.delta.target import Target, of_panel, of_slides
from reesim.empirics.estimates import Estimate
from reesim.empirics.files import write_csv, written

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found and written.

    Parameters
    ----------
    study : Study
    files : tuple of pathlib.Path
    """

    study: Study
    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        """Sentences and small tables, without markup."""
        found, target = self.study, self.study.target
        low, high = (100.0 * math.expm1(end) for end in target.band())
        return [
            f"Target: {target.percent:.2f} % per standard deviation, standard error {target.percent_error:.2f} points "
            f"({target.source}); 95 %: {low:.1f} to {high:.1f} %.",
            f"Stable below δ* = {found.delta_star:.4g}; searched from 0 to {_searched(found):.4g}.",
            "",
            *_reference_lines(found),
            "",
            *verdict(found),
            "",
            *(f"  {move.what:<20} {move.value:<46} {move.percent:7.2f} %" for move in found.moves),
            "",
            *_rate_lines(found),
            written(self.files),
        ]


def run(
    out: Path,
    panel: Path | None = None,
    *,
    figures: bool = True,
    progress: Progress | None = None,
    **choices: Any,
) -> Report:
    """Estimate δ by indirect inference, (27), and write what comes out.

    Parameters
    ----------
    out : path
        Folder that exists.
    panel : path, optional
        Panel of patents by region, industry and year, on which the target is estimated. Default: the slides' number.
    figures : bool
        Whether to draw.
    progress : callable, optional
        Told how many of how many episodes are done.
    **choices
        Of `study.study`: scenarios, shares, entries, seen, lasts.

    Raises
    ------
    DataError
        If the panel cannot be used.
    InputError
        If a scenario has no patents that respond.
    StoreError
        If a file cannot be written.
    """
    target = of_slides() if panel is None else of_panel(panel)
    found = study(target, progress=progress, **choices)
    files = [estimates.write(to_estimates(found), out / "estimates.csv")]
    tables = {"delta": cases(found), "profile": profiles(found), "moves": moves(found), "replacement": rates(found)}
    files += [write_csv(frame, out / f"{name}.csv") for name, frame in tables.items()]
    if figures:
        from reesim.empirics.delta.figures import draw_all

        files += draw_all(found, out)
    return Report(study=found, files=tuple(files))


def verdict(found: Study) -> Iterator[str]:
    """What all cases together say."""
    every = list(found.profiles.values())
    counts = {status: sum(profile.status == status for profile in every) for status in WORDS}
    told = ", ".join(f"{number} {_SHORT[status]}" for status, number in counts.items() if number)
    yield f"Target in {len(every)} cases: {told}."
    moved = [profile.moved for profile in every if profile.responses]
    if not moved:
        return
    whole = sum(profile.whole for profile in every)
    empty = sum(bool(profile.responses) and not profile.interval for profile in every)
    yield (
        f"Over the whole stable range the response moves by {max(moved):.2f} percentage points at most "
        f"({float(np.median(moved)):.2f} at the median); the target's standard error is {found.target.percent_error:.2f}."
    )
    yield (
        f"The interval of 95 % is the whole range in {whole} cases, a part of it in {len(moved) - whole - empty}, "
        f"empty in {empty}."
    )
    if max(moved) < found.target.percent_error:
        yield "So the response of patents does not identify δ: what it moves is less than what is known of the target."
    low, high = found.slopes
    yield (
        f"Why: a log point of the foreign price moves A_R/A_L by {low:.4f} per standard deviation in the end at δ = 0 and by "
        f"{high:.4f} at the edge, (8)."
    )


_SHORT: dict[Status, str] = {
    "attained": "attain it", "several": "attain it more than once", "below": "stay below", "above": "stay above",
    "unsolved": "not solved",
}  # fmt: skip


def to_estimates(found: Study) -> list[Estimate]:
    """Rows of ``estimates.csv``: δ where it is attained, and the response at both ends of the range everywhere.

    The response's own standard error is the misfit of the model's sectors, clustered as in (26); no counts were drawn.
    """
    slides = of_slides()
    deck = (slides.response, slides.std_error) if found.target.group == slides.group else (math.nan, math.nan)
    return [row for case, profile in found.profiles.items() for row in _estimates(case, profile, deck)]


def _estimates(case: Case, profile: Profile, deck: tuple[float, float]) -> Iterator[Estimate]:
    where = f"{case.scenario}, {case.shares} shares, entry {case.entry:g} years"
    common: dict[str, Any] = {
        "exercise": "delta", "outcome": f"patents: {case.reading}", "group": case.reading.group,
    }  # fmt: skip
    ends = profile.responses[:1] + profile.responses[1:][-1:]
    if profile.status == "attained" and math.isfinite(profile.std_error):
        yield Estimate(
            estimator="indirect inference", term=f"delta: {where}", estimate=profile.estimate, std_error=profile.std_error,
            observations=ends[0].observations, clusters=ends[0].clusters, **common,
        )  # fmt: skip
    for end in ends:
        yield Estimate(
            estimator="PPML on the model's path", term=f"log points per sd at delta {end.delta:.4g}: {where}",
            estimate=end.response, std_error=end.std_error * end.sd, observations=end.observations,
            clusters=end.clusters, deck_estimate=deck[0], deck_std_error=deck[1], **common,
        )  # fmt: skip


def cases(found: Study) -> pd.DataFrame:
    """One row a case: whether the target is attained, the closest response, and the interval of δ."""
    return _frame(_case_row(found, case, profile) for case, profile in found.profiles.items())


def _case_row(found: Study, case: Case, profile: Profile) -> dict[str, object]:
    nearest = profile.closest
    ends = profile.responses
    return {
        **_key(case),
        "status": profile.status,
        "delta": profile.estimate,
        "std_error": profile.std_error,
        "interval_95": profile.interval_words(),
        "interval_low": profile.interval[0][0] if profile.interval else math.nan,
        "interval_high": profile.interval[-1][1] if profile.interval else math.nan,
        "response_at_0_percent": ends[0].percent if ends else math.nan,
        "response_at_edge_percent": ends[-1].percent if ends else math.nan,
        "moved_points": profile.moved,
        "monotone": profile.monotone,
        "closest_delta": nearest.delta if nearest else math.nan,
        "closest_percent": nearest.percent if nearest else math.nan,
        "criterion_at_closest": found.target.criterion(nearest.response) if nearest else math.nan,
        "target_percent": found.target.percent,
        "target_std_error_points": found.target.percent_error,
        "searched_to": profile.high,
        "residual": max((end.residual for end in ends), default=math.nan),
        "not_solved": len(profile.failures),
    }


def profiles(found: Study) -> pd.DataFrame:
    """One row a case and δ: response and criterion, or the error."""
    return _frame(row for case, profile in found.profiles.items() for row in _profile_rows(found.target, case, profile))


def _profile_rows(target: Target, case: Case, profile: Profile) -> Iterator[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {
            "delta": one.delta, "response": one.response, "percent": one.percent, "coefficient": one.coefficient,
            "std_error": one.std_error, "sd": one.sd, "criterion": target.criterion(one.response),
            "residual": one.residual, "error": "", "note": "; ".join(one.alerts),
        }
        for one in profile.responses
    ]  # fmt: skip
    missing = dict.fromkeys(
        ("response", "percent", "coefficient", "std_error", "sd", "criterion", "residual"), math.nan
    )
    rows += [{"delta": one.delta, **missing, "error": one.error, "note": one.text} for one in profile.failures]
    for row in sorted(rows, key=lambda row: row["delta"]):  # type: ignore[arg-type, return-value]  # a number, see above
        yield {**_key(case), **row}


def moves(found: Study) -> pd.DataFrame:
    """The response of the reference and with one thing changed, and the difference."""
    base = found.moves[0].percent
    return _frame(
        {"what": one.what, "value": one.value, "percent": one.percent, "difference_points": one.percent - base}
        for one in found.moves
    )


def rates(found: Study) -> pd.DataFrame:
    """Rates of replacement at which the target is attained without an externality."""
    return _frame(
        {
            "scenario": one.scenario,
            "shares": one.shares,
            "attained": len(one.rates),
            "replacement": " and ".join(f"{rate:.4g}" for rate in one.rates),
        }
        for one in found.rates
    )


def _key(case: Case) -> dict[str, object]:
    seen = case.reading.observed
    return {
        "scenario": case.scenario, "shares": case.shares, "entry_half_life": case.entry, "patents": seen.seen,
        "replacement": seen.replacement if seen.seen == "flow" else math.nan, "first": case.reading.first,
        "last": case.reading.last, "group": case.reading.group,
    }  # fmt: skip


def _frame(rows: Iterator[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))


def _searched(found: Study) -> float:
    return min(profile.high for profile in found.profiles.values())


def reference(found: Study) -> dict[Case, Profile]:
    """Cases at the first half-life, way of seeing patents and last year."""
    first = next(iter(found.profiles))
    return {
        case: profile for case, profile in found.profiles.items()
        if case.entry == first.entry and case.reading == first.reading
    }  # fmt: skip


def _reference_lines(found: Study) -> Iterator[str]:
    rows = reference(found)
    first = next(iter(rows))
    yield f"Per cent per standard deviation, {first.reading}, entry {first.entry:g} years"
    yield f"  {'scenario':<28} {'shares':<10} {'δ = 0':>7} {'edge':>7}  δ"
    for case, profile in rows.items():
        yield f"  {case.scenario:<28} {case.shares:<10} {_ends(profile)}  {_found(profile)}"


def _ends(profile: Profile) -> str:
    if not profile.responses:
        return f"{'–':>7} {'–':>7}"
    return f"{profile.responses[0].percent:7.2f} {profile.responses[-1].percent:7.2f}"


def _found(profile: Profile) -> str:
    if profile.status == "attained":
        return f"{profile.estimate:.4g} ({profile.std_error:.3g}); 95 %: {profile.interval_words()}"
    return f"{WORDS[profile.status]}; 95 %: {profile.interval_words()}"


def _rate_lines(found: Study) -> Sequence[str]:
    told = [
        f"{one.scenario}, {one.shares}: {' and '.join(f'{rate:.3g}' for rate in one.rates)}"
        for one in found.rates
        if one.rates
    ]
    words = "; ".join(told) if told else "nowhere between 0.01 and 1"
    return [f"Rates of replacement a year at which the target is attained at δ = 0: {words}.", ""]
