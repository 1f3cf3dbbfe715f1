"""The command line: ``reesim run``, ``solve``, ``compare``, ``show``, ``check`` and what helps them.

A command reads what the user gave, calls the library, and shows the result; it holds no economics. Heavy imports are
inside the commands, so that ``reesim --help`` is immediate.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reesim.cli import output
from reesim.cli.data import data_app
from reesim.cli.program import application, start
from reesim.errors import InputError, ScenarioError

if TYPE_CHECKING:
    from reesim.results.path import Path as Result
    from reesim.scenario import Scenario

app = application(
    "Exit codes: 0 ok, 2 bad input (also a scenario file that is missing or cannot be read), 3 not solved, "
    "4 file trouble (a result or a folder that cannot be read or written), 130 interrupted. "
    "With --json standard output is one JSON document (missing numbers are null), also for an error: "
    '{"error": {"type", "exit_code", "message", ...}}; messages go to standard error.'
)
app.add_typer(data_app, name="data")


class Technology(str, Enum):  # noqa: UP042 - what older typers accept as a choice
    """Ways of technology."""

    ENDOGENOUS = "endogenous"
    FIXED = "fixed"
    NONE = "none"


ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A bundled name (reesim list) or a YAML file.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Override a field, e.g. calendar.end=2014-12. May be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of what is written.", readable=False)]
Choice = Annotated[Technology | None, typer.Option("--technology", help="Switch technology.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Simulate how the world economy adjusts to trade policy, restrictions of rare earths above all."""
    if version:
        from reesim import __version__

        output.say(f"reesim {__version__}")
        raise typer.Exit


@app.command(short_help="Simulate a scenario: path, tables, figures.")
def run(
    scenario: ScenarioName,
    sets: Sets = None,
    technology: Choice = None,
    out: Out = Path("reesim_output"),
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and files written, nothing else.")] = False,
) -> None:
    """Simulate a scenario, and save, certify, tabulate and draw its path.

    A scenario without a calendar has no path: solve answers it.

    Writes NAME.h5, NAME_gaps.csv and figures; output.every thins the rows in NAME.h5 and nothing else. --technology
    appends _fixed or _endogenous to the name; give any other variant a name of its own with --set name=NAME, or it
    replaces what was there.

    JSON: schema, scenario, title, from, to, rows, rows_in_file, certificate.residual, warnings, overrides, choices, rules,
    stability, substeps, calibration_hash, versions, summary (a record a region), gaps (a record an observation,
    uncomfortable first), no_gaps_because, files (path, gaps, figures), figures_skipped (reason by figure).
    """
    from reesim.cli import run as cli_run

    chosen = _load(scenario, sets, technology)
    cli_run.refuse_without_calendar(chosen, scenario)
    folder = output.ready_folder(out)
    simulation = cli_run.simulate(chosen, quiet=quiet or as_json)
    path = simulation.whole_path
    results = cli_run.write(simulation, path, folder, figures=figures)
    if as_json:
        output.say_json(cli_run.document(path, results))
    elif quiet:
        output.warn(path.warnings)
        cli_run.show_files(results)
    else:
        cli_run.show(path, results, scenario)


@app.command(short_help="Solve a static equilibrium: who gains and loses, and why.")
def solve(
    scenario: ScenarioName,
    date: Annotated[
        str | None, typer.Option("--date", help="Date whose policy holds: 2012, 2012Q1, 2012-01 or 2012-01-15.")
    ] = None,
    sets: Sets = None,
    technology: Annotated[Technology | None, typer.Option("--technology", help="Only one, not both.")] = None,
    sector: Annotated[
        list[str] | None, typer.Option("--sector", help="Sector with lines of its own; may be repeated.")
    ] = None,
    by_sector: Annotated[bool, typer.Option("--by-sector", help="Tabulate changes of all sectors.")] = False,
    all_regions: Annotated[bool, typer.Option("--all-regions", help="Show all regions, however many.")] = False,
    as_json: Json = False,
) -> None:
    """Solve the static equilibrium of a scenario's policy at a date, both technologies side by side.

    A scenario whose technology is none has no other. The default date is the first period of the scenario's calendar with
    most instruments in force; where transport equipment uses rare earths its A_R/A_L is shown by default.

    JSON: schema, scenario, date, warnings, choices, technologies (certificate and stability of each), ree_mine_price and
    ree_exports (null without rare earths), table (records of quantity, unit, technology, region, value), channels (where
    welfare comes from, with the remainder: channel, technology, region, value in % of baseline income),
    trade_decomposition (by technology and region, %: terms_of_trade, volume_of_trade, their sum terms_and_volume,
    real_wage, real_income), sectors (with --by-sector, by technology, region and sector, %; otherwise null).
    """
    from reesim.cli import solve as cli_solve

    chosen = _load(scenario, sets, None)
    technologies = cli_solve.technologies_of(chosen, technology.value if technology else None)
    wanted = cli_solve.sectors_asked(chosen, sector)
    found = cli_solve.solved(chosen, date, technologies)
    tables = cli_solve.tables_of(found, wanted, named=bool(sector), by_sector=by_sector)
    if as_json:
        output.say_json(cli_solve.document(found, tables))
    else:
        cli_solve.show(found, tables, cli_solve.regions_named(chosen), everyone=all_regions)


