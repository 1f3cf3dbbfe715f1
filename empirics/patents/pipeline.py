"""From records to a panel: keywords, region and year, industry and flag, counts; any number of records in bounded memory."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from reesim.empirics.patents.assign import Assignment, Place
from reesim.empirics.patents.classify import Classification, Classifier, ClassifierStopped
from reesim.empirics.patents.keywords import Hit, KeywordFilter
from reesim.empirics.patents.records import Bad, Cells, Source, stream
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LOCATED = 5
"""Bad records of a reason that are told by address before the rest are only counted."""

NO_INDUSTRY = "no industry named"
KEPT = ("id", "region", "year", "sic", "enhancing", "confidence", "elements", "keywords", "title", "reason")
"""Columns of the file of patents that passed the filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns or fields of the records.

    Parameters
    ----------
    id, title, abstract : str
    countries : str
        Countries of the assignees: codes of two or three letters or names, several separated by semicolons, or a list.
    granted, applied : str
        Dates: 2013-07-09, 20130709, 2013, or dates of the format.
    """

    id: str = "id"
    title: str = "title"
    abstract: str = "abstract"
    countries: str = "assignee_country"
    granted: str = "grant_date"
    applied: str = "application_date"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: records read, kept by the filter, bad."""

    read: int
    kept: int
    bad: int


@dataclass(slots=True)
class Tally:
    """Everything that is counted; its size does not grow with the number of records that the filter drops.

    Parameters
    ----------
    read, kept, counted : int
        Records; those with a keyword; those that are in the panel.
    bad : Counter
        Records by reason, of which the first few of each are located.
    cells : dict
        Patents, and enhancing ones, by region, industry and year.
    elements : Counter
        Counted patents by element and year; one of two elements counts in both.
    """

    read: int = 0
    kept: int = 0
    counted: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    located: dict[str, list[str]] = field(default_factory=dict)
    cells: dict[tuple[str, str, int], list[float]] = field(default_factory=dict)
    elements: Counter[tuple[str, int]] = field(default_factory=Counter)

    def note(self, bad: Bad, address: str) -> None:
        """Count a record that is bad or in part unused."""
        self.bad[bad.reason] += 1
        places = self.located.setdefault(bad.reason, [])
        if len(places) < LOCATED:
            told = f"{address}: {bad.detail}" if bad.detail else address
            places.append(
                told.encode("utf-8", "backslashreplace").decode()
            )  # half a pair of surrogates cannot be shown

    def add(self, place: Place, year: int, found: Classification, elements: tuple[str, ...]) -> None:
        """Count a patent in the panel."""
        self.counted += 1
        for region, share in place.shares:
            cell = self.cells.setdefault((region, found.sic, year), [0.0, 0.0])
            cell[0] += share
            cell[1] += share if found.enhancing else 0.0
        for element in elements:
            self.elements[element, year] += 1

    def lines(self) -> Iterator[str]:
        """What was counted, and what was not, with addresses."""
        yield f"{self.read:,} records read, {self.kept:,} name a rare earth, {self.counted:,} counted in the panel."
        for reason, count in sorted(self.bad.items(), key=lambda item: (-item[1], item[0])):
            places = self.located[reason]
            more = f" and {count - len(places):,} more" if count > len(places) else ""
            yield f"Not used: {count:,} {reason}: {'; '.join(places)}{more}"


