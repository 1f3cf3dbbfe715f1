"""The keywords of the slides: which rare earths a text names, and where.

One compiled regular expression runs over a text in lower case. Its table is ``data/patent_keywords.csv``.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reesim.data.csvfiles import listed, read_rows
from reesim.empirics.files import OWN_DATA
from reesim.errors import DataError

TABLE = OWN_DATA / "patent_keywords.csv"
COLUMNS = ("element", "keyword", "kind", "written", "list")
KINDS = ("word", "formula", "phrase")
LISTS = ("deck", "general")

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NO_LETTER = r"(?![^\W\d_])"
_NO_LETTER_OR_DIGIT = r"(?![^\W_])"
_OPEN = r"(?:\s?<su[bp]>\s?|&lt;su[bp]&gt;|\.su[bp]\.|\\textsubscript\{|\$?_\{?(?:\\(?:text|mathrm|rm)\{?)?)?"
"""Marks before a subscript: markup, its escaped form, that of the patent offices' plain text, and TeX."""
_CLOSE = r"(?:\s?</su[bp]>|&lt;/su[bp]&gt;|\.su[bp]\.|\}{0,2}\$?)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What of a keyword is taken as written, beyond upper and lower case, typography and word boundaries.

    Parameters
    ----------
    plurals : bool
        ``rare earth magnets``. Phrases only.
    dashes : bool
        ``Nd-Fe-B`` for ``ndfeb`` and ``rare-earth-magnet``: dashes between the atoms of an alloy and the words of a phrase.
    spaces : bool
        ``CeO 2`` where a subscript was lost and its blank stayed, if upper and lower case are those of chemistry.
    general : bool
        Also the words that the table adds to those of the slides: rare earth, mischmetal, thulium.
    """

    plurals: bool = True
    dashes: bool = True
    spaces: bool = True
    general: bool = False


LITERAL = Reading(plurals=False, dashes=False, spaces=False)
"""The slides' keywords and nothing else."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword, how chemistry writes it, and the elements that it stands for; none for the group as a whole."""

    text: str
    kind: str
    written: str
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A keyword found: `text` is what stands at ``[start:end]`` of the original."""

    keyword: str
    elements: tuple[str, ...]
    start: int
    end: int
    text: str


def read_keywords(file: Path = TABLE, general: bool = False) -> tuple[Keyword, ...]:
    """Read a table of keywords.

    Parameters
    ----------
    file : path
        Columns element, keyword, kind (word, formula, phrase), written, list (deck, general); others are not read. A keyword
        of several elements has a row for each. In a phrase ``(-)`` is a dash that may be a blank, ``(word)`` may be absent.
    general : bool
        Whether rows of the list ``general`` count.

    Raises
    ------
    DataError
        If the file cannot be read, or a row says what it should not.
    """
    header, *rows = read_rows(file)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DataError(f"{file}: row 1: no column {listed(missing)}; the header must have {','.join(COLUMNS)}")
    found: dict[str, Keyword] = {}
    for number, row in enumerate(rows, start=2):
        element, text, kind, written, which = (row[header.index(name)] for name in COLUMNS)
        if not text or kind not in KINDS or which not in LISTS or not _sound(kind, text, written):
            raise DataError(
                f"{file}: row {number}: {text!r}, kind {kind!r}, list {which!r}: give a keyword in lower case that begins with "
                f"a letter, written as itself but for case, of kind {', '.join(KINDS)} and list {', '.join(LISTS)}"
            )
        if which == "general" and not general:
            continue
        known = found.get(text)
        elements = tuple(name for name in (*(known.elements if known else ()), element) if name)
        found[text] = Keyword(text, kind, written, elements)
    if not found:
        raise DataError(f"{file}: no keyword in it; give at least one row below the header")
    return tuple(found.values())


def _sound(kind: str, text: str, written: str) -> bool:
    plain = text == text.lower() == written.lower() and text[0].isalpha() and text.isascii()
    return plain and (kind != "formula" or bool(re.fullmatch(r"(?:[A-Z][a-z]?\d*)+", written)))


class KeywordFilter:
    """Finds keywords in texts. Immutable in effect, and safe to share.

    Parameters
    ----------
    keywords : tuple of Keyword, optional
        By default those of the slides.
    reading : Reading, optional
    """

    def __init__(self, keywords: tuple[Keyword, ...] | None = None, reading: Reading | None = None) -> None:
        self.reading = reading or Reading()
        self.keywords = keywords or read_keywords(general=self.reading.general)
        order = sorted(range(len(self.keywords)), key=lambda k: -len(self.keywords[k].text))
        self._order = [self.keywords[k] for k in order]
        self._expression = re.compile(_expression(self._order, self.reading))
        self._fold = _Fold()

    def __repr__(self) -> str:
        elements = sorted({element for keyword in self.keywords for element in keyword.elements})
        return f"<KeywordFilter: {len(self.keywords)} keywords of {len(elements)} elements, {self.reading}>"

    def find(self, text: str) -> tuple[Hit, ...]:
        """Return all keywords in a text, in order, without overlap, with their places in the text as it was given."""
        plain = self._folded(text)
        found = [match for match in self._expression.finditer(plain.lower()) if self._as_written(match, plain)]
        if not found:
            return ()
        place = self._places(text)
        return tuple(self._hit(match, text, place) for match in found)

    def matches(self, text: str) -> bool:
        """Whether a text has any keyword; quicker than `find`."""
        plain = self._folded(text)
        return any(self._as_written(match, plain) for match in self._expression.finditer(plain.lower()))

    def elements(self, text: str) -> tuple[str, ...]:
        """Symbols of the elements whose keywords a text has, each once, in order of the alphabet."""
        return tuple(sorted({element for hit in self.find(text) for element in hit.elements}))

    def _as_written(self, match: re.Match[str], plain: str) -> bool:
        """A formula with a blank in it must be written as in chemistry: ``CeO 2``, but not ``the CEO 2 years ago``."""
        keyword = self._order[(match.lastindex or 0) - 1]
        if keyword.kind != "formula" or not any(letter.isspace() for letter in match.group(match.lastindex or 0)):
            return True
        letters = re.sub(
            r"<[^<>]*>|&\w+;|\.su[bp]\.|\\\w+|[^A-Za-z]", "", plain[slice(*match.span(match.lastindex or 0))]
        )
        return letters == re.sub(r"\d", "", keyword.written)

    def _folded(self, text: str) -> str:
        return text if text.isascii() else _NOT_ASCII.sub(lambda letter: self._fold[letter.group()], text)

    def _places(self, text: str) -> list[int] | None:
        """Place in the text of every letter of the folded text; None where all are what they were."""
        if all(letter.isascii() or len(self._fold[letter]) == 1 for letter in set(text)):
            return None
        widths = [1 if letter.isascii() else len(self._fold[letter]) for letter in text]
        return [k for k, width in enumerate(widths) for _ in range(width)]

    def _hit(self, match: re.Match[str], text: str, place: list[int] | None) -> Hit:
        keyword = self._order[(match.lastindex or 0) - 1]
        start, end = match.span(match.lastindex or 0)
        if place is not None:
            start, end = place[start], place[end - 1] + 1
        return Hit(keyword.text, keyword.elements, start, end, text[start:end])


@functools.cache
def deck_filter() -> KeywordFilter:
    """The slides' keywords, read as `Reading` says by default."""
    return KeywordFilter()


