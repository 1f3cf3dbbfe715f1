"""The command line: what each command shows and writes, exit codes, JSON, and no traceback for a user's mistake."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from typer.testing import CliRunner

from reesim import cli
from reesim.cli import output
from reesim.errors import ConvergenceError
from reesim.results.path import Path as Result

FLOWS = """,Home_Wheat,Home_Cloth,Foreign_Wheat,Foreign_Cloth,Home_final,Foreign_final
Home_Wheat,10,20,5,5,65,10
Home_Cloth,5,10,10,5,60,20
Foreign_Wheat,5,5,10,20,20,50
Foreign_Cloth,5,5,5,10,10,60
"""

TARIFF = """schema: reesim.scenario/1
name: my_tariff
calibration: {table: table}
parameters: {sigma: 5, rho: 1}
technology: none
policies:
  - {type: tariff, rate: 0.1, importers: [Home], start: 2020}
"""

SHORT = ["--set", "calendar.start=2010-05", "--set", "calendar.end=2010-10"]
"""Six months of a scenario whose policy begins in July 2010."""

ROOT = Path(__file__).parents[1]


def reesim(*args: object, code: int = 0) -> Any:
    """Run a command line in this process and check its exit code."""
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args], prog_name="reesim")
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    return result


def document(*args: object, code: int = 0) -> Any:
    """Run a command with --json: standard output must be one document, without anything that is not JSON."""

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is not JSON")

    return json.loads(reesim(*args, "--json", code=code).stdout, parse_constant=refuse)


def process(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [sys.executable, "-m", "reesim", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, **options)


def two_by_two(folder: Path) -> Path:
    """Write a table of two regions and two sectors and a scenario with a tariff on it; return the scenario's file."""
    flows, file = folder / "flows.csv", folder / "my_tariff.yaml"
    flows.write_text(FLOWS, encoding="utf-8")
    if not (folder / "table").exists():
        reesim("data", "table", flows, "--year", "2018", "--out", folder / "table")
    file.write_text(TARIFF, encoding="utf-8")
    return file


