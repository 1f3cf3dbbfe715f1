"""How well a classifier agrees with labels that somebody gave by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reesim.empirics.patents.classify import Classification
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of cases, with Wilson's interval of 95 %; nan where there are none."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """Part over whole."""
        return self.part / self.whole if self.whole else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds, which stay inside 0 to 1 and do not close at its ends."""
        if not self.whole:
            return math.nan, math.nan
        n, share = float(self.whole), self.value
        scale = 1.0 + Z * Z / n
        middle = (share + Z * Z / (2.0 * n)) / scale
        half = Z / scale * math.sqrt(share * (1.0 - share) / n + Z * Z / (4.0 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def words(self) -> str:
        """Share, counts, interval."""
        if not self.whole:
            return "no cases"
        low, high = self.interval
        return f"{self.value:.2f} ({self.part} of {self.whole}; {low:.2f} to {high:.2f})"


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa, its standard error in large samples, and the interval of 95 %."""

    value: float
    std_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds, cut at -1 and 1."""
        return max(-1.0, self.value - Z * self.std_error), min(1.0, self.value + Z * self.std_error)

    def words(self) -> str:
        """Value and interval."""
        if math.isnan(self.value):
            return "not defined: both give one label only"
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} to {high:.2f})"


def kappa(truth: Sequence[Hashable], found: Sequence[Hashable]) -> Kappa:
    """Agreement beyond chance: (p_o - p_e) / (1 - p_e), with the standard error of Fleiss, Cohen and Everitt (1969).

    Parameters
    ----------
    truth, found : sequences of one length
        Labels of any kind.

    Returns
    -------
    Kappa
        Of nan where both sides give one and the same label to everything. The error is that of large samples; in small
        ones with perfect agreement it is 0, and says little.

    Raises
    ------
    DataError
        If there are no labels, or not as many on both sides.
    """
    n = _paired(truth, found)
    cells = Counter(zip(truth, found, strict=True))
    rows, columns = Counter(truth), Counter(found)
    observed = sum(cells[label, label] for label in rows) / n
    chance = sum(rows[label] * columns[label] for label in rows) / n**2
    if chance >= 1.0:
        return Kappa(math.nan, math.nan)
    value = (observed - chance) / (1.0 - chance)
    diagonal = math.fsum(
        cells[label, label] / n * (1.0 - (rows[label] + columns[label]) / n * (1.0 - value)) ** 2 for label in rows
    )
    beside = (1.0 - value) ** 2 * math.fsum(
        count / n * ((columns[left] + rows[right]) / n) ** 2 for (left, right), count in cells.items() if left != right
    )
    spread = diagonal + beside - (value - chance * (1.0 - value)) ** 2
    return Kappa(value, math.sqrt(max(0.0, spread) / n) / (1.0 - chance))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a classifier with labels.

    Parameters
    ----------
    cases : int
    industry, sector, group : Share
        Agreement in four, three and two digits of SIC; no industry named is a disagreement.
    unnamed : int
        Cases without an industry.
    kappa : Kappa
        Of the four digits.
    flag : Share
        Agreement on the flag.
    flag_kappa : Kappa
    precision, recall : Share
        Of the flag: those rightly flagged, of the flagged and of those that should be.
    confusion : mapping of (str, str) to int
        Cases by industry as labelled and as found, where they differ.
    top : mapping of int to Share
        Labelled industry among the first k that the classifier ranks; empty if it does not rank.
    """

    cases: int
    industry: Share
    sector: Share
    group: Share
    unnamed: int
    kappa: Kappa
    flag: Share
    flag_kappa: Kappa
    precision: Share
    recall: Share
    confusion: dict[tuple[str, str], int]
    top: dict[int, Share]

    def lines(self) -> list[str]:
        """For the screen."""
        top = "; ".join(f"among the first {k} {share.value:.2f}" for k, share in self.top.items())
        return [
            f"Industry, four digits: {self.industry.words()}, kappa {self.kappa.words()}; {self.unnamed} not named.",
            f"Three digits {self.sector.value:.2f}, two digits {self.group.value:.2f}{'; ' if top else ''}{top}.",
            f"Flag: {self.flag.words()}, kappa {self.flag_kappa.words()}.",
            f"Flag: precision {self.precision.words()}, recall {self.recall.words()}.",
        ]

    def to_frame(self) -> pd.DataFrame:
        """Columns measure, value, low, high, part, whole."""
        import pandas as pd

        shares = {
            "industry, four digits": self.industry, "industry, three digits": self.sector, "industry, two digits": self.group,
            **{f"industry among the first {k}": share for k, share in self.top.items()},
            "flag": self.flag, "flag, precision": self.precision, "flag, recall": self.recall,
        }  # fmt: skip
        rows: list[tuple[str, float, float, float, int, int]] = [
            (name, share.value, *share.interval, share.part, share.whole) for name, share in shares.items()
        ]
        for name, value in (("kappa, industry", self.kappa), ("kappa, flag", self.flag_kappa)):
            rows.append((name, value.value, *value.interval, self.cases, self.cases))
        return pd.DataFrame(rows, columns=["measure", "value", "low", "high", "part", "whole"])


def agreement(
    truth: Sequence[tuple[str, bool]],
    found: Sequence[Classification],
    ranked: Sequence[Sequence[str]] | None = None,
    first: Sequence[int] = (3, 5),
) -> Agreement:
    """Compare classifications with labels.

    Parameters
    ----------
    truth : sequence of (str, bool)
        Industry in four digits, and the flag.
    found : sequence of Classification
        In the same order.
    ranked : sequence of sequences of str, optional
        Industries by case, the best first.
    first : sequence of int
        How many of them are looked at.

    Raises
    ------
    DataError
        If there are no cases, or not as many everywhere.
    """
    n = _paired(truth, found)
    if ranked is not None:
        _paired(truth, ranked)
    labels, names = [sic for sic, _ in truth], [case.sic for case in found]
    flags, guesses = [flag for _, flag in truth], [case.enhancing for case in found]

    def same(digits: int) -> Share:
        return Share(sum(1 for a, b in zip(labels, names, strict=True) if b and a[:digits] == b[:digits]), n)

    right = sum(1 for a, b in zip(flags, guesses, strict=True) if a and b)
    return Agreement(
        cases=n, industry=same(4), sector=same(3), group=same(2), unnamed=names.count(""),
        kappa=kappa(labels, names), flag=Share(_same(flags, guesses), n), flag_kappa=kappa(flags, guesses),
        precision=Share(right, sum(guesses)), recall=Share(right, sum(flags)),
        confusion=dict(Counter((a, b) for a, b in zip(labels, names, strict=True) if a != b)),
        top={} if ranked is None else {k: _within(labels, ranked, k) for k in first},
    )  # fmt: skip


def judge(
    cases: Sequence[tuple[str, str, bool]],
    classify: Callable[[str], Classification],
    rank: Callable[[str], Sequence[str]] | None = None,
) -> Agreement:
    """Classify labelled texts and compare.

    Parameters
    ----------
    cases : sequence of (str, str, bool)
        Text, industry, flag.
    classify : callable
        Such as the method of a classifier.
    rank : callable, optional
        Industries of a text, the best first.
    """
    found = [classify(text) for text, _, _ in cases]
    ranked = None if rank is None else [rank(text) for text, _, _ in cases]
    return agreement([(sic, flag) for _, sic, flag in cases], found, ranked)


def _paired(left: Sequence[object], right: Sequence[object]) -> int:
    if not left or len(left) != len(right):
        raise DataError(f"{len(left)} labels and {len(right)} answers: give as many of both, and at least one")
    return len(left)


def _same(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    return sum(1 for a, b in zip(left, right, strict=True) if a == b)


def _within(labels: Sequence[str], ranked: Sequence[Sequence[str]], k: int) -> Share:
    return Share(sum(1 for label, names in zip(labels, ranked, strict=True) if label in names[:k]), len(labels))