class _Fold(dict[str, str]):
    """Letters outside ASCII as plain ones, worked out at the first meeting: ₂ as 2, every dash as -, soft hyphens as nothing.

    Letters of scripts without upper and lower case end a word: Chinese sets a formula between its signs without a blank.
    """

    def __missing__(self, letter: str) -> str:
        if unicodedata.category(letter) == "Cf":
            plain = ""
        elif letter == "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}":
            plain = "I"  # the one letter whose lower case is two, which would shift every place behind it
        elif unicodedata.category(letter) == "Lo":
            plain = "|"
        else:
            plain = "".join(
                "-" if unicodedata.category(part) == "Pd" or part in "\N{MINUS SIGN}\N{HYPHEN BULLET}" else part
                for part in unicodedata.normalize("NFKC", letter)
            )
        self[letter] = plain
        return plain


def _expression(keywords: list[Keyword], reading: Reading) -> str:
    """One group a keyword, so that the number of the group names it; coefficients may stand before, as in 2CeO2.

    Groups are numbered by their place in the expression, so `keywords` is brought into that order. That a keyword is tried
    at word boundaries only, and by its first letter, makes the search twice as fast.
    """
    keywords.sort(key=lambda keyword: keyword.text[0])
    branches: dict[str, list[str]] = {}
    for keyword in keywords:
        branches.setdefault(keyword.text[0], []).append(f"({_body(keyword, reading)})")
    start = rf"\b(?=[\d_{''.join(branches)}])[\d_]*"
    bodies = (f"(?={first})(?:{'|'.join(group)})" for first, group in branches.items())
    return f"{start}(?:{'|'.join(bodies)})"


def _body(keyword: Keyword, reading: Reading) -> str:
    if keyword.kind == "word":
        return keyword.text + _NO_LETTER
    return _phrase(keyword.text, reading) if keyword.kind == "phrase" else "".join(_formula(keyword.written, reading))


def _formula(written: str, reading: Reading) -> Iterator[str]:
    atoms = re.findall(r"([A-Z][a-z]?)(\d*)", written)
    dash = "-?" if reading.dashes and not any(atom == "O" for atom, _ in atoms) else ""
    blank = r"\s?" if reading.spaces else ""
    for position, (atom, number) in enumerate(atoms):
        last = position == len(atoms) - 1
        yield atom.lower()
        if number:
            yield rf"(?:{_OPEN}|\s)?{number}" if blank else f"{_OPEN}{number}"
            yield _CLOSE if last else f"{_CLOSE}{blank}"
        yield (_NO_LETTER_OR_DIGIT if number else _NO_LETTER) if last else dash


def _phrase(text: str, reading: Reading) -> str:
    gap = r"[\s-]\s*" if reading.dashes else r"\s+"
    words = []
    for word in text.split():
        if word.startswith("(") and word.endswith(")"):
            words.append(f"(?:{re.escape(word[1:-1])}{gap})?")
        else:
            words.append(re.escape(word).replace(re.escape("(-)"), r"[\s-]\s*") + gap)
    body = "".join(words).removesuffix(gap)
    return body + ("s?" if reading.plurals else "") + _NO_LETTER
