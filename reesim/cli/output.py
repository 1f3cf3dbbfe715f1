"""What the command line writes: lines, tables, progress, one JSON document, errors.

Results go to standard output, everything about the work (progress, warnings, errors) to standard error. Off a terminal
all is plain text and no line is cut or wrapped.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from reesim.errors import ConvergenceError, ReesimError, ScenarioError, StoreError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

Progress = Callable[[int, int], None]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PROGRESS_LINES = 4
_GAP = 2
_KINDS = {2: "UsageError", 130: "Interrupted"}
_INTEGER_FROM = 1000.0
_GROUPED_FROM = 10_000.0
_SMALL = 1e-4


def tame(text: object) -> str:
    """Text without control characters: names come from files, and must not steer the terminal."""
    return _CONTROL.sub("�", str(text))


def say(text: object = "") -> None:
    """Write a line of the result to standard output."""
    sys.stdout.write(f"{tame(text)}\n")


def note(text: object = "") -> None:
    """Write a line about the work to standard error."""
    sys.stderr.write(f"{tame(text)}\n")


def warn(texts: tuple[str, ...]) -> None:
    """Write alerts, which every output must show, to standard output beside what they warn of."""
    for text in texts:
        say(f"WARNING: {text}")


def cell(value: object) -> str:
    """Text of a cell of a table: four significant digits, whole numbers from a thousand on, empty where missing.

    No exponents between numbers that a table has beside each other; zero has no sign.
    """
    if hasattr(value, "item") and not hasattr(value, "isoformat"):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "NaT":
        return ""
    if isinstance(value, datetime.date):  # a Timestamp is one too
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float) and math.isfinite(value):
        if abs(value) >= _INTEGER_FROM:
            return f"{value:,.0f}" if abs(value) >= _GROUPED_FROM else f"{value:.0f}"
        return _short(value)
    return tame(value)


def _short(value: float) -> str:
    """Four significant digits, without an exponent and without zeros at the end, unless no result is so small."""
    text = f"{value + 0.0:.4g}"
    if not 1e-12 <= abs(value) < _SMALL:
        return text
    decimals = 3 - math.floor(math.log10(abs(float(text))))
    return f"{value:.{decimals}f}".rstrip("0")


def say_table(frame: pd.DataFrame, title: str = "", *, index: bool = True) -> None:
    """Write a table: folded to the width of a terminal, whole lines otherwise.

    Parameters
    ----------
    frame : DataFrame
        Cells of any type (see `cell`).
    title : str
        Stands above it.
    index : bool
        Whether the labels of the rows are shown.
    """
    shown = frame.reset_index() if index else frame
    say_grid(list(shown.columns), list(shown.itertuples(index=False, name=None)), title)


def say_grid(names: Sequence[object], entries: Sequence[Sequence[object]], title: str = "") -> None:
    """Write a table given as headings and rows, as `say_table` does."""
    if title:
        say(title)
    heads = [tame(name) for name in names]
    rows = [[cell(value) for value in row] for row in entries]
    numeric = [bool(rows) and all(_is_number(row[position]) for row in rows) for position in range(len(heads))]
    if sys.stdout.isatty() and _say_folded(heads, rows, numeric):
        return
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        fitted = zip(row, widths, numeric, strict=True)
        say("  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in fitted).rstrip())


def _say_folded(heads: list[str], rows: list[list[str]], numeric: list[bool]) -> bool:
    """Write a table to a terminal, words folded and numbers whole; False if it is too narrow for that."""
    from rich.table import Table

    console = _console(sys.stdout)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    least = 0
    for position, (head, right) in enumerate(zip(heads, numeric, strict=True)):
        texts = [head, *(row[position] for row in rows)]
        width = max(len(part) for text in texts for part in ([text] if right else text.split() or [""]))
        table.add_column(head, justify="right" if right else "left", no_wrap=right, min_width=width)
        least += width + _GAP
    if least > console.width:
        return False
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return True


def _is_number(text: str) -> bool:
    """Whether a cell belongs to the right: a number, a date, or nothing."""
    return not text or re.fullmatch(r"[+-]?[\d.,]+(e[+-]?\d+)?|[+-]?inf|\d{4}-\d\d-\d\d", text) is not None


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    # Not rich's markup: square brackets in titles and choices are text.
    return Console(file=stream, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def progress(label: str, quiet: bool, unit: str = "periods") -> Iterator[Progress | None]:
    """Give what a simulation or a study reports its progress to: a bar on a terminal, a few lines otherwise, None if quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=_console(sys.stderr), transient=True) as bar:
            task = bar.add_task(tame(label), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield _lines(label, unit)


def _lines(label: str, unit: str) -> Progress:
    told = 0

    def report(done: int, total: int) -> None:
        nonlocal told
        quarter = _PROGRESS_LINES * done // max(total, 1)
        if quarter > told:
            told = quarter
            note(f"{label}: {done} of {total} {unit}")

    return report


def json_ready(value: Any) -> Any:
    """Convert to what JSON can hold: tables to lists of records, dates to ISO text, what is not finite to None."""
    if hasattr(value, "itertuples"):
        frame = value.reset_index() if any(value.index.names) else value
        keys = [str(name) for name in frame.columns]
        return [
            {key: json_ready(entry) for key, entry in zip(keys, row, strict=True)}
            for row in frame.itertuples(index=False, name=None)
        ]
    if isinstance(value, Mapping):
        return {str(key): json_ready(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(entry) for entry in value]
    if hasattr(value, "tolist") and not isinstance(value, str):  # arrays and NumPy scalars
        return json_ready(value.tolist())
    if value is None or str(value) == "NaT":
        return None
    if isinstance(value, datetime.date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | bool | int) else str(value)


def say_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document, ASCII only, to standard output."""
    sys.stdout.write(json.dumps(json_ready(document), indent=2, allow_nan=False) + "\n")


def say_error(error: BaseException, exit_code: int, message: str) -> None:
    """Write an error as a JSON object to standard output, if that can still be written to."""
    kind = type(error).__name__ if isinstance(error, ReesimError | OSError) else _KINDS[exit_code]
    entry: dict[str, Any] = {"type": kind, "exit_code": exit_code, "message": tame(message)}
    if isinstance(error, ScenarioError):
        entry["problems"] = problems_of(error)
    if isinstance(error, ConvergenceError):
        names = ("residual", "equation", "region", "sector", "date")
        entry |= {name: getattr(error, name) for name in names}
    with contextlib.suppress(OSError):
        say_json({"error": entry})


def problems_of(error: ScenarioError) -> list[dict[str, object]]:
    """Problems of a scenario, as records."""
    names = ("file", "line", "column", "path", "message", "hint")
    return [{name: getattr(problem, name) for name in names} for problem in error.problems]


def ready_folder(folder: Path) -> Path:
    """Make a folder before the work that fills it, so that no result is lost to a bad name.

    Raises
    ------
    StoreError
        If it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: the folder cannot be made: {error.strerror or error}. Choose another with --out"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder}: the folder cannot be written to. Choose another with --out")
    return folder


def write_csv(frame: pd.DataFrame, file: Path) -> Path:
    """Write a table, dates as ISO text.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    try:
        frame.to_csv(file, index=False, date_format="%Y-%m-%d", lineterminator="\n")
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error.strerror or error}. Choose another --out") from error
    return file


def say_wide(table: pd.DataFrame) -> None:
    """Write a table by date whole, as plain text: rows of a terminal wrap, no number is left out."""
    shown = table.set_axis([cell(value) for value in table.index])
    say(shown.to_string(float_format="{:.8g}".format, na_rep=""))


def say_choices(choices: Mapping[str, str]) -> None:
    """Write the choices behind a result."""
    say("\nChoices:")
    for name, text in choices.items():
        say(f"  {name}: {text}")


def settle() -> None:
    """Flush standard output; if that fails point it nowhere, for Python flushes it once more at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