@app.command(short_help="Compare two saved paths.")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.h5", help="What the other is measured against.", readable=False)],
    b: Annotated[Path, typer.Argument(metavar="B.h5", help="The other.", readable=False)],
    variables: Annotated[
        list[str] | None,
        typer.Option("--variable", help="Variable to compare, or all; may be repeated. Default: headlines."),
    ] = None,
    out: Out = Path("reesim_output"),
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw the figure.")] = True,
    as_json: Json = False,
) -> None:
    """Compare two saved paths: where they part, how far, how fast the gap closes, in a table and a figure.

    The figure is always of the headlines. JSON: schema, a, b, from, to, rows, warnings, first_divergence, provenance,
    left_out, summary (a record a variable and region; of all variables unless some are named), files.figures,
    no_figure_because.
    """
    from reesim.cli import compare as cli_compare
    from reesim.results.path import Path as Saved

    left, right = Saved.load(a), Saved.load(b)
    comparison = cli_compare.compared(left, right, variables, all_variables=as_json)
    drawn: list[Path] = []
    skipped = ""
    if figures:
        drawn, skipped = cli_compare.draw(left, right, (a, b), output.ready_folder(out))
    if as_json:
        output.say_json(cli_compare.document(comparison, drawn, skipped))
    else:
        cli_compare.show(comparison, drawn, skipped)


@app.command(short_help="Show a saved path.")
def show(
    # Whether it can be read is found out by reading it: typer would call it bad input, with another exit code.
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="A saved path.", readable=False)],
    variable: Annotated[
        str | None, typer.Option("--variable", help="Show the numbers of this variable by date.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a saved path is, what made it and its key figures; or all numbers of one variable.

    JSON: as of run, without gaps and files, but with regions, sectors and variables (axes, unit, equation); with
    --variable: schema, scenario, warnings, variable, unit, equation, description, axes, labels, values (nested as the
    axes).
    """
    from reesim.cli import documents
    from reesim.results.path import Path as Saved
    from reesim.results.path import describe

    path = Saved.load(file)
    if as_json:
        output.say_json(documents.variable_document(path, variable) if variable else documents.path_document(path))
    elif variable:
        _show_variable(path, variable)
    else:
        output.say(describe(path))


def _show_variable(path: Result, name: str) -> None:
    from reesim.variables import variable

    table = path[name]
    output.warn(path.warnings)
    output.say(f"{name}: {variable(name).description} [{variable(name).unit}]")
    output.say_wide(table)


@app.command(short_help="Validate a scenario and do nothing else.")
def check(scenario: ScenarioName, sets: Sets = None, as_json: Json = False) -> None:
    """Validate a scenario and do nothing else; each problem as file:line:column: path: message.

    JSON: schema, file, valid, problems (file, line, column, path, message, hint).
    """
    from reesim.scenario import Scenario

    problems: list[dict[str, object]] = []
    texts: list[str] = []
    try:
        title = Scenario.load(scenario, set=sets or ()).title
    except ScenarioError as error:
        problems, texts = output.problems_of(error), [str(problem) for problem in error.problems]
    if as_json:
        output.say_json({"schema": "reesim.check/1", "file": scenario, "valid": not problems, "problems": problems})
    elif not problems:
        output.say(f"{scenario}: valid{f' ({title})' if title else ''}")
    for text in texts if not as_json else ():
        output.say(text)
    if problems:
        raise typer.Exit(InputError.exit_code)


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from reesim.scenario import json_schema

    output.say_json(json_schema())


@app.command("list")
def list_scenarios(as_json: Json = False) -> None:
    """List the bundled scenarios.

    JSON: schema, scenarios (name and title).
    """
    from reesim.scenario import bundled

    titles = bundled()
    if as_json:
        records = [{"name": name, "title": title} for name, title in titles.items()]
        output.say_json({"schema": "reesim.list/1", "scenarios": records})
        return
    width = max(map(len, titles))
    for name, title in titles.items():
        output.say(f"{name:<{width}}  {title}")


@app.command("moments", short_help="Tabulate calibration moments.")
def show_moments(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="Whose calibration.")] = "baseline",
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Tabulate calibration moments: each matched, not matched, or not available; of rare earths only where there are any.

    JSON: schema, scenario, choices, moments (records), notes (on a baseline that is solved for, not read off the table).
    """
    from reesim import equilibrium, moments
    from reesim.cli import documents
    from reesim.data import tables

    chosen = _load(scenario, sets, None)
    world = tables.composite(chosen.table_path)
    calibration = equilibrium.baseline(chosen, world).calibration
    table = moments.moments(calibration, world)
    if as_json:
        choices = calibration.choices
        head = {"schema": "reesim.moments/1", "scenario": chosen.name, "choices": choices}
        output.say_json({**head, "moments": table, "notes": documents.moments_baseline(chosen)})
        return
    output.say_table(documents.moments_table(table), index=False)
    for line in [*documents.moments_baseline(chosen), *documents.moments_notes(table)]:
        output.say(line)
    output.say_choices(calibration.choices)


def _load(name: str, sets: Sequence[str] | None, technology: Technology | None) -> Scenario:
    """Load a scenario; one whose technology the option switches gets a name of its own."""
    from reesim.cli.solve import technologies_of
    from reesim.scenario import Scenario

    scenario = Scenario.load(name, set=sets or ())
    technologies_of(scenario, technology.value if technology else None)  # refuses what its baseline does not have
    if technology is None or technology.value == scenario.technology:
        return scenario
    return scenario.replace({"technology": technology.value, "name": f"{scenario.name}_{technology.value}"})


def main() -> None:
    """Entry point of the console script."""
    start(app, "reesim")
