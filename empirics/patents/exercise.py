"""The measurement of patents end to end: on the records of the user, or on the sample invented for the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reesim.empirics.files import OWN_DATA, write_csv, written
from reesim.empirics.patents.agreement import Agreement, judge
from reesim.empirics.patents.assign import Assignment
from reesim.empirics.patents.classify import Classifier, TextBaseline
from reesim.empirics.patents.keywords import KeywordFilter
from reesim.empirics.patents.pipeline import Columns, Pipeline, Progress, Tally, panel_frame, plain_writer
from reesim.empirics.patents.records import Source
from reesim.errors import DataError
from reesim.results.whole import stream_whole, write_whole

if TYPE_CHECKING:
    import pandas as pd

    from reesim.empirics.panels.schema import Panel

SAMPLE = OWN_DATA / "patent_sample.jsonl"
SPLITS = ("tuned", "held_out")
"""Halves of the sample: the vocabulary was written with the first in view, and not changed after the second was looked at."""

INVENTED = "abstracts invented for the project, no real patents"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run counted and wrote.

    Parameters
    ----------
    files : tuple of path
    tally : Tally
    frame : pandas.DataFrame
        The panel as written.
    source, unverified : str
        In words, for the panel.
    agreements : dict of str to Agreement
        With the labels of the sample, by half; empty for the user's records.
    notes : tuple of str
    """

    files: tuple[Path, ...]
    tally: Tally
    frame: pd.DataFrame
    source: str
    unverified: str
    agreements: dict[str, Agreement]
    notes: tuple[str, ...] = ()

    def panel(self) -> Panel:
        """The counts as a panel of kind ``patents``, for the regressions."""
        from reesim.empirics.panels.schema import Panel

        return Panel("patents", self.frame, self.source, self.unverified)

    def lines(self) -> list[str]:
        """Sentences, without markup."""
        frame = self.frame
        total, flagged = frame["count"].sum(), frame["enhancing"].sum()
        found = [
            f"Patents: {self.source}.",
            *self.tally.lines(),
            f"Panel: {len(frame):,} rows, {frame['region'].nunique()} regions, {frame['sic'].nunique()} industries, "
            f"{frame['year'].min()} to {frame['year'].max()}; {flagged:g} of {total:g} patents enhance the use of rare earths or "
            f"replace them ({flagged / total:.0%}; the slides: about 60 %).",
        ]
        for half, agreement in self.agreements.items():
            found += [
                f"Agreement with the sample's labels, {half.replace('_', ' ')} half, {agreement.cases} abstracts:"
            ]
            found += [f"  {line}" for line in agreement.lines()]
        return [*found, *self.notes, written(self.files)]


def run(
    out: Path,
    records: Source | None = None,
    classifier: Classifier | None = None,
    *,
    columns: Columns | None = None,
    assignment: Assignment | None = None,
    keywords: KeywordFilter | None = None,
    years: tuple[int, int] | None = None,
    progress: Callable[[Progress], None] | None = None,
    figures: bool = True,
) -> Report:
    """Filter, assign, classify and count, and write the panel.

    Parameters
    ----------
    out : path
        Folder that exists. Written are ``patent_panel.csv`` (region, sic, year, count, enhancing), ``patents.csv`` (a row a
        patent that passed the filter), ``patent_elements.csv``, ``patent_report.json``; with the sample ``patent_agreement.csv``.
    records : path, paths, or mappings, optional
        Default: the sample, which is invented and labelled.
    classifier : Classifier, optional
        Default: `TextBaseline`.
    columns, assignment, keywords : optional
        Names of the fields; how region and year are taken; the filter. Default: the slides' choices.
    years : (int, int), optional
        First and last year of the panel. Default: all.
    progress : callable, optional
    figures : bool
        Whether to draw.

    Raises
    ------
    DataError
        If records cannot be read, or none is left to count.
    ClassifierStopped
        If the classifier does; nothing is written then.
    StoreError
        If a file cannot be written.
    """
    judged = classifier or TextBaseline()
    pipeline = Pipeline(
        classifier=judged, keywords=keywords or KeywordFilter(), assignment=assignment or Assignment(),
        columns=columns or Columns(), progress=progress,
    )  # fmt: skip
    with stream_whole(out / "patents.csv") as text:
        tally = pipeline.run(SAMPLE if records is None else records, plain_writer(text))
        if not tally.counted:
            raise DataError(f"no patent to count. {' '.join(tally.lines())}")
        frame = panel_frame(tally.cells, years)
    agreements = agreement_by_half(judged) if records is None else {}
    files = [out / "patents.csv", *_tables(out, frame, tally, agreements)]
    source = f"{INVENTED if records is None else _named(records)}; {judged.name}; {pipeline.assignment.words()}"
    files.append(write_whole(out / "patent_report.json", _as_json(source, tally, judged)))
    if figures:
        from reesim.empirics.patents.figures import draw_patents

        files.append(draw_patents(frame, out, INVENTED if records is None else ""))
    unverified = INVENTED if records is None else "industry and flag, which a classifier gave"
    usage = getattr(judged, "usage", None)
    notes = (f"Language model: {usage.words()}.",) if usage is not None else ()
    return Report(tuple(files), tally, frame, source, unverified, agreements, notes)


def sample() -> list[dict[str, Any]]:
    """Return the labelled abstracts, invented for the project: id, split, title, abstract, dates, country, sic, enhancing.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        return [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{SAMPLE}: it cannot be read: {error}") from error


def agreement_by_half(classifier: Classifier) -> dict[str, Agreement]:
    """Agreement of a classifier with the labels of the sample, by half.

    The halves tell something of `TextBaseline` only: its words were chosen with the first in view. Even the second
    flatters it, since the same hands wrote words and abstracts.
    """
    cases = [
        (case["split"], f"{case['title']}\n\n{case['abstract']}", case["sic"], case["enhancing"]) for case in sample()
    ]
    rank = None
    if isinstance(classifier, TextBaseline):
        ranked = classifier.rank

        def rank(text: str) -> list[str]:
            return [candidate.sic for candidate in ranked(text, 5)]

    return {
        half: judge([(text, sic, flag) for split, text, sic, flag in cases if split == half], classifier.classify, rank)
        for half in SPLITS
    }


def _tables(out: Path, frame: pd.DataFrame, tally: Tally, agreements: dict[str, Agreement]) -> Iterator[Path]:
    import pandas as pd

    tables = {"patent_panel": frame}
    rows = [(element, year, count) for (element, year), count in sorted(tally.elements.items())]
    tables["patent_elements"] = pd.DataFrame(rows, columns=["element", "year", "patents"])
    if agreements:
        parts = [agreement.to_frame().assign(half=half) for half, agreement in agreements.items()]
        tables["patent_agreement"] = pd.concat(parts, ignore_index=True)
    for name, table in tables.items():
        yield write_csv(table, out / f"{name}.csv")


def _as_json(source: str, tally: Tally, classifier: Classifier) -> bytes:
    content = {
        "schema": "reesim.patents/1", "source": source, "classifier": classifier.name, "read": tally.read, "kept": tally.kept,
        "counted": tally.counted, "not_used": dict(sorted(tally.bad.items())), "located": tally.located,
    }  # fmt: skip
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _named(records: Source) -> str:
    if isinstance(records, str | Path):
        return Path(records).name
    if isinstance(records, list | tuple) and all(isinstance(item, str | Path) for item in records):
        return ", ".join(Path(str(item)).name for item in records)
    return "records of the user's"
