"""Sentences of a text, in English: not every full stop ends one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ABBREVIATIONS = _words("""
    mr mrs ms messrs dr prof sr jr st hon rev gen col capt lt sgt gov sen rep pres
    inc corp co ltd llc plc bros assn dept mfg intl natl univ
    vs etc eg ie e.g i.e cf al approx ca avg
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri
    u.s u.k u.n e.u a.m p.m ph.d m.d b.a m.a d.c wt mol resp
""")
"""What may stand before a full stop that ends no sentence, in small letters."""

NEVER_LAST = _words("mr mrs ms messrs dr prof hon rev gen col capt lt sgt gov sen rep st e.g i.e eg ie cf vs approx ca")
"""Those of them that no sentence ends with: what follows belongs to it, in capitals or not."""

NUMBERED = _words("no nos fig figs vol p pp eq eqs sec ref refs art ch")
"""What is an abbreviation before a number only: No. 3, but not the answer No."""

_STOP = re.compile(r"""(?P<stop>[.!?]+)(?P<close>["'”’)\]»]*)(?=\s|$)|\n[ \t]*\n\s*|[。！？]""")
_WORD = re.compile(r"[^\s(\[\"'“‘]+$")
_NEXT = re.compile(r"""\s*["'“‘(\[«]*(\S)""")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and its place: `text` is what stands at ``[start:end]``."""

    text: str
    start: int
    end: int


def sentences(text: str) -> Iterator[Sentence]:
    """Split a text into sentences.

    A full stop ends one unless it stands in a number (3.5), behind an abbreviation (Inc., U.S., approx.) or an initial
    (J. Smith) with no capital letter to begin another, or before a small letter. Empty lines end one, too.
    """
    start = 0
    for stop in _STOP.finditer(text):
        if stop.group("stop") is not None and not _ends(text, start, stop):
            continue
        yield from _piece(text, start, stop.end())
        start = stop.end()
    yield from _piece(text, start, len(text))


def _piece(text: str, start: int, end: int) -> Iterator[Sentence]:
    piece = text[start:end]
    kept = piece.strip()
    if kept:
        begin = start + len(piece) - len(piece.lstrip())
        yield Sentence(kept, begin, begin + len(kept))


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    following = _NEXT.match(text, stop.end())
    if following is None:
        return True
    if following.group(1).islower():
        return False
    if stop.group("stop") != "." or stop.group("close"):
        return True
    before = _WORD.search(text, start, stop.start())
    word = before.group().casefold() if before else ""
    if word in NEVER_LAST or (len(word) == 1 and word.isalpha() and before is not None and before.group().isupper()):
        return False
    if word in NUMBERED:
        return not following.group(1).isdigit()
    return word not in ABBREVIATIONS or _begins(text, following)


def _begins(text: str, following: re.Match[str]) -> bool:
    """Whether what follows an abbreviation looks like a new sentence: a word that sentences begin with, in capitals."""
    word = re.match(r"[^\W\d_]+(?:'[a-z]+)?", text[following.start(1) : following.start(1) + 20])
    return word is not None and word.group().casefold() in _OPENERS and word.group()[0].isupper()


_OPENERS = _words("""
    the a an this that these those it its we our i you your he she they their there here in on at for from with by as if
    when while and but so or because although however also to after before since during what which who how why yes no
    thank thanks good now then one all some most many both each such given let rare
""")
"""Words that, with a capital, begin a sentence rather than carry on a name."""
