"""The extended input-output table: building it, serving it, and the concordance it maps with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from reesim.cli import output
from reesim.empirics.cli.program import AsJson, app, given
from reesim.errors import InputError


@app.command(short_help="The extended input-output table: requirements and sensitivity.")
def iotable(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of what is written.", readable=False)],
    bea: Annotated[
        Path | None,
        typer.Option(
            "--bea",
            metavar="DIR",
            help="Folder of the benchmark tables (csv). Default: computed tables as shipped.",
            readable=False,
        ),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs", metavar="DIR", help="Input tables of a material. Default: rare earths.", readable=False
        ),
    ] = None,
    redefinitions: Annotated[
        str | None,
        typer.Option("--redefinitions", metavar="after|before", help="Variant of the tables. Default: after"),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="total|domestic", help="Whether imported inputs count. Default: total"),
    ] = None,
    scrap: Annotated[
        str | None,
        typer.Option("--scrap", metavar="adjusted|commodity", help="Treatment of scrap. Default: adjusted"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="industry|commodity", help="Final demand for what. Default: industry"),
    ] = None,
    prices: Annotated[
        str | None,
        typer.Option("--prices", metavar="VINTAGE", help="Prices, as prices.csv names them. Default: 2012-12"),
    ] = None,
    us_share: Annotated[
        str | None, typer.Option("--us-share", metavar="NAME", help="Variant of us_share.csv. Default: usgs")
    ] = None,
    applications: Annotated[
        str | None, typer.Option("--applications", metavar="default|all", help="Uses counted. Default: default")
    ] = None,
    sic_weights: Annotated[
        str | None,
        typer.Option("--sic-weights", metavar="equal|output", help="Average over industries of a SIC. Default: equal"),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option("--draws", metavar="N", help="Monte Carlo draws of unverified inputs. Default: 500"),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of the draws. Default: 2010")] = None,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    as_json: AsJson = False,
) -> None:
    """Build, check and export the input-output table in which single rare earths are inputs.

    Without --bea the tables that were computed with the defaults and are shipped with the package are written; options
    that compute others need the folder.

    Writes total_requirements.csv (by SIC, 0.001 USD per USD of final demand), sensitivity.csv, balance.json and the
    other tables that the screen names. --draws 0 leaves the Monte Carlo out.

    JSON: schema, computed (or as shipped), files, balance (the contents of balance.json: choices, inputs, gaps and
    purchases moved).
    """
    chosen = given(
        redefinitions=redefinitions, origin=origin, scrap=scrap, by=by, prices=prices, us_share=us_share,
        applications=applications, sic_weights=sic_weights,
    )  # fmt: skip
    if bea is None:
        _refuse_without_tables(chosen | given(inputs=inputs, draws=draws, seed=seed))
    for option, number in (("--draws", draws), ("--seed", seed)):
        if number is not None and number < 0:
            raise InputError(f"{option} {number}: should be 0 or more")
    from reesim.empirics.iotable import outputs
    from reesim.empirics.iotable.choices import Choices

    choices = Choices(**chosen)  # refuses what it does not know
    with output.progress("uncertain inputs", quiet=bea is None, unit="draws") as told:
        report = outputs.build(
            bea, output.ready_folder(out), choices, inputs=inputs, draws=outputs.DRAWS if draws is None else draws,
            seed=outputs.SEED if seed is None else seed, figures=figures, progress=told,
        )  # fmt: skip
    if as_json:
        files = [str(file) for file in report.files]
        balance = report.tables.balance
        output.say_json({"schema": "reesim.iotable/1", "computed": report.computed, "files": files, "balance": balance})
        return
    for line in report.lines():
        output.say(line)


@app.command(short_help="The shipped concordance, from raw code lists.")
def concordance(
    source: Annotated[
        Path, typer.Option("--from", metavar="DIR", help="Folder of the code lists (csv).", readable=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.csv", help="File that is written.", readable=False)],
) -> None:
    """Derive from code lists which industries of the benchmark table make up an industry of SIC 1987, with weights."""
    from reesim.empirics.iotable.links import write_links

    output.say(f"written: {write_links(source, out)}")


def _refuse_without_tables(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        raise InputError(
            f"--{name.replace('_', '-')} {value}: the tables shipped with the package are computed already. "
            "To compute others name the folder of the benchmark tables with --bea DIR"
        )
