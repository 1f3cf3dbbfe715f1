"""Where the tables that the exercises rest on lie, and how what they find is written: tables and figures, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.results.whole import write_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OWN_DATA = Path(__file__).parent / "data"
"""Folder of the tables shipped with this package; the engine's are in `reesim.data.facts.DATA`."""

DIGITS = "%.10g"
FEWER_DIGITS = "%.6g"
"""For tables that are read rather than computed with."""


def as_csv(frame: pd.DataFrame, digits: str | None = DIGITS) -> bytes:
    """Return a table without its index, the same bytes on every system; floats to the last bit if `digits` is None."""
    text: str = frame.to_csv(index=False, float_format=digits, lineterminator="\n")
    return text.encode()


def write_csv(frame: pd.DataFrame, file: Path, digits: str | None = DIGITS) -> Path:
    """Write a table as `as_csv` gives it.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    return write_whole(file, as_csv(frame, digits))


def write_figure(figure: Figure, file: Path) -> Path:
    """Write a figure as PNG.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    image = io.BytesIO()
    # Without the version of the library, so that a figure that has not changed is the same file.
    figure.savefig(image, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 9})
    return write_whole(file, image.getvalue())


def written(files: Iterable[Path]) -> str:
    """Line of a report that names what was written."""
    return f"Written: {', '.join(file.name for file in files)}"
