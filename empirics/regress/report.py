"""What an exercise found: its regressions by block, and how it is told on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reesim.empirics import tables
from reesim.empirics.estimates import Estimate
from reesim.empirics.files import written
from reesim.empirics.panels.schema import Panel
from reesim.empirics.regress import robustness
from reesim.empirics.regress.design import Design
from reesim.empirics.regress.event import EventStudy
from reesim.empirics.regress.fit import Estimator, Fit
from reesim.empirics.regress.resample import Resampled
from reesim.empirics.regress.robustness import Variant

COUNTS = ("count", "enhancing")
"""Outcomes that are numbers of patents, not shares or growth."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block:
    """Regressions of one outcome and estimator, by group.

    Parameters
    ----------
    title : str
    estimator : {"PPML", "OLS"}
    designs : dict of str to Design
    fits : dict of str to Fit
    reasons : dict of str to str
        Why a group could not be fitted.
    """

    title: str
    estimator: Estimator
    designs: dict[str, Design]
    fits: dict[str, Fit]
    reasons: dict[str, str]

    def columns(self) -> list[tables.Column]:
        """Columns of its table."""
        return [
            tables.Column(
                heading=group,
                fit=fit,
                sd=self.designs[group].used(fit).sd,
                deck=self.designs[group].published(self.estimator),
            )
            for group, fit in self.fits.items()
        ]

    def refused(self) -> list[str]:
        """Groups that could not be fitted and why, those with the same reason together."""
        groups: dict[str, list[str]] = {}
        for group, reason in self.reasons.items():
            groups.setdefault(reason, []).append(group)
        return [f"{', '.join(names)}: not estimated: {reason}" for reason, names in groups.items()]

    def estimates(self) -> list[Estimate]:
        """Tidy rows: each coefficient, and that of interest per standard deviation."""
        rows = []
        for group, fit in self.fits.items():
            made = self.designs[group]
            known = made.published(self.estimator)
            deck = {made.term: (known.estimate, known.std_error)} if known else {}
            rows += fit.estimates(made.exercise, group, outcome=made.label, deck=deck)
            rows.append(robustness.per_sd(made, fit))
        return rows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Report:
    """What an exercise found and wrote.

    Parameters
    ----------
    exercise : str
    panel : Panel
    blocks : tuple of Block
        The slides' tables in their order; the first is the main one.
    events : tuple of EventStudy
    variants : dict of str to list of Variant
        Of the main regression.
    permuted, bootstrapped : dict of str to Resampled
        By group, of the main block.
    notes : tuple of str
    estimates : tuple of Estimate
    files : tuple of Path
    """

    exercise: str
    panel: Panel
    blocks: tuple[Block, ...]
    events: tuple[EventStudy, ...]
    variants: dict[str, list[Variant]]
    permuted: dict[str, Resampled]
    bootstrapped: dict[str, Resampled]
    notes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        """What was found, for the screen, without markup."""
        told = [*self.panel.lines(), *self.notes, ""]
        for block in self.blocks:
            told += [*block_lines(block), ""]
        told += [*self.reading(), ""]
        told += [line for study in self.events for line in study.lines()]
        for found in (self.permuted, self.bootstrapped):
            told += [f"{group}, {result}" for group, result in found.items()]
        told += ["", *variant_lines(self.variants)]
        return [*told, "", written(self.files)]

    def reading(self) -> list[str]:
        """What the main coefficients say beside the slides', and how far their errors can be trusted."""
        told = []
        for column in self.blocks[0].columns():
            term = self.blocks[0].designs[column.heading].term
            low, high = column.fit.interval(term)
            held = [f"{low:.3f} to {high:.3f} {'holds' if low <= 0.0 <= high else 'does not hold'} zero"]
            if column.deck:
                value = column.deck.estimate
                held.append(f"{'holds' if low <= value <= high else 'does not hold'} the slides' {value:g}")
            line = f"{column.heading}: 95 % interval {' and '.join(held)}"
            drawn = self.permuted.get(column.heading)
            if drawn:
                ratio = float(drawn.draws.std()) / column.fit.std_error(term)
                line += (
                    f"; permuted sensitivities spread the coefficient {ratio:.1f} times as far as its standard error"
                )
            told.append(f"{line}.")
        return told


def block_lines(block: Block) -> list[str]:
    """A block as a small table: ours and the slides', and the effect of one standard deviation.

    It is per cent for counts by Poisson, for growth and for differences; counts by least squares move by patents.
    """
    counts = any(made.outcome in COUNTS for made in block.designs.values())
    patents = counts and block.estimator == "OLS"
    heading = "per s.d." if patents else "% per s.d."
    told = [
        block.title,
        f"{'':8}{'estimate':>10}{'error':>9}{'p':>8}{heading:>12}{'slides':>9}{'error':>8}{'rows':>9}{'clusters':>10}",
    ]
    for column in block.columns():
        fit, term = column.fit, block.designs[column.heading].term
        deck = f"{column.deck.estimate:9.3f}{column.deck.std_error:8.3f}" if column.deck else f"{'':17}"
        moved = fit.coefficient(term) * (column.sd or 0.0)
        effect = moved if patents else robustness.percent(fit, moved, 0.0)[0]
        told.append(
            f"{column.heading:8}{fit.coefficient(term):10.3f}{fit.std_error(term):9.3f}{fit.p[fit.at(term)]:8.3f}"
            f"{effect:12.3f}{deck}{fit.observations:9,}{fit.clusters:10,}"
        )
    told += block.refused()
    dropped = "; ".join(f"{group} {fit.dropped}" for group, fit in block.fits.items() if fit.dropped.total)
    return told + ([f"Rows dropped: {dropped}."] if dropped else [])


def variant_lines(found: Mapping[str, Sequence[Variant]]) -> list[str]:
    """Variants as a small table, per cent per standard deviation."""
    told = []
    for block, rows in found.items():
        told.append(f"{block}, per cent per standard deviation")
        for one in rows:
            if one.fit is None:
                told.append(f"  {one.name}: not estimated: {one.reason}")
                continue
            effect, error = robustness.percent(one.fit, *one.per_sd)
            told.append(f"  {one.name:34}{effect:9.3f}{error:9.3f}")
    return told
