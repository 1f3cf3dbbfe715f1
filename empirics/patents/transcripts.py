"""Sentences about rare earths in earnings calls, by quarter and region of the company."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.empirics.files import write_csv, written
from reesim.empirics.patents.assign import Assignment
from reesim.empirics.patents.keywords import KeywordFilter, Reading
from reesim.empirics.patents.pipeline import Progress, Tally, Writer, plain_writer, safe
from reesim.empirics.patents.records import FORMATS, Bad, Cells, Row, Source, stream
from reesim.empirics.patents.sentences import sentences
from reesim.errors import DataError
from reesim.results.whole import stream_whole

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 20_000_000
"""Bytes of a text file; a call has about 100,000."""

UNKNOWN = "unknown"
"""Region of a company whose country is not told."""

SENTENCES = ("company", "date", "region", "start", "keywords", "sentence")
_DAY = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:[T ].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallColumns:
    """Names of the columns of calls; a column of countries may be absent.

    Parameters
    ----------
    company, date, text, country : str
    file_name : str
        Regular expression with groups ``company`` and ``date``, and ``country`` if there, for the names of text files.
    """

    company: str = "company"
    date: str = "date"
    text: str = "text"
    country: str = "country"
    file_name: str = r"(?P<company>.+?)_(?P<date>\d{4}-?\d{2}-?\d{2})(?:_(?P<country>[A-Za-z]{2,3}))?"

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.file_name).groupindex
        except re.error as error:
            raise DataError(f"file name {self.file_name!r} is no regular expression: {error}") from error
        if not {"company", "date"} <= set(groups):
            raise DataError(f"file name {self.file_name!r}: it needs groups (?P<company>...) and (?P<date>...)")


@dataclass(slots=True)
class Cell:
    """Calls of a quarter and region, those with any rare-earth sentence, all sentences, and the rare-earth ones."""

    calls: int = 0
    calls_with: int = 0
    sentences: int = 0
    ree_sentences: int = 0


@dataclass(frozen=True, slots=True)
class CallReport:
    """What was counted and written."""

    files: tuple[Path, ...]
    tally: Tally
    frame: pd.DataFrame

    def lines(self) -> list[str]:
        """Sentences, without markup."""
        frame = self.frame
        total = frame[["calls", "calls_with", "sentences", "ree_sentences"]].sum()
        last = frame.groupby("quarter")["ree_sentences"].sum()
        _, *rest = self.tally.lines()
        return [
            f"{self.tally.read:,} calls read, {total['calls']:,} counted, {frame['quarter'].min()} to {frame['quarter'].max()}.",
            f"{total['ree_sentences']:,} of {total['sentences']:,} sentences speak of rare earths, in {total['calls_with']:,} "
            f"calls; most in {last.idxmax()} ({last.max():,}).",
            *rest,
            written(self.files),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounter:
    """What is done to each call.

    Parameters
    ----------
    keywords : KeywordFilter
        Default: the slides' keywords and the group by its name, since managers say "rare earths".
    columns : CallColumns
    progress : callable, optional
        Called every `every` calls and at the end.
    """

    keywords: KeywordFilter = field(default_factory=lambda: KeywordFilter(reading=Reading(general=True)))
    columns: CallColumns = field(default_factory=CallColumns)
    progress: Callable[[Progress], None] | None = None
    every: int = 1000

    def run(self, source: Source, found: Writer) -> tuple[Tally, dict[tuple[str, str], Cell]]:
        """Read all calls, write the sentences found, count by quarter and region.

        Raises
        ------
        DataError
            If a file cannot be read.
        """
        tally, cells = Tally(), dict[tuple[str, str], Cell]()
        found.writerow(list(SENTENCES))
        for row in self._rows(source):
            tally.read += 1
            problem = row.cells if isinstance(row.cells, Bad) else self._count(row.cells, cells, tally, found)
            if problem is not None:
                tally.note(problem, row.address)
            if self.progress and tally.read % self.every == 0:
                self.progress(Progress(tally.read, tally.kept, sum(tally.bad.values())))
        if self.progress:
            self.progress(Progress(tally.read, tally.kept, sum(tally.bad.values())))
        return tally, cells

    def _rows(self, source: Source) -> Iterator[Row]:
        names = self.columns
        texts = _text_files(source)
        if texts is None:
            yield from stream(source, (names.company, names.date, names.text), (names.country,))
            return
        for file in texts:
            yield Row(file.name, self._file(file))

    def _file(self, file: Path) -> Cells | Bad:
        match = re.fullmatch(self.columns.file_name, file.stem)
        if not match:
            return Bad(
                "file name without company and date", "name it Company_2011-02-03.txt or Company_2011-02-03_US.txt"
            )
        try:
            if file.stat().st_size > LARGEST:
                return Bad("file too large", f"over {LARGEST:,} bytes")
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            return Bad("not UTF-8 text", str(error))
        except OSError as error:
            raise DataError(f"{file}: it cannot be read: {error}") from error
        given = match.groupdict()
        names = self.columns
        return {
            names.company: given["company"],
            names.date: given["date"],
            names.text: text,
            names.country: given.get("country"),
        }

    def _count(self, cells: Cells, counts: dict[tuple[str, str], Cell], tally: Tally, found: Writer) -> Bad | None:
        names = self.columns
        text, company = cells.get(names.text), str(cells.get(names.company) or "").strip()
        if not isinstance(text, str) or not text.strip():
            return Bad("no text", company)
        if not company:
            return Bad("no company")
        day = _day(cells.get(names.date))
        if day is None:
            return Bad("no valid date", f"{company}: {str(cells.get(names.date))[:40]!r}: give 2011-02-03")
        country = str(cells.get(names.country) or "").strip()
        place = Assignment().place([country])
        if isinstance(place, Bad) and country:
            return Bad(place.reason, f"{company}: {place.detail}")
        region = UNKNOWN if isinstance(place, Bad) else place.shares[0][0]
        cell = counts.setdefault((f"{day.year}Q{(day.month + 2) // 3}", region), Cell())
        before = cell.ree_sentences
        for sentence in sentences(text):
            cell.sentences += 1
            hits = self.keywords.find(sentence.text)
            if hits:
                cell.ree_sentences += 1
                words = ";".join(dict.fromkeys(hit.keyword for hit in hits))
                found.writerow([safe(company), day.isoformat(), region, sentence.start, words, safe(sentence.text)])
        cell.calls += 1
        tally.counted += 1
        cell.calls_with += cell.ree_sentences > before
        tally.kept += cell.ree_sentences > before
        return None


def run(
    out: Path,
    calls: Source,
    patents: pd.DataFrame | None = None,
    *,
    counter: CallCounter | None = None,
    figures: bool = True,
) -> CallReport:
    """Count sentences about rare earths in the user's earnings calls.

    Parameters
    ----------
    out : path
        Folder that exists. Written are ``transcript_counts.csv`` (quarter, region, calls, calls_with, sentences,
        ree_sentences) and ``transcript_sentences.csv``, the sentences found, to be looked at.
    calls : path, paths, or mappings
        A table (csv, JSON lines, Parquet) with columns company, date, text, and country if known, or a folder of text files
        named ``Company_2011-02-03_US.txt``.
    patents : pandas.DataFrame, optional
        Columns year, count, to be drawn below.
    counter : CallCounter, optional
    figures : bool

    Raises
    ------
    DataError
        If calls cannot be read, or none can be counted.
    StoreError
        If a file cannot be written.
    """
    import pandas as pd

    with stream_whole(out / "transcript_sentences.csv") as text:
        tally, cells = (counter or CallCounter()).run(calls, plain_writer(text))
        if not cells:
            raise DataError(f"no call to count. {' '.join(list(tally.lines())[1:])}")
    rows = [
        (*key, cell.calls, cell.calls_with, cell.sentences, cell.ree_sentences) for key, cell in sorted(cells.items())
    ]
    frame = pd.DataFrame(rows, columns=["quarter", "region", "calls", "calls_with", "sentences", "ree_sentences"])
    files = [out / "transcript_sentences.csv", write_csv(frame, out / "transcript_counts.csv")]
    if figures:
        from reesim.empirics.patents.figures import draw_attention

        files.append(draw_attention(frame, patents, out))
    return CallReport(tuple(files), tally, frame)


def _text_files(source: Source) -> list[Path] | None:
    """Text files of a folder that has no tables, or a text file; None if the source is anything else."""
    if not isinstance(source, str | Path):
        return None
    place = Path(source)
    if place.is_file():
        return [place] if place.suffix.casefold() == ".txt" else None
    if not place.is_dir() or any(file.name.casefold().endswith(FORMATS) for file in place.iterdir()):
        return None
    found = sorted(file for file in place.iterdir() if file.suffix.casefold() == ".txt")
    if not found:
        raise DataError(f"{place}: no file in this folder ends in .txt, {', '.join(FORMATS)}")
    return found


def _day(value: object) -> date | None:
    if isinstance(value, date):
        return value
    match = _DAY.fullmatch(str(value if value is not None else "").strip())
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None
