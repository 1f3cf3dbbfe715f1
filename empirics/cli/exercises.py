"""The exercises that end in estimates: exports, patents, productivity, structure, δ, and all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from reesim.cli import output
from reesim.empirics.cli.program import ESTIMATES, AsJson, Figures, Out, Report, Seed, app, given, show

Panel: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--panel", metavar="FILE", help="Your panel (csv, JSON lines, Parquet). Default: embedded.", readable=False
    ),
]
Sensitivity: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--sensitivity", metavar="FILE.csv", help="Columns industry, sensitivity. Default: as shipped.", readable=False
    ),
]
Controls: TypeAlias = Annotated[
    list[str] | None, typer.Option("--control", metavar="COLUMN", help="Column of your panel; may be repeated.")
]
Post: TypeAlias = Annotated[
    int | None, typer.Option("--post", metavar="YEAR", help="First year after the shock. Default: 2010")
]
Draws: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--draws",
        metavar="N",
        min=0,
        help="Draws of randomisation, and at most of the bootstrap. Default: 9,999, for PPML 199; 0 leaves both out.",
    ),
]


@app.command(short_help="Difference in differences of export growth.")
def exports(
    out: Out,
    panel: Panel = None,
    sensitivity: Sensitivity = None,
    control: Controls = None,
    post: Post = None,
    draws: Draws = None,
    seed: Seed = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Regress growth of exports on sensitivity x post, by group (26), with event study and robustness.

    The embedded panel is that of the World Input-Output Database: 40 countries, 14 manufacturing industries, 1995 to 2011.
    """
    from reesim.empirics.regress.exercise import run_exports

    options = given(sensitivity=sensitivity, controls=control, post=post, draws=draws, seed=seed)
    show("exports", run_exports(output.ready_folder(out), panel, figures=figures, **options), as_json)