class Writer(Protocol):
    """Takes rows, as the writer of `csv` does."""

    def writerow(self, row: list[object], /) -> object:
        """Write one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What is done to each record.

    Parameters
    ----------
    classifier : Classifier
    keywords : KeywordFilter
    assignment : Assignment
    columns : Columns
    progress : callable, optional
        Called with a `Progress` every `every` records and at the end.
    """

    classifier: Classifier
    keywords: KeywordFilter
    assignment: Assignment = field(default_factory=Assignment)
    columns: Columns = field(default_factory=Columns)
    progress: Callable[[Progress], None] | None = None
    every: int = 10_000

    def run(self, source: Source, kept: Writer) -> Tally:
        """Read all records, write those that the filter keeps, count.

        Memory is that of the longest record, the counts, and about 100 bytes for each record kept, by which one that
        stands twice is known.

        Raises
        ------
        DataError
            If a file cannot be read.
        ClassifierStopped
            If the classifier does; the text says how far the run was.
        """
        tally, seen = Tally(), set[bytes]()
        kept.writerow(list(KEPT))
        names = self.columns
        date = names.granted if self.assignment.when == "grant" else names.applied
        needed = (names.id, names.title, names.abstract, names.countries, date)
        for row in stream(source, needed):
            tally.read += 1
            problem = row.cells if isinstance(row.cells, Bad) else self._take(row.cells, tally, seen, kept)
            if problem is not None:
                tally.note(problem, row.address)
            if self.progress and tally.read % self.every == 0:
                self.progress(_progress(tally))
        if self.progress:
            self.progress(_progress(tally))
        return tally

    def _take(self, cells: Cells, tally: Tally, seen: set[bytes], kept: Writer) -> Bad | None:
        title, abstract = _words(cells.get(self.columns.title)), _words(cells.get(self.columns.abstract))
        if not title and not abstract:
            return Bad("no title or abstract")
        text = f"{title}\n\n{abstract}".strip()
        hits = self.keywords.find(text)
        if not hits:
            return None
        name = str(cells.get(self.columns.id) or "").strip()
        if not name:
            return Bad("no identifier")
        mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if mark in seen:
            return Bad("identifier stands twice", name)
        seen.add(mark)
        tally.kept += 1
        place = self.assignment.place(_countries(cells.get(self.columns.countries)))
        if isinstance(place, Bad):
            return _of(name, place)
        year = self.assignment.year(cells.get(self.columns.granted), cells.get(self.columns.applied))
        if isinstance(year, Bad):
            return _of(name, year)
        return self._count(name, title, text, hits, place, year, tally, kept)

    def _count(
        self,
        name: str,
        title: str,
        text: str,
        hits: tuple[Hit, ...],
        place: Place,
        year: int,
        tally: Tally,
        kept: Writer,
    ) -> Bad | None:
        try:
            found = self.classifier.classify(text)
        except ClassifierStopped as error:
            raise ClassifierStopped(
                f"stopped at record {tally.read:,} ({name}), {tally.kept:,} kept so far: {error}"
            ) from error
        elements = tuple(sorted({element for hit in hits for element in hit.elements}))
        keywords = ";".join(dict.fromkeys(hit.keyword for hit in hits))
        region = ";".join(code if share == 1.0 else f"{code}:{share:.4g}" for code, share in place.shares)
        flag, confidence = int(found.enhancing), f"{found.confidence:.3f}"
        kept.writerow(
            [
                safe(name),
                region,
                year,
                found.sic,
                flag,
                confidence,
                ";".join(elements),
                keywords,
                safe(title),
                safe(found.reason),
            ]
        )
        if not found.sic:
            return Bad(NO_INDUSTRY, f"{name}: {found.reason[:120]}")
        tally.add(place, year, found, elements)
        return None


def panel_frame(
    cells: Mapping[tuple[str, str, int], list[float]], years: tuple[int, int] | None = None, fill: bool = True
) -> pd.DataFrame:
    """Counts as a panel: columns region, sic, year, count, enhancing.

    Parameters
    ----------
    cells : mapping
        Patents and enhancing patents by region, industry, year.
    years : (int, int), optional
        First and last year. Default: those of the counts.
    fill : bool
        Whether region and industry pairs with any patent in these years get zeros in years without one, as a regression in
        levels needs.

    Raises
    ------
    DataError
        If there is no patent in these years.
    """
    import pandas as pd

    first, last = years or (min((key[2] for key in cells), default=0), max((key[2] for key in cells), default=-1))
    inside = {key: value for key, value in cells.items() if first <= key[2] <= last}
    if not inside:
        raise DataError(
            f"no patent to count{f' from {first} to {last}' if years else ''}; see what was not used, or give other years"
        )
    pairs = sorted({key[:2] for key in inside})
    keys = [(*pair, year) for pair in pairs for year in range(first, last + 1)] if fill else sorted(inside)
    rows = [(*key, *inside.get(key, (0.0, 0.0))) for key in keys]
    return pd.DataFrame(rows, columns=["region", "sic", "year", "count", "enhancing"])


def safe(text: str) -> str:
    """Text on one line that no spreadsheet takes for a formula."""
    line = " ".join(text.split())
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line


def plain_writer(text: TextIO) -> Writer:
    """A writer of csv as all tables here are written."""
    return csv.writer(text, lineterminator="\n")


def _of(name: str, bad: Bad) -> Bad:
    return Bad(bad.reason, f"{name}: {bad.detail}" if bad.detail else name)


def _progress(tally: Tally) -> Progress:
    return Progress(tally.read, tally.kept, sum(tally.bad.values()))


def _words(cell: object) -> str:
    """Text of a cell; of a list of translations the English one, or else the first."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, list) and cell and all(isinstance(item, Mapping) for item in cell):
        english = [item for item in cell if item.get("language") == "en"]
        return str((english or cell)[0].get("text") or "").strip()
    return ""


def _countries(cell: object) -> list[str]:
    if isinstance(cell, str):
        return [code.strip() for code in cell.replace("|", ";").split(";")]
    if isinstance(cell, list | tuple):
        return [str(item.get("country_code") or "") if isinstance(item, Mapping) else str(item or "") for item in cell]
    return []
