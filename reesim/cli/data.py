"""``reesim data``: world tables and observed series from raw data."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reesim.cli import output

if TYPE_CHECKING:
    from reesim.data.tables import TradeTable, WorldTable

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make tables from raw data.")


class Negatives(str, Enum):  # noqa: UP042 - what older typers accept as a choice
    """Treatments of negative cells, named as in the library, which is not loaded to show help."""

    REFUSE = "refuse"
    ZERO = "zero"
    PRODUCE = "produce"
    SHARES = "shares"
    KEEP = "keep"


class Losses(str, Enum):  # noqa: UP042
    """Treatments of sectors without value added."""

    REFUSE = "refuse"
    AVERAGE = "average"


class Unbalanced(str, Enum):  # noqa: UP042
    """Treatments of columns that do not add up."""

    REFUSE = "refuse"
    RESIDUAL = "residual"
    RAS = "ras"


Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the table.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
OfNegatives = Annotated[
    Negatives, typer.Option("--negatives", help="Flows, materials or final demand below zero after the summation.")
]
OfLosses = Annotated[
    Losses | None,
    typer.Option("--losses", help="Sectors without value added. Default: average if --negatives changes numbers."),
]


@data_app.command(short_help="World input-output table (WIOD 2013).")
def wiod(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A .RData or .xlsx file, or the folder of them.")],
    year: Annotated[int, typer.Option("--year", help="1995 to 2011.")],
    out: Out,
    regions: Annotated[
        Path | None, typer.Option("--regions", metavar="MAP.csv", help="code_from,code,name; or a shipped map: 5, 41")
    ] = None,
    sectors: Annotated[
        Path | None, typer.Option("--sectors", metavar="MAP.csv", help="code_from,code,name; or a shipped map: 14, 35")
    ] = None,
    negatives: OfNegatives = Negatives.REFUSE,
    losses: OfLosses = None,
    as_json: Json = False,
) -> None:
    """Read a world input-output table (WIOD, release of 2013), aggregate it and save it as plain csv files.

    JSON: schema, year, regions, sectors, source, treatments, hash, out.
    """
    from reesim.data import wiod as reader

    table = reader.build(source, year, out, regions, sectors, negatives.value, None if losses is None else losses.value)
    _show(table, out, as_json)


@data_app.command(short_help="A labelled table of your own.")
def table(
    flows: Annotated[
        Path,
        typer.Argument(metavar="FLOWS", help="A csv file, wide or long, or a folder with a table.", readable=False),
    ],
    out: Out,
    year: Annotated[int | None, typer.Option("--year", help="Year of the flows.")] = None,
    final: Annotated[
        Path | None, typer.Option("--final", metavar="FILE.csv", help="Final demand, if not in FLOWS.")
    ] = None,
    value_added: Annotated[
        str | None,
        typer.Option("--value-added", metavar="FILE|ROW", help="region,sector,value; or a row of FLOWS. Checked."),
    ] = None,
    tariffs: Annotated[
        Path | None, typer.Option("--tariffs", metavar="FILE.csv", help="exporter,importer,sector,rate")
    ] = None,
    regions: Annotated[Path | None, typer.Option("--regions", metavar="MAP.csv", help="code_from,code,name")] = None,
    sectors: Annotated[Path | None, typer.Option("--sectors", metavar="MAP.csv", help="code_from,code,name")] = None,
    separator: Annotated[
        str | None, typer.Option("--separator", help="Between region and sector in single labels. Default: _")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="LABEL", help="Row or column to leave out; may be repeated.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="What a number of the files is in million USD. Default: 1")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Where the numbers are from.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Terms of the numbers.")] = None,
    negatives: OfNegatives = Negatives.REFUSE,
    unbalanced: Annotated[
        Unbalanced | None, typer.Option("--unbalanced", help="Columns that do not add up with --value-added.")
    ] = None,
    losses: OfLosses = None,
    as_json: Json = False,
) -> None:
    """Read a labelled table (OECD ICIO, Eora, EXIOBASE, a textbook's), aggregate it and save it as plain csv files.

    JSON: schema, year, regions, sectors, source, treatments, hash, out.
    """
    from reesim.data import plaincsv

    built = plaincsv.build(
        flows, out, year=year, source=source, regions=regions, sectors=sectors, negatives=negatives.value,
        losses=None if losses is None else losses.value, final=final, value_added=value_added, tariffs=tariffs,
        separator=separator, drop=drop, scale=scale, licence=licence,
        unbalanced=None if unbalanced is None else unbalanced.value,
    )  # fmt: skip
    _show(built, out, as_json)


@data_app.command(short_help="Observed series of the episode.")
def observed(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of the collected raw tables.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the tables.")],
) -> None:
    """Derive the observed series of the episode: quotas, exports, taxes, prices, wedges, events."""
    from reesim import observed as series

    for file in series.build(source, out):
        output.say(f"written: {file}")


def _show(built: WorldTable | TradeTable, out: Path, as_json: bool) -> None:
    treatments = list(built.treatments)
    if as_json:
        output.say_json(
            {
                "schema": "reesim.table/1", "year": built.year, "regions": list(built.regions),
                "sectors": list(built.sectors), "source": built.source, "treatments": treatments,
                "hash": built.hash(), "out": str(out),
            }
        )  # fmt: skip
        return
    output.say(f"{built.year}: {len(built.regions)} regions x {len(built.sectors)} sectors, written to {out}")
    output.say(built.source)
    for text in treatments:
        output.say(text)