@app.command(short_help="Difference in differences of patents.")
def patents(
    out: Out,
    panel: Panel = None,
    sensitivity: Sensitivity = None,
    control: Controls = None,
    outcome: Annotated[
        str | None,
        typer.Option("--outcome", metavar="enhancing|count", help="Default: enhancing where your panel has it."),
    ] = None,
    zeros: Annotated[
        bool, typer.Option("--zeros/--no-zeros", help="Years without a row have no patents (panels of yours).")
    ] = True,
    post: Post = None,
    draws: Draws = None,
    seed: Seed = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Regress counts of patents on sensitivity x post, by group (26): PPML, OLS, differences to China.

    No panel of patents can be shipped: without one of yours a simulated path is observed, and every output says so.
    """
    from reesim.empirics.regress.exercise import run_patents

    options = given(sensitivity=sensitivity, controls=control, outcome=outcome, post=post, draws=draws, seed=seed)
    show("patents", run_patents(output.ready_folder(out), panel, zeros=zeros, figures=figures, **options), as_json)


@app.command(short_help="Difference in differences of productivity growth.")
def productivity(
    out: Out,
    panel: Annotated[
        Path, typer.Option("--panel", metavar="FILE", help="Your panel (csv, JSON lines, Parquet).", readable=False)
    ],
    sensitivity: Sensitivity = None,
    control: Controls = None,
    post: Post = None,
    draws: Draws = None,
    seed: Seed = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Regress growth of productivity on sensitivity x post, by group (26). No panel is shipped: give yours."""
    from reesim.empirics.regress.exercise import run_productivity

    options = given(sensitivity=sensitivity, controls=control, post=post, draws=draws, seed=seed)
    show("productivity", run_productivity(output.ready_folder(out), panel, figures=figures, **options), as_json)


@app.command(short_help="Elasticities by sector from patents and factor prices.")
def structural(
    out: Out,
    panel: Panel = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="OLS|2SLS|PPML", help="Default: OLS, or 2SLS with instruments")
    ] = None,
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", metavar="COLUMN", help="Column of your panel; may be repeated.")
    ] = None,
    errors: Annotated[
        str | None, typer.Option("--errors", metavar="jackknife|cluster", help="By region. Default: jackknife")
    ] = None,
    gamma: Annotated[
        str | None, typer.Option("--gamma", metavar="share|constant", help="Where γ comes from. Default: share")
    ] = None,
    mu: Annotated[float | None, typer.Option("--mu", metavar="X", help="Elasticity of (3). Default: 6.5")] = None,
    delta: Annotated[float | None, typer.Option("--delta", metavar="X", help="Externality of (4). Default: 0")] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", metavar="N", min=0, help="Draws of estimates that are simulated; 0: none.")
    ] = None,
    seed: Seed = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Estimate ε and γ by sector (24), (23), and write estimates.json, which a scenario can take.

    No real panel can be shipped: without one of yours a panel simulated by the model is used, and every output says so.
    """
    from reesim.empirics.structural.exercise import run
    from reesim.empirics.structural.fit import Specification
    from reesim.empirics.structural.inversion import Technology

    technology = given(mu=mu, delta=delta)
    chosen = given(
        method=method or ("2SLS" if instrument else None), instruments=tuple(instrument) if instrument else None,
        errors=errors, gamma=gamma, technology=Technology(**technology) if technology else None,
    )  # fmt: skip
    specification = Specification(**chosen) if chosen else None
    options = given(specification=specification, draws=draws, seed=seed)
    show("structural", run(output.ready_folder(out), panel, figures=figures, **options), as_json)


@app.command(short_help="δ by indirect inference.")
def delta(
    out: Out,
    panel: Panel = None,
    figures: Figures = True,
    as_json: AsJson = False,
) -> None:
    """Choose δ so that the regression of patents on the model's own path gives the observed response, (27).

    With --panel the target is estimated on your panel of patents; by default it is the slides' 7.4 % per standard deviation.
    """
    from reesim.empirics.delta.outputs import run

    with output.progress("δ", quiet=False, unit="episodes") as told:
        report = run(output.ready_folder(out), panel, figures=figures, progress=told)
    show("delta", report, as_json)


@app.command("all", short_help="Every exercise, each in a folder of its own.")
def everything(out: Out, figures: Figures = True, as_json: AsJson = False) -> None:
    """Run the input-output table and every exercise on the embedded panels, and put all estimates into one file."""
    from reesim.empirics.delta import outputs as delta_outputs
    from reesim.empirics.iotable import outputs as table_outputs
    from reesim.empirics.regress.exercise import run_exports, run_patents
    from reesim.empirics.structural import exercise
    from reesim.results.whole import write_whole

    folder = output.ready_folder(out)
    parts: dict[str, Report] = {}
    for name, runner in (
        ("iotable", lambda place: table_outputs.build(None, place, figures=figures)),
        ("exports", lambda place: run_exports(place, figures=figures)),
        ("patents", lambda place: run_patents(place, figures=figures)),
        ("structural", lambda place: exercise.run(place, figures=figures)),
        ("delta", lambda place: delta_outputs.run(place, figures=figures)),
    ):
        output.note(f"{name} ...")
        parts[name] = runner(output.ready_folder(folder / name))
    tidy = [file for part in parts.values() for file in part.files if file.name == ESTIMATES]
    head, *_ = tidy[0].read_bytes().splitlines(keepends=True)
    rows = b"".join(line for file in tidy for line in file.read_bytes().splitlines(keepends=True)[1:])
    files = (*(file for part in parts.values() for file in part.files), write_whole(folder / ESTIMATES, head + rows))
    if as_json:
        output.say_json({"schema": "reesim.empirics/1", "exercise": "all", "files": [str(file) for file in files]})
        return
    for name, part in parts.items():
        output.say(f"== {name}")
        for line in part.lines():
            output.say(line)
        output.say()
    output.say(f"All estimates: {folder / ESTIMATES}")
