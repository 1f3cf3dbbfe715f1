"""Which industry a patent is of, and whether it saves, replaces or makes better use of rare earths.

A classifier is anything with a `name` and a method `classify`. `TextBaseline` needs no network and explains itself by the words
that it matched; `reesim.empirics.patents.llm` asks a language model.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from reesim.data.csvfiles import read_table
from reesim.empirics.files import OWN_DATA
from reesim.empirics.patents.keywords import KeywordFilter, Reading
from reesim.empirics.patents.sentences import sentences
from reesim.empirics.patents.terms import Term, TermIndex, plain, read_terms, term, without_overlap
from reesim.errors import DataError, ReesimError

VOCABULARY = OWN_DATA / "patent_vocabulary.csv"
CUES = OWN_DATA / "patent_cues.csv"
DESCRIPTIONS = OWN_DATA / "sic_bea.csv"

DESCRIPTION_WEIGHT = 0.25
"""Of a word of an industry's description, times how rare it is among descriptions; a word of the vocabulary weighs 1 to 4."""

LEAST = 1.0
"""Score below which no industry is named."""

THRESHOLD = 1.0
"""Score of cues from which a patent is taken to improve the use of rare earths or to replace them."""

ELSEWHERE = 0.4
"""Weight of a cue in a sentence that does not speak of rare earths."""

_EMPTY = frozenset(["except", "general", "made", "other", "part", "product", "purchased", "related", "with"])
_SYMBOL = re.compile(r"(?<![\w.])(?:Nd|Dy|Tb|Pr|Ce|La|Sm|Gd|Eu|Yb|Ho|Lu|REE)(?![a-z])|\brare[\s-]earth")


class ClassifierStopped(ReesimError):
    """A classifier will not go on: a budget is spent, or a service refuses. What it answered so far is kept."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Classification:
    """What a classifier says of a text.

    Parameters
    ----------
    sic : str
        Industry, four digits of SIC 1987; empty if none could be named.
    enhancing : bool
        Whether the technology saves, replaces, recovers or makes better use of rare earths.
    confidence : float
        The classifier's own, from 0 to 1, of the industry. Not a probability unless the classifier says so.
    reason : str
        In words.
    """

    sic: str
    enhancing: bool
    confidence: float
    reason: str


@runtime_checkable
class Classifier(Protocol):
    """Anything that classifies texts."""

    @property
    def name(self) -> str:
        """What outputs call it: method, model, version."""

    def classify(self, text: str) -> Classification:
        """Classify one text: title, blank line, abstract.

        Raises
        ------
        ClassifierStopped
            If it will not go on.
        """


@functools.cache
def industries() -> Mapping[str, str]:
    """Industries of manufacturing in SIC 1987 by code, with their descriptions."""
    return dict(read_table(DESCRIPTIONS, ("sic", "description")))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An industry, its score, and the terms that make it, the heaviest first."""

    sic: str
    score: float
    terms: tuple[str, ...]


class TextBaseline:
    """Scores of words: transparent, quick, and not clever.

    An industry's score is the sum over its terms in the text of weight times 1 + log of the number of times. Terms are
    those of ``data/patent_vocabulary.csv`` and the words of the industry's description. A patent is enhancing if the cues
    of ``data/patent_cues.csv`` sum to 1 or more, those in sentences that do not speak of rare earths counted at 0.4.

    Parameters
    ----------
    vocabulary, cues : path
        Tables of the same columns, in the place of the shipped ones.

    Raises
    ------
    DataError
        If a table cannot be read, or names an industry that is not one.
    """

    def __init__(self, vocabulary: Path = VOCABULARY, cues: Path = CUES) -> None:
        self._terms = TermIndex((*read_terms(vocabulary, "sic", "term"), *_description_terms()))
        self._cues = read_terms(cues, "kind", "cue")
        unknown = sorted({item.label for item in self._terms.terms} - set(industries()))
        if unknown:
            raise DataError(f"{vocabulary}: {unknown[0]} is no industry of manufacturing in SIC 1987")
        self._filter = KeywordFilter(reading=Reading(general=True))

    @property
    def name(self) -> str:
        """What outputs call it."""
        return f"text baseline ({len(self._terms.terms)} terms, {len(self._cues)} cues)"

    def classify(self, text: str) -> Classification:
        """Classify one text; an industry is named if its score is 1 or more."""
        ranked = self.rank(text, 2)
        score, cues = self.cues(text)
        flag = score >= THRESHOLD
        why = f"{'enhancing' if flag else 'not enhancing'} at {score:.1f}: {', '.join(cues) or 'no cue'}"
        if not ranked or ranked[0].score < LEAST:
            return Classification("", flag, 0.0, f"no industry: too few known words; {why}")
        best = ranked[0]
        total = sum(candidate.score for candidate in ranked)
        words = ", ".join(tuple(dict.fromkeys(best.terms))[:5])
        return Classification(best.sic, flag, best.score / total, f"{best.sic} at {best.score:.1f}: {words}; {why}")

    def rank(self, text: str, first: int = 5) -> tuple[Candidate, ...]:
        """The industries that score most, the best first; ties in order of their codes."""
        words = plain(text)
        scores: dict[str, list[tuple[float, str]]] = {}
        for item, count in self._terms.found(words):
            scores.setdefault(item.label, []).append((item.weight * (1.0 + math.log(count)), item.text))
        found = [
            Candidate(
                sic, math.fsum(weight for weight, _ in parts), tuple(name for _, name in sorted(parts, reverse=True))
            )
            for sic, parts in scores.items()
        ]
        return tuple(sorted(found, key=lambda candidate: (-candidate.score, candidate.sic))[:first])

    def cues(self, text: str) -> tuple[float, tuple[str, ...]]:
        """Sum of weights of cues, and the cues, the heaviest first.

        A cue counts once, at its best place. Of two in one place the one that turns the other round counts, or else the longer.
        """
        best: dict[str, float] = {}
        for sentence in sentences(text):
            near = 1.0 if _SYMBOL.search(sentence.text) or self._filter.matches(sentence.text) else ELSEWHERE
            for cue in without_overlap(self._cues, plain(sentence.text)):
                weight = cue.weight * near
                if weight and abs(weight) > abs(best.get(cue.text, 0.0)):
                    best[cue.text] = weight
        order = sorted(best, key=lambda name: -abs(best[name]))
        return math.fsum(best.values()), tuple(f"{name} ({best[name]:+.1f})" for name in order)


def _description_terms() -> list[Term]:
    """Words of the industries' descriptions; what follows ``Except`` describes what an industry is not."""
    words = {
        sic: {word for word in plain(re.split(r"\bExcept\b", text)[0]).split() if len(word) > 3 and word not in _EMPTY}
        for sic, text in industries().items()
    }
    numbers: dict[str, int] = {}
    for found in words.values():
        for word in found:
            numbers[word] = numbers.get(word, 0) + 1
    return [
        term(word, sic, DESCRIPTION_WEIGHT * math.log(len(words) / numbers[word]))
        for sic, found in words.items()
        for word in sorted(found)
    ]