def many_regions(folder: Path, number: int) -> Path:
    """Write a table of many regions and two sectors, different ones, and a scenario with one region's tariff on another."""
    labels = [f"R{i:02d}_{sector}" for i in range(number) for sector in ("A", "B")]
    finals = [f"R{i:02d}_final" for i in range(number)]
    lines = [",".join(["", *labels, *finals])]
    for row in range(2 * number):
        uses = [1 + 7 * ((row * 31 + column * 17) % 13) / 13 for column in range(2 * number)]
        demand = [5 + 200 * (row // 2 == column) + (row * 5 + column * 3) % 7 for column in range(number)]
        lines.append(",".join([labels[row], *map(str, [*uses, *demand])]))
    flows, file = folder / "many.csv", folder / "many.yaml"
    flows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reesim("data", "table", flows, "--year", "2018", "--out", folder / "many")
    text = TARIFF.replace("table: table", "table: many").replace("my_tariff", "many")
    file.write_text(text.replace("[Home]", "[R07], exporters: [R03]"), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two short runs of one scenario, technology endogenous and fixed."""
    out = tmp_path_factory.mktemp("runs")
    reesim("run", "deck_tax", *SHORT, "--out", out, "--no-figures")
    reesim("run", "deck_tax", *SHORT, "--out", out, "--no-figures", "--technology", "fixed")
    return out


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small saved path with every kind of axis and a missing limit."""
    return synthetic.small().save(tmp_path / "small.h5")


# --- run ------------------------------------------------------------------------------------------------------------


def test_run_writes_a_certified_path_under_its_name(folder: Path) -> None:
    path = Result.load(folder / "deck_tax.h5")
    assert path.provenance.name == "deck_tax"
    assert path.provenance.overrides == {"calendar.start": "2010-05", "calendar.end": "2010-10"}
    assert path.certificate <= 1e-10  # the tolerance that the engine promises for every row
    assert f"{path.times[0]:%Y-%m} {path.times[-1]:%Y-%m}" == "2010-05 2010-10"


def test_switching_technology_gives_the_run_a_name_of_its_own(folder: Path) -> None:
    fixed = Result.load(folder / "deck_tax_fixed.h5")
    assert fixed.provenance.name == "deck_tax_fixed"
    assert np.all(fixed.array("A_R") == 1.0)
    assert not np.all(Result.load(folder / "deck_tax.h5").array("A_R") == 1.0)


def test_technology_as_the_scenario_has_it_does_not_rename_it(tmp_path: Path) -> None:
    reesim("run", "baseline", "--out", tmp_path, "--no-figures", "--quiet", "--technology", "endogenous")
    assert (tmp_path / "baseline.h5").exists()


def test_run_shows_figures_gaps_choices_certificate_and_files(tmp_path: Path) -> None:
    result = reesim("run", "deck_tax", *SHORT, "--out", tmp_path / "new" / "folder", "--no-figures")
    for text in (
        "deck_tax, 2010-05-01 to 2010-10-01, 6 rows",
        "Welfare, worst (%)",
        "Observed against model, the uncomfortable first",
        "[ours]",  # brackets are text, not markup
        "half-lives",
        "Stability: ",
        "largest relative residual",
        f"written: {tmp_path / 'new' / 'folder' / 'deck_tax.h5'}",
        f"written: {tmp_path / 'new' / 'folder' / 'deck_tax_gaps.csv'}",
    ):
        assert text in result.stdout
    assert "6 of 6 periods" in result.stderr
    assert result.stdout.index("Welfare") < result.stdout.index("Observed") < result.stdout.index("Choices")


def test_quiet_says_where_the_files_are_and_nothing_else(tmp_path: Path) -> None:
    result = reesim("run", "deck_tax", *SHORT, "--out", tmp_path, "--no-figures", "--quiet")
    assert result.stdout.splitlines() == [
        f"written: {tmp_path / 'deck_tax.h5'}",
        f"written: {tmp_path / 'deck_tax_gaps.csv'}",
    ]
    assert result.stderr == ""


def test_run_as_json(tmp_path: Path) -> None:
    told = document("run", "deck_tax", *SHORT, "--out", tmp_path, "--no-figures")
    assert told["schema"] == "reesim.run/1"
    assert (told["scenario"], told["from"], told["to"], told["rows"]) == ("deck_tax", "2010-05-01", "2010-10-01", 6)
    assert told["certificate"]["residual"] <= 1e-10  # as above
    assert [row["region"] for row in told["summary"]] == ["CHN", "EU", "JPN", "USA", "ROW"]
    assert told["files"] == {
        "path": str(tmp_path / "deck_tax.h5"),
        "gaps": str(tmp_path / "deck_tax_gaps.csv"),
        "figures": [],
    }
    with (tmp_path / "deck_tax_gaps.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(told["gaps"]) > 0
    wrong = [gap["wrong_sign"] for gap in told["gaps"]]
    assert wrong == sorted(wrong, reverse=True)
    assert all(set(gap) == set(rows[0]) for gap in told["gaps"])


def test_a_run_before_anything_was_observed_says_so(tmp_path: Path) -> None:
    dates = ["--set", "calendar.start=1995-01", "--set", "calendar.end=1995-06"]
    told = document("run", "baseline", *dates, "--out", tmp_path, "--no-figures")
    assert told["gaps"] == []
    assert told["no_gaps_because"]
    assert told["files"]["gaps"] is None
    assert not (tmp_path / "baseline_gaps.csv").exists()


def test_a_path_that_keeps_few_variables_still_runs(tmp_path: Path) -> None:
    few = ["--set", "output.variables=[welfare]"]
    told = document("run", "deck_tax", *SHORT, *few, "--out", tmp_path, "--no-figures")
    assert told["certificate"]["residual"] is None
    assert told["gaps"] == []
    drawn = reesim("run", "deck_tax", *SHORT, *few, "--out", tmp_path)
    assert "no figure of prices: " in drawn.stderr
    assert f"written: {tmp_path / 'deck_tax_welfare.png'}" in drawn.stdout
    assert "nothing to compare" in reesim("run", "deck_tax", *SHORT, *few, "--out", tmp_path, "--no-figures").stdout


def test_run_draws_figures(tmp_path: Path) -> None:
    told = document("run", "deck_tax", *SHORT, "--out", tmp_path)
    files = [Path(name) for name in told["files"]["figures"]]
    assert {file.name for file in files} >= {"deck_tax_prices.png", "deck_tax_technology.png", "deck_tax_welfare.png"}
    assert told["figures_skipped"] == {}
    assert all(file.read_bytes().startswith(b"\x89PNG") and file.parent == tmp_path for file in files)


def test_an_unstable_equilibrium_is_flagged_wherever_it_is_shown(tmp_path: Path) -> None:
    beyond = ["--set", "parameters.delta=0.4"]  # beyond delta*, near 0.284 at sigma = 6
    run = ["run", "deck_tax", *SHORT, *beyond, "--out", tmp_path, "--no-figures"]
    solve = ["solve", "deck_tax", "--date", "2012", "--technology", "endogenous", *beyond]
    show = ["show", tmp_path / "deck_tax.h5"]
    compare = ["compare", tmp_path / "deck_tax.h5", tmp_path / "deck_tax.h5", "--no-figures"]
    assert "WARNING: UNSTABLE" in reesim(*run, "--quiet").stdout
    assert "WARNING: UNSTABLE" in reesim(*show).stdout
    assert "UNSTABLE" in reesim(*compare).stdout
    both = reesim(*solve[:4], *beyond).stdout
    assert "WARNING: endogenous technology: UNSTABLE" in both
    assert "fixed technology: UNSTABLE" not in both
    half_lives = [line.split("  ")[-2:] for line in reesim(*solve).stdout.splitlines() if "half-life" in line]
    assert [line[-1].strip() for line in half_lives[:2]] == ["none: unstable", "none: unstable"]
    for args in (run, solve, show, compare):
        assert "UNSTABLE" in document(*args)["warnings"][0], args


def test_rows_left_out_of_the_file_change_nothing_else(tmp_path: Path) -> None:
    thin = ["--set", "output.every=4"]
    whole = document("run", "deck_tax", *SHORT, "--out", tmp_path / "whole", "--no-figures")
    told = document("run", "deck_tax", *SHORT, *thin, "--out", tmp_path / "thin", "--no-figures")
    for key in ("summary", "gaps", "rows", "from", "to"):
        assert told[key] == whole[key], key
    assert (whole["rows_in_file"], told["rows_in_file"]) == (6, 3)
    assert len(Result.load(tmp_path / "thin" / "deck_tax.h5")) == 3  # rows 0 and 4, and the last
    shown = reesim("run", "deck_tax", *SHORT, *thin, "--out", tmp_path, "--no-figures").stdout
    assert "rows kept in the file: every 4th and the last, 3 in all" in shown
    assert "rows kept" not in reesim("run", "deck_tax", *SHORT, "--out", tmp_path, "--no-figures").stdout


def test_figures_are_drawn_from_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reesim import plotting

    drawn: list[int] = []

    def standard_set(path: Result) -> tuple[dict[str, Any], dict[str, str]]:
        drawn.append(len(path))
        return {}, {}

    monkeypatch.setattr(plotting, "standard_set", standard_set)
    reesim("run", "deck_tax", *SHORT, "--set", "output.every=4", "--out", tmp_path)
    assert drawn == [6]


# --- solve ----------------------------------------------------------------------------------------------------------


def test_solve_puts_both_technologies_side_by_side() -> None:
    told = document("solve", "deck_tax", "--date", "2012-01", "--sector", "TRA", "--sector", "Textiles")
    assert told["date"] == "2012-01-01 to 2012-01-31"
    assert list(told["technologies"]) == ["endogenous", "fixed"]
    for worth in told["technologies"].values():
        assert worth["certificate"]["residual"] <= 1e-10  # the tolerance of a certificate
    assert told["technologies"]["endogenous"]["stability"]["stable"] is True
    assert told["technologies"]["fixed"]["stability"] is None
    value = {(row["quantity"], row["technology"], row["region"]): row["value"] for row in told["table"]}
    assert len(value) == len(told["table"])
    for sector in ("Transport equipment", "Textiles"):
        assert value[f"A_R/A_L, {sector}", "fixed", "JPN"] == 1.0
        assert value[f"A_R/A_L, {sector}", "endogenous", "JPN"] != 1.0
    # A tax alone: three times what the mines get is what foreigners pay, and nobody earns a rent.
    for technology in ("endogenous", "fixed"):
        paid = value["price paid for rare earths", technology, "JPN"]
        assert paid == pytest.approx(3.0 * told["ree_mine_price"][technology], rel=1e-9)
        assert value["export tax on sales to", technology, "JPN"] > 0.0
        assert value["export tax on sales to", technology, "CHN"] == 0.0
        assert value["quota rent on sales to", technology, "JPN"] == 0.0


def test_solving_without_policy_gives_the_baseline() -> None:
    table = document("solve", "baseline", "--date", "2012")["table"]
    hats = [row["value"] for row in table if row["unit"] == "baseline = 1"]
    others = [row["value"] for row in table if row["unit"] != "baseline = 1"]
    # Ratios of sums over 14 sectors: rounding only.
    assert hats == pytest.approx([1.0] * len(hats), abs=1e-12)
    assert others == pytest.approx([0.0] * len(others), abs=1e-10)


def test_solve_for_readers_leaves_out_lines_of_zeros() -> None:
    text = reesim("solve", "deck_tax", "--date", "2012").stdout
    assert "export tax on sales to (m USD)" in text
    assert "quota rent" not in text
    for row in (
        "largest relative residual",
        "slowest half-life, prices and trade at once (years)",
        "half-life of the transition, at the scenario's speeds (years)",
    ):
        assert f"\n{row} " in text
    assert "no entry, so nothing to be unstable" in text
    assert text.count("A_R/A_L, Transport equipment") == 1


def test_solve_shows_round_off_as_zero() -> None:
    text = reesim("solve", "baseline", "--date", "2012").stdout
    rows = [line.split() for line in text.split("Baseline = 1")[0].splitlines() if "(%)" in line]
    assert len(rows) == 7
    assert {number for row in rows for number in row[-5:]} == {"0"}


def test_solve_says_when_the_calendar_has_no_such_date() -> None:
    outside = reesim("solve", "deck_tax", "--date", "2031-05", "--technology", "fixed")
    assert "no row of the calendar has the date 2031-05: it covers 2010-01-01 to 2020-12-31" in outside.stderr
    assert "no row" not in reesim("solve", "deck_tax", "--date", "2020-12", "--technology", "fixed").stderr


def test_solve_one_technology_only() -> None:
    assert list(document("solve", "deck_tax", "--technology", "fixed")["technologies"]) == ["fixed"]


def test_a_tariff_on_a_table_of_ones_own_is_answered_whole(tmp_path: Path) -> None:
    file = two_by_two(tmp_path)
    told = document("solve", file, "--by-sector")
    assert list(told["technologies"]) == ["none"]
    assert told["technologies"]["none"]["certificate"]["residual"] <= 1e-10  # the tolerance of a certificate
    assert told["ree_mine_price"] is None
    assert told["ree_exports"] is None
    value = {(row["quantity"], row["region"]): row["value"] for row in told["table"]}
    assert not [quantity for quantity, _ in value if "rare earths" in quantity or "A_R" in quantity]
    trade = {row["region"]: row for row in told["trade_decomposition"]}
    for region in ("Home", "Foreign"):
        # Real income is welfare, and both are the sum of the channels: rounding only.
        channels = [row["value"] for row in told["channels"] if row["region"] == region and row["channel"] != "Welfare"]
        assert trade[region]["real_income"] == pytest.approx(value["welfare", region], abs=1e-9)
        assert sum(channels) == pytest.approx(value["welfare", region], abs=1e-9)
        assert trade[region]["terms_and_volume"] == pytest.approx(
            trade[region]["terms_of_trade"] + trade[region]["volume_of_trade"], abs=1e-12
        )
    assert value["tariff revenue", "Home"] == value["tariff revenue, change", "Home"] > 0.0
    assert value["tariff revenue", "Foreign"] == 0.0
    assert value["welfare", "Home"] > 0.0 > value["welfare", "Foreign"]  # a small tariff improves the terms of trade
    assert {(row["region"], row["sector"]) for row in told["sectors"]} == {
        (region, sector) for region in ("Home", "Foreign") for sector in ("Wheat", "Cloth")
    }
    text = reesim("solve", file, "--sector", "Wheat").stdout
    for words in ("welfare (%)", "tariff revenue (m USD)", "Terms of trade in goods", "Remainder", "no research"):
        assert words in text
    assert "sales, quantity, Wheat (%)" in text
    for words in ("rare earths (", "A_R/A_L", "technology ", "stability", "tariff revenue, change"):
        assert words not in text.partition("Choices")[0], words


def test_the_readmes_own_table_gives_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own table")[2].partition("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    (flows,) = [text for kind, text in blocks if kind == "text"]
    (scenario,) = [text for kind, text in blocks if kind == "yaml"]
    (commands,) = [text for kind, text in blocks if kind == "sh"]
    Path("flows.csv").write_text(flows, encoding="utf-8")
    Path("my_tariff.yaml").write_text(scenario, encoding="utf-8")
    for line in commands.splitlines():
        program, *args = line.split()
        assert program == "reesim"
        shown = document(*args)
    welfare = {row["region"]: row["value"] for row in shown["table"] if row["quantity"] == "welfare"}
    assert f"Home gains {welfare['Home']:.2f} % and Foreign loses {-welfare['Foreign']:.2f} %" in section
    home = {row["channel"]: row["value"] for row in shown["channels"] if row["region"] == "Home"}
    gained, lost = home["Terms of trade in goods"], -home["Tariff revenue on changed volumes"]
    assert f"terms of trade give Home {gained:.2f}, changed volumes at its tariff take {lost:.2f}" in section
    assert f"{abs(home['Remainder']):.2f} is left over" in section
    (first,) = [row["terms_of_trade"] for row in shown["trade_decomposition"] if row["region"] == "Home"]
    assert f"(terms of trade {first:.2f})" in section
    assert [warning.startswith("real GDP is not to be read") for warning in shown["warnings"]] == [True]
    assert "warns of real GDP" in section


def test_the_example_of_a_table_in_python_runs() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "own_table.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "terms_of_trade" in done.stdout
    assert "remainder" in done.stdout


def test_of_many_regions_the_policys_and_the_largest_movers_are_shown(tmp_path: Path) -> None:
    file = many_regions(tmp_path, 20)
    result = reesim("solve", file)
    lines = result.stdout.splitlines()
    (head,) = [number for number, line in enumerate(lines) if "real wage (%)" in line]
    shown = [line.split()[0] for line in lines[head + 1 : head + 17]]
    assert set(shown[:2]) == {"R03", "R07"}
    assert len(set(shown)) == 16
    told = document("solve", file)
    welfare = {row["region"]: abs(row["value"]) for row in told["table"] if row["quantity"] == "welfare"}
    assert len(welfare) == 20
    assert max(welfare[code] for code in set(welfare) - set(shown)) <= min(welfare[code] for code in shown[2:])
    assert "Left out: 4 regions" in result.stdout
    everyone = reesim("solve", file, "--all-regions").stdout
    assert all(f"\n{code} " in everyone for code in welfare)
    assert "Left out" not in everyone
    dates = ["--set", "calendar={start: 2019-11, end: 2020-06, step: month}"]
    run = reesim("run", file, *dates, "--out", tmp_path, "--no-figures").stdout
    assert "… and 4 more regions" in run
    reesim("run", file, *dates, "--set", "policies.0.rate=0.2", "--set", "name=b", "--out", tmp_path, "--no-figures")
    compared = reesim("compare", tmp_path / "many.h5", tmp_path / "b.h5", "--out", tmp_path).stdout
    assert "equal in both: ree_price, ree_use, A_R, A_L" in compared
    assert compared.count("welfare   R") == 8
    assert "17 more" in reesim("moments", file).stdout
    assert "R19" in reesim("show", tmp_path / "many.h5").stdout


def test_a_run_without_rare_earths_says_nothing_of_them(tmp_path: Path) -> None:
    file = two_by_two(tmp_path)
    (tmp_path / "theta.csv").write_text("sector,theta\nWheat,5\nCloth,4\n", encoding="utf-8")
    (tmp_path / "rates.csv").write_text("exporter,importer,sector,rate\nForeign,Home,Wheat,0.2\n", encoding="utf-8")
    changes = [
        "calibration.trade_elasticity=theta.csv",
        "parameters={rho: 1}",
        "calendar={start: 2019-11, end: 2020-12, step: month}",
        "policies=[{type: tariff, file: rates.csv, start: 2020}, {type: iceberg, factor: 1.1, start: 2020-05}]",
    ]
    sets = [part for change in changes for part in ("--set", change)]
    result = reesim("run", file, *sets, "--out", tmp_path / "out")
    assert "nothing to compare; there are no rare earths in this world" in result.stdout
    assert "no figure of prices: there are no rare earths in this world" in result.stderr
    assert "no figure of technology" in result.stderr
    for words in ("A_R/A_L", "rare-earth price", "Price paid"):
        assert words not in result.stdout
    told = document("run", file, *sets, "--out", tmp_path / "out", "--no-figures")
    assert sorted(told["inputs"]) == ["calibration.trade_elasticity", "policies.0.file"]
    digest = hashlib.sha256((tmp_path / "rates.csv").read_bytes()).hexdigest()
    assert told["inputs"]["policies.0.file"] == f"rates.csv, sha256 {digest}"
    assert all("ree" not in name for row in told["summary"] for name in row)
    saved = Result.load(tmp_path / "out" / "my_tariff.h5")
    assert saved.provenance.inputs == told["inputs"]
    (tmp_path / "rates.csv").write_text("exporter,importer,sector,rate\nForeign,Home,Wheat,0.3\n", encoding="utf-8")
    reesim("run", file, *sets, "--set", "name=b", "--out", tmp_path / "out", "--no-figures")
    text = reesim("compare", tmp_path / "out" / "my_tariff.h5", tmp_path / "out" / "b.h5", "--no-figures").stdout
    assert "inputs.policies.0.file" in text  # the texts are the same: only the digest tells the two apart
    assert "scenario.policies" not in text


def test_a_single_period_is_said_to_be_an_impact(tmp_path: Path) -> None:
    file = two_by_two(tmp_path)
    year = "calendar={start: 2020, end: 2020, step: year}"
    text = reesim("run", file, "--set", year, "--out", tmp_path, "--no-figures").stdout
    assert f"A single period of policy is its impact; what it tends to: reesim solve {file}" in text
    assert "What hangs on the speeds" not in text


def test_a_scenario_without_a_calendar_has_no_path(tmp_path: Path) -> None:
    file = two_by_two(tmp_path)
    refused = reesim("run", file, "--out", tmp_path / "out", code=2)
    assert "Give calendar.start and calendar.end for a path" in refused.stderr
    assert refused.stderr.rstrip().endswith(f"what was asked is: reesim solve {file}")
    assert not refused.stdout
    assert not (tmp_path / "out").exists()
    assert document("run", file, "--out", tmp_path / "out", code=2)["error"]["exit_code"] == 2


def test_first_order_numbers_are_told_from_the_channels(tmp_path: Path) -> None:
    text = reesim("solve", two_by_two(tmp_path)).stdout
    table, _, channels = text.partition("Where the change of welfare comes from")
    assert "terms of trade in goods, first order (%)" in table
    assert "Terms of trade in goods  " in channels
    assert "Channels average flows before and after" in channels
    rare = document("solve", "deck_tax", "--technology", "fixed")["table"]
    names = {row["quantity"] for row in rare}
    assert {"terms of trade in goods, first order", "volume of trade, first order"} <= names


def test_moments_of_a_solved_baseline_are_said_to_be_so(tmp_path: Path) -> None:
    said = "are those of a baseline that is solved for without deficits"
    file = two_by_two(tmp_path)
    assert said in reesim("moments", file, "--set", "deficit=removed").stdout
    assert said not in reesim("moments", file).stdout
    assert [said in note for note in document("moments", file, "--set", "deficit=removed")["notes"]] == [True]
    assert document("moments", file)["notes"] == []


def test_solving_a_table_of_ones_own_loads_no_pandas(tmp_path: Path) -> None:
    file = two_by_two(tmp_path)
    code = (
        f"import sys; sys.argv = ['reesim', 'solve', {str(file)!r}, '--json']\nfrom reesim.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pandas', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- compare, show --------------------------------------------------------------------------------------------------


def test_compare_says_where_the_paths_part_and_what_made_them(folder: Path) -> None:
    a, b = folder / "deck_tax.h5", folder / "deck_tax_fixed.h5"
    told = document("compare", a, b, "--no-figures")
    assert (told["a"]["scenario"], told["b"]["scenario"]) == ("deck_tax", "deck_tax_fixed")
    assert told["provenance"]["scenario.technology"] == {"a": "endogenous", "b": "fixed"}
    assert told["first_divergence"]["time"] == "2010-08-01"  # the month after the policy begins: entry takes a period
    assert {row["variable"] for row in told["summary"]} == set(Result.load(a).variables)
    text = reesim("compare", a, b, "--no-figures", "--variable", "A_R").stdout
    assert "scenario.technology  " in text
    assert "A_R [baseline = 1]" in text
    assert "welfare" not in text
    assert text.startswith("A: deck_tax\nB: deck_tax_fixed\n")
    first = told["first_divergence"]
    assert f"is {first['a']:.6g} in A and {first['b']:.6g} in B" in reesim("compare", a, b, "--no-figures").stdout


def test_compare_shows_welfare_in_per_cent(folder: Path) -> None:
    a, b = folder / "deck_tax.h5", folder / "deck_tax_fixed.h5"
    text = reesim("compare", a, b, "--no-figures", "--variable", "welfare").stdout
    assert "welfare [percentage points of the baseline]" in text
    (shown,) = [line.split()[2] for line in text.splitlines() if line.startswith("welfare   JPN")]
    (share,) = [
        row["peak_difference"]
        for row in document("compare", a, b, "--no-figures", "--variable", "welfare")["summary"]
        if row["region"] == "JPN"
    ]
    assert float(shown) == pytest.approx(100 * share, rel=5.0001e-4)  # four digits are shown


def test_compare_shows_round_off_as_zero_without_a_date(tmp_path: Path) -> None:
    a = synthetic.path(2, ("welfare", "wage", "A_R"))
    arrays = {name: np.array(a.array(name)) for name in a.variables}
    arrays["welfare"][1] += 2e-15
    arrays["wage"][1] *= 1 + 3e-15
    arrays["A_R"][1, 0, 0] += 0.5
    b = Result(a.times, arrays, a.regions, a.sectors, a.provenance)
    text = reesim("compare", a.save(tmp_path / "a.h5"), b.save(tmp_path / "b.h5"), "--no-figures").stdout
    table = text.split("B less A:\n")[1]
    for name, numbers in (("welfare", ["0", "0"]), ("wage", ["0"] * 4)):
        rows = [line.split()[2:] for line in table.splitlines() if line.startswith(f"{name}  ")]
        assert rows == [numbers] * 3
    assert [line.split()[3] for line in table.splitlines() if line.startswith("A_R") and " CHN " in line] == ["0.5"]


def test_compare_tells_two_of_one_name_apart(folder: Path, tmp_path: Path) -> None:
    same = ["--set", "technology=fixed", "--out", tmp_path, "--no-figures"]
    reesim("run", "deck_tax", *SHORT, *same)
    shown = reesim("compare", folder / "deck_tax.h5", tmp_path / "deck_tax.h5", "--out", tmp_path).stdout
    assert shown.startswith("A: deck_tax (technology endogenous)\nB: deck_tax (technology fixed)\n")
    assert "certificate of B, deck_tax (technology fixed)" in shown
    assert f"written: {tmp_path / 'deck_tax_fixed_against_deck_tax_endogenous.png'}" in shown


def test_compare_draws_one_figure(folder: Path, tmp_path: Path) -> None:
    told = document("compare", folder / "deck_tax.h5", folder / "deck_tax_fixed.h5", "--out", tmp_path)
    (figure,) = told["files"]["figures"]
    assert figure == str(tmp_path / "deck_tax_fixed_against_deck_tax.png")
    assert Path(figure).read_bytes().startswith(b"\x89PNG")


def test_compare_without_a_figure_says_why(tmp_path: Path) -> None:
    other = synthetic.path(2, ("posted_price",)).save(tmp_path / "other.h5")
    result = reesim("compare", other, other, "--variable", "posted_price", "--out", tmp_path)
    assert "no figure: " in result.stderr
    assert document("compare", other, other, "--out", tmp_path)["no_figure_because"]


def test_a_path_compared_with_itself_has_no_table(folder: Path) -> None:
    file = folder / "deck_tax.h5"
    assert document("compare", file, file, "--no-figures")["first_divergence"] is None
    text = reesim("compare", file, file, "--no-figures").stdout
    assert "equal wherever they can be compared" in text
    assert "Largest gap" not in text


def test_show_describes_a_path(saved: Path) -> None:
    text = reesim("show", saved).stdout
    assert "A path made of formulas" in text
    assert "Rest of the world – übrige" in text
    told = document("show", saved)
    assert told["schema"] == "reesim.show/1"
    assert list(told["variables"]) == list(Result.load(saved).variables)
    assert told["regions"]["JPN"] == "Japan"


def test_show_gives_all_numbers_of_a_variable(saved: Path) -> None:
    path = Result.load(saved)
    told = document("show", saved, "--variable", "trade_share")
    assert told["axes"] == ["time", "region", "partner", "sector"]
    assert [len(told["labels"][axis]) for axis in told["axes"]] == list(np.shape(told["values"]))
    assert np.array_equal(told["values"], path.array("trade_share"))
    table = reesim("show", saved, "--variable", "welfare").stdout.splitlines()
    assert table[1].split()[-3:] == ["CHN", "JPN", "ROW"]
    assert [line.split()[0] for line in table[-2:]] == ["2010-01-01", "2010-02-01"]


def test_what_is_missing_is_null(saved: Path) -> None:
    path = Result.load(saved)
    expected = [None if np.isnan(value) else value for value in path.array("policy_quota")]
    assert None in expected
    assert document("show", saved, "--variable", "policy_quota")["values"] == expected


# --- check, list, schema, moments, data -----------------------------------------------------------------------------


def test_check_gives_each_problem_its_address(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "schema: reesim.scenario/1\nname: bad\ncalendar: {start: 2010-13, end: 2012}\nparameters: {sigmaa: 4}\n",
        encoding="utf-8",
    )
    lines = reesim("check", file, code=2).stdout.splitlines()
    assert lines[0].startswith(f"{file}:3:")
    assert "calendar.start: '2010-13' is not a date" in lines[0]
    assert lines[1].startswith(f"{file}:4:")
    assert "did you mean 'sigma'?" in lines[1]
    told = document("check", file, code=2)
    assert told["valid"] is False
    assert [(problem["line"], problem["path"]) for problem in told["problems"]] == [
        (3, "calendar.start"),
        (4, "parameters.sigmaa"),
    ]


def test_every_listed_scenario_is_valid() -> None:
    listed = document("list")["scenarios"]
    assert "staged_quotas_2010_2015" in [entry["name"] for entry in listed]
    for entry in listed:
        assert document("check", entry["name"]) == {
            "schema": "reesim.check/1",
            "file": entry["name"],
            "valid": True,
            "problems": [],
        }
        assert f"{entry['name']}: valid ({entry['title']})" in reesim("check", entry["name"]).stdout
        assert entry["title"] in reesim("list").stdout


def test_schema_is_a_json_schema() -> None:
    schema = json.loads(reesim("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["required"] == ["schema", "name"]  # the calendar may be left to the policies


def test_moments_are_judged() -> None:
    told = document("moments")
    assert {row["status"] for row in told["moments"]} == {"matched", "not matched", "not available"}
    text = reesim("moments").stdout
    assert "What is not matched, and why:" in text
    assert "Sources of the targets:" in text
    deck = {row["moment"]: row["model"] for row in told["moments"]}
    accounts = document("moments", "--set", "calibration.ree_shares=accounts")["moments"]
    assert deck != {row["moment"]: row["model"] for row in accounts}


@pytest.mark.shared
def test_data_rebuilds_the_shipped_tables(tmp_path: Path) -> None:
    if "REESIM_SHARED_DATA" not in os.environ:
        pytest.skip("REESIM_SHARED_DATA is not set")
    raw = Path(os.environ["REESIM_SHARED_DATA"])
    text = reesim("data", "wiod", raw / "wiod2013", "--year", "2009", "--out", tmp_path / "world").stdout
    assert "2009: 5 regions x 14 sectors" in text
    shipped = ROOT / "reesim" / "data" / "world_2009_5x14_flows.csv"
    assert any(file.read_bytes() == shipped.read_bytes() for file in (tmp_path / "world").iterdir())
    assert "written: " in reesim("data", "observed", raw / "ree", "--out", tmp_path / "observed").stdout
    for file in (tmp_path / "observed").iterdir():
        assert file.read_bytes() == (ROOT / "reesim" / "data" / "observed" / file.name).read_bytes()


# --- mistakes -------------------------------------------------------------------------------------------------------

MISTAKES: list[tuple[list[str], int, str]] = [
    (["run", "nothing_bundled"], 2, "no bundled scenario 'nothing_bundled'"),
    (["run", "deck_taxx"], 2, "deck_tax"),
    (["run", "missing.yaml"], 2, "missing.yaml: cannot be read"),
    (["run", "{folder}"], 2, "Is a directory"),
    (["run", "{result}"], 2, "{result}"),
    (["run", "baseline", "--set", "calendar.ende=2012"], 2, "did you mean 'end'?"),
    (["run", "baseline", "--set", "calendar.end=2010-13"], 2, "there is no month 13"),
    (["run", "baseline", "--set", "calendar"], 2, "sets nothing"),
    (["run", "baseline", "--technology", "fxed"], 2, "'fxed' is not one of"),
    (["run", "baseline", "--out", "{file}"], 4, "the folder cannot be made"),
    (["run", "baseline", "--out", "{file}/below"], 4, "the folder cannot be made"),
    (["run"], 2, "Missing argument"),
    (["rum"], 2, "Did you mean 'run'?"),
    (["solve", "baseline", "--date", "2010-02-30"], 2, "2010-02 has 28 days"),
    (["solve", "baseline", "--date", "soon"], 2, "'soon' is not a date"),
    (["solve", "baseline", "--technology", "none"], 2, "solve it with --set technology=none"),
    (["run", "baseline", "--technology", "none"], 2, "its baseline has research"),
    (["solve", "{tariff}", "--technology", "fixed"], 2, "Leave the option out"),
    (["solve", "{tariff}", "--sector", "TRA"], 2, "no sector 'TRA'. Known: Wheat, Cloth."),
    (["solve", "{tariff}", "--set", "calibration.table=nowhere"], 2, "no table 'nowhere'"),
    (["solve", "{tariff}", "--set", "calibration.table={folder}"], 2, "regions.csv: there is no such file"),
    (["solve", "{tariff}", "--set", "policies.0.sectors=[Steel]"], 2, "no sector 'Steel'"),
    (["run", "{tariff}", "--set", "policies.0.importers=[Hom]"], 2, "did you mean 'Home'?"),
    (["solve", "{tariff}", "--set", "policies.0.rate=-1"], 2, "should be above -1"),
    (["solve", "{tariff}", "--set", "calibration.trade_elasticity=theta.csv"], 2, "no row for Cloth"),
    (["solve", "{tariff}", "--set", "calibration.table=unbalanced"], 2, "[Home, Wheat] bought 125, spent 130"),
    (["moments", "{tariff}", "--set", "calibration.table=unbalanced"], 2, "take one of them as the residual"),
    (
        ["solve", "{tariff}", "--set", "policies.0={{type: embargo, destination: Home, start: 2020}}"],
        2,
        "no rare earths",
    ),
    (["solve", "{tariff}", "--set", "parameters.gamma={{Wheat: 0.1}}"], 2, "no region is named that exports them"),
    (["solve", "baseline", "--sector", "Transprt equipment"], 2, "did you mean 'Transport equipment'?"),
    (["show", "missing.h5"], 4, "missing.h5: no such file"),
    (["show", "{folder}"], 4, "not a regular file"),
    (["show", "{endless}"], 4, "cannot be read"),
    (["compare", "{result}", "{endless}"], 4, "cannot be read"),
    (["show", "{file}"], 4, "not a result file of reesim"),
    (["show", "{damaged}"], 4, "damaged"),
    (["show", "{result}", "--variable", "welfar"], 2, "did you mean 'welfare'?"),
    (["show", "{result}", "--variable", "wage"], 2, "did not keep 'wage'"),
    (["compare", "{result}", "missing.h5"], 4, "missing.h5: no such file"),
    (["compare", "{result}", "{damaged}"], 4, "damaged"),
    (["compare", "{result}", "{result}", "--variable", "welfar"], 2, "did you mean 'welfare'?"),
    (["compare", "{result}", "{result}", "--out", "{file}"], 4, "the folder cannot be made"),
    (["check", "nothing_bundled"], 2, "no bundled scenario"),
    (["moments", "nothing_bundled"], 2, "no bundled scenario"),
    (["data", "wiod", "nowhere", "--year", "2009", "--out", "{folder}"], 2, "no such file or folder"),
    (["data", "wiod", "{folder}", "--year", "2009", "--out", "x", "--negatives", "maybe"], 2, "'maybe' is not one of"),
    (["data", "observed", "nowhere", "--out", "{folder}"], 2, "there is no such file"),
]


def places(saved: Path) -> dict[str, Path]:
    """Files that users mistake for others."""
    folder = saved.parent
    text, damaged = folder / "notes.txt", folder / "damaged.h5"
    text.write_text("notes", encoding="utf-8")
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    endless = folder / "endless.h5"
    if not endless.is_symlink():
        endless.symlink_to(endless)
    tariff = two_by_two(folder)
    (folder / "theta.csv").write_text("sector,theta\nWheat,5\n", encoding="utf-8")
    shutil.copytree(folder / "table", folder / "unbalanced", dirs_exist_ok=True)
    final = folder / "unbalanced" / "final.csv"
    final.write_text(final.read_text(encoding="utf-8").replace("Home,85,", "Home,90,"), encoding="utf-8")
    return {"tariff": tariff, "folder": folder, "file": text, "damaged": damaged, "result": saved, "endless": endless}


@pytest.mark.parametrize(("args", "code", "told"), MISTAKES, ids=[" ".join(args) for args, _, _ in MISTAKES])
def test_a_mistake_is_told_in_words_with_its_exit_code(
    args: list[str], code: int, told: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(saved.parent)
    names = places(saved)
    filled = [arg.format(**names) for arg in args]
    before = sorted(saved.parent.iterdir())
    result = reesim(*filled, code=code)
    assert told.format(**names) in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert sorted(saved.parent.iterdir()) == before
    if args[0] not in ("check", "data"):
        error = document(*filled, code=code)["error"]
        assert error["exit_code"] == code
        assert told.format(**names) in error["message"]


def test_problems_of_a_scenario_are_records_in_json() -> None:
    error = document("run", "baseline", "--set", "calendar.ende=2012", code=2)["error"]
    assert error["type"] == "ScenarioError"
    assert [(problem["path"], problem["message"]) for problem in error["problems"]] == [
        ("calendar.ende", "unknown key")
    ]


def test_what_is_not_solved_ends_with_3_and_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConvergenceError(
            "no equilibrium: lower delta", residual=0.5, equation="(17)", region="JPN", date="2010-07"
        )

    monkeypatch.setattr("reesim.equilibrium.solve", fail)
    monkeypatch.setattr("reesim.simulation.Simulation.run", fail)
    for args in (["solve", "deck_tax"], ["run", "deck_tax", "--out", tmp_path]):
        result = reesim(*args, code=3)
        assert "no equilibrium: lower delta" in result.stderr
        assert document(*args, code=3)["error"] == {
            "type": "ConvergenceError",
            "exit_code": 3,
            "message": "no equilibrium: lower delta",
            "residual": 0.5,
            "equation": "(17)",
            "region": "JPN",
            "sector": "",
            "date": "2010-07",
        }
    assert not list(tmp_path.iterdir())


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reesim.simulation.Simulation.run", interrupt)
    assert "interrupted" in reesim("run", "deck_tax", "--out", tmp_path, code=130).stderr
    error = document("run", "deck_tax", "--out", tmp_path, code=130)["error"]
    assert (error["type"], error["exit_code"]) == ("Interrupted", 130)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_a_result_is_file_trouble(tmp_path: Path) -> None:
    (tmp_path / "deck_tax.h5").mkdir()
    assert "deck_tax.h5" in reesim("run", "deck_tax", *SHORT, "--out", tmp_path, "--no-figures", code=4).stderr


def test_a_folder_in_the_place_of_a_table_is_file_trouble(tmp_path: Path) -> None:
    (tmp_path / "deck_tax_gaps.csv").mkdir()
    assert (
        "gaps.csv: cannot be written"
        in reesim("run", "deck_tax", *SHORT, "--out", tmp_path, "--no-figures", code=4).stderr
    )


@pytest.mark.parametrize("args", [["show", "{result}"], ["compare", "{result}", "{result}", "--no-figures"]])
def test_only_reading_finds_out_whether_a_result_can_be_read(
    args: list[str], saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked beforehand, a file that may not be read would be bad input to the reader of command lines."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    reesim(*(arg.format(result=saved) for arg in args))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read anything")
def test_a_result_that_may_not_be_read_is_file_trouble(saved: Path) -> None:
    saved.chmod(0)
    assert "cannot be read" in reesim("show", saved, code=4).stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_file_trouble(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written to" in reesim("run", "baseline", "--out", tmp_path, code=4).stderr
    finally:
        tmp_path.chmod(0o700)


# --- as a process ---------------------------------------------------------------------------------------------------


def test_help_and_version_of_the_process() -> None:
    shown = process("--help")
    assert shown.returncode == 0
    for command in ("run", "solve", "compare", "show", "check", "schema", "list", "data", "moments"):
        assert f"\n  {command} " in shown.stdout
        assert reesim(command, "--help").stdout.startswith(f"Usage: reesim {command}")
    codes = " ".join(shown.stdout.split())
    assert "Exit codes: 0 ok, 2 bad input (also a scenario file that is missing or cannot be read), 3 not" in codes
    assert "4 file trouble (a result or a folder that cannot be read or written), 130 interrupted" in codes
    import reesim as package

    assert process("--version").stdout == f"reesim {package.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['reesim', '--help']\nfrom reesim.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pandas', 'h5py', 'matplotlib', 'scipy', 'networkx', 'pydantic'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_pipe_gets_plain_whole_lines() -> None:
    result = process("solve", "deck_tax", "--date", "2012", env={"COLUMNS": "20", "NO_COLOR": "1"})
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert "…" not in result.stdout
    header = next(line for line in result.stdout.splitlines() if "technology" in line)
    assert header.split() == ["technology", "CHN", "EU", "JPN", "USA", "ROW"]


def test_output_that_cannot_be_encoded_or_written_is_no_traceback(saved: Path) -> None:
    ascii_only = process("show", saved, env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.returncode == 0
    assert "Rest of the world ? ?brige" in ascii_only.stdout
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-m", "reesim", "list"]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
        assert done.returncode == 4
        assert done.stderr == "output: No space left on device\n"


def test_a_reader_who_leaves_early_is_no_traceback(saved: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "reesim", "show", str(saved)]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent as signals")
def test_ctrl_c_stops_a_run_and_leaves_no_file(tmp_path: Path) -> None:
    long = ["--set", "calendar.step=day", "--set", "calendar.end=2040-12", "--set", "output.variables=[welfare]"]
    command = [sys.executable, "-m", "reesim", "run", "deck_tax", *long, "--out", str(tmp_path), "--no-figures"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stderr is not None
        assert run.stderr.readline().startswith("deck_tax: ")
        assert "periods" in run.stderr.readline()  # a quarter is done: the rest is still to come
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.iterdir())


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.01235"),
        (0.000000642, "0.000000642"),
        (-0.0000123456, "-0.00001235"),
        (0.000099999, "0.0001"),
        (-0.0, "0"),
        (2.2e-16, "2.2e-16"),
        (-3.0, "-3"),
        (1234.56, "1235"),
        (39813.2, "39,813"),
        (float("nan"), ""),
        (np.float64("inf"), "inf"),
        (None, ""),
        (np.datetime64("NaT"), ""),
        (True, "True"),
        ("[bold]as it is[/]", "[bold]as it is[/]"),
        ("\x1b[31mred", "�[31mred"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert output.cell(value) == text


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    from dataclasses import replace

    path = synthetic.path(2, ("welfare",), provenance=replace(synthetic.PROVENANCE, title="\x1b]0;owned\x07title"))
    file = path.save(tmp_path / "odd.h5")
    shown = reesim("show", file).stdout
    assert "title" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
