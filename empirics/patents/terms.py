"""Terms of words and how they are found: ``magnet*`` for all that begin so, ``a|b`` for either, ``~4`` for up to four between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reesim.data.csvfiles import parse_number, read_table
from reesim.errors import DataError

_TOKEN = re.compile(r"[a-z0-9]+")
_PART = re.compile(r"[a-z0-9]+\*?(?:\|[a-z0-9]+\*?)*|~[1-9]")
_START = 4
_KEPT = ("ss", "us", "is", "as")
_ES = ("ches", "shes", "sses", "xes", "zes")


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a table: what it speaks for, with which weight, and the expression that finds it in `plain` text."""

    text: str
    label: str
    weight: float
    expression: re.Pattern[str]
    stems: tuple[str, ...]

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Places in plain text, without overlap."""
        for stem in self.stems:
            if stem in text:
                yield from (found.span() for found in self.expression.finditer(text))
                return


def plain(text: str) -> str:
    """Words of a text in small letters and the singular, a blank before and after each.

    >>> plain("Batteries, alloys & Nd-Fe-B")
    ' battery alloy nd fe b '
    """
    return f" {' '.join(singular(word) for word in _TOKEN.findall(text.lower()))} "


def singular(word: str) -> str:
    """Return a word without the ending of the English plural, by rule of thumb; the same for terms and texts."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(_KEPT):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(_ES) else word[:-1]


def term(text: str, label: str, weight: float) -> Term:
    """Make a term.

    Raises
    ------
    DataError
        If the text is not of words, ``word*``, ``a|b`` and ``~n``, beginning and ending in a word.
    """
    parts = text.split()
    if not parts or any(not _PART.fullmatch(part) for part in parts) or parts[0][0] == "~" or parts[-1][0] == "~":
        raise DataError(
            f"term {text!r}: give words in small letters, word* for all that begin so, a|b for either, and ~4 between words for "
            "up to four others"
        )
    body = "".join(rf"(?: [a-z0-9]+){{0,{part[1:]}}}" if part[0] == "~" else f" (?:{_word(part)})" for part in parts)
    stems = tuple(f" {_stem(option)}" for option in parts[0].split("|"))
    return Term(text, label, weight, re.compile(f"{body}(?= )"), stems)


def _stem(option: str) -> str:
    return option.removesuffix("*") if option.endswith("*") else singular(option)


def _word(part: str) -> str:
    return "|".join(_stem(option) + ("[a-z0-9]*" if option.endswith("*") else "") for option in part.split("|"))


def read_terms(file: Path, label: str, name: str) -> tuple[Term, ...]:
    """Read terms from a table.

    Parameters
    ----------
    file : path
        Columns with the label, the term, and ``weight``.
    label, name : str
        Names of the first two columns.

    Raises
    ------
    DataError
        If the file cannot be read or a cell is not what it should be.
    """
    found = []
    for number, (key, text, weight) in enumerate(read_table(file, (label, name, "weight")), start=2):
        try:
            found.append(term(text, key, parse_number(weight, file, number, "weight")))
        except DataError as error:
            raise DataError(
                str(error) if str(error).startswith(str(file)) else f"{file}: row {number}: {error}"
            ) from error
    return tuple(found)


class TermIndex:
    """Terms by how their first word begins, so that a text is searched for few of many."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._by_word: dict[str, list[int]] = {}
        self._by_start: dict[str, list[int]] = {}
        for position, item in enumerate(self.terms):
            for option in dict.fromkeys(item.text.split()[0].split("|")):
                table, key = (
                    (self._by_start, _stem(option)[:_START]) if option.endswith("*") else (self._by_word, _stem(option))
                )
                table.setdefault(key, []).append(position)

    def found(self, text: str) -> Iterator[tuple[Term, int]]:
        """Terms in plain text, in their order, each with the number of times."""
        words = set(text.split())
        starts = {word[:width] for word in words for width in range(1, _START + 1)} & self._by_start.keys()
        places = {position for word in words & self._by_word.keys() for position in self._by_word[word]}
        places.update(position for start in starts for position in self._by_start[start])
        for position in sorted(places):
            item = self.terms[position]
            count = sum(1 for _ in item.places(text))
            if count:
                yield item, count


def without_overlap(terms: Iterable[Term], text: str) -> list[Term]:
    """Terms found in plain text, each place taken once: by a term of no weight or less before others, then by the longest."""
    found = sorted(
        ((item.weight <= 0.0, end - start, -start, item) for item in terms for start, end in item.places(text)),
        key=lambda entry: entry[:3],
        reverse=True,
    )
    taken: list[tuple[int, int]] = []
    kept = []
    for _, length, negative, item in found:
        start, end = -negative, length - negative
        if all(end <= low or high <= start for low, high in taken):
            taken.append((start, end))
            kept.append(item)
    return kept
