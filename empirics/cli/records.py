"""Commands that turn raw records of the user's into panels and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reesim.cli import output
from reesim.empirics.cli.program import AsJson, Figures, Out, app, show


@app.command(short_help="From patent records to a panel of counts.")
def records(
    out: Out,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="csv, JSON lines or Parquet; may be repeated. Default: sample.",
            readable=False,
        ),
    ] = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Filter patents by rare-earth keywords, give them a region, a year and an industry, and count.

    The panel that comes out is what the command patents takes. The sample is invented and labelled so.
    """
    from reesim.empirics.patents.exercise import run

    show("records", run(output.ready_folder(out), file or None, figures=figures), as_json)


@app.command(short_help="Rare earths in earnings calls.")
def calls(
    out: Out,
    texts: Annotated[
        Path, typer.Option("--texts", metavar="DIR|FILE", help="Folder of text files, or a table.", readable=False)
    ],
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Count sentences about rare earths in transcripts of earnings calls, by quarter and region."""
    from reesim.empirics.patents.transcripts import run

    show("calls", run(output.ready_folder(out), texts, figures=figures), as_json)


@app.command(short_help="Imports of rare earths from China.")
def imports(
    out: Out,
    file: Annotated[
        Path,
        typer.Option(
            "--file", metavar="FILE.csv", help="reporter, partner, year, hs, value_usd, quantity_kg.", readable=False
        ),
    ],
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Add up imports of rare earths by year, value and quantity, as the slides draw them."""
    from reesim.empirics.panels.imports import run

    show("imports", run(output.ready_folder(out), file, figures=figures), as_json)
