"""The command line of the empirics: what a command asks of the library, refusals, exit codes, no traceback for a mistake."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
from typer.testing import CliRunner

import reesim.empirics
from reesim.data.facts import UNVERIFIED
from reesim.empirics import cli
from reesim.empirics.iotable import outputs
from reesim.empirics.iotable.choices import Choices

ROOT = Path(__file__).parents[1]
LINES = ("SIC 3714 needs [rare earths]", "written: somewhere")

VALUES = {
    "redefinitions": "before", "origin": "domestic", "scrap": "commodity", "by": "commodity", "prices": "2010Q1",
    "us_share": "uniform", "applications": "all", "sic_weights": "output",
}  # fmt: skip
"""A value for each choice that is not its default."""

OTHERS: dict[str, tuple[str, object]] = {"inputs": ("cobalt", Path("cobalt")), "draws": ("7", 7), "seed": ("3", 3)}
"""Other options that compute: what is typed, and what arrives."""


BALANCE = {"inputs": "none", "gaps_usd": {"rows": 0.0}}


class Told:
    """A report, as the command line shows it."""

    computed = False
    files = (Path("a.csv"), Path("b.csv"))
    tables = SimpleNamespace(balance=BALANCE)

    def lines(self) -> Iterator[str]:
        yield from LINES


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the library is asked for by a command, by its parameters; nothing is computed."""
    calls: list[dict[str, Any]] = []
    parameters = inspect.signature(outputs.build)

    def build(*args: Any, **given: Any) -> Told:
        calls.append(parameters.bind(*args, **given).arguments)
        return Told()

    monkeypatch.setattr(outputs, "build", build)
    return calls


def run(*args: object, code: int = 0) -> Any:
    """Run a command line in this process and check its exit code."""
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args], prog_name=cli.NAME)
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    return result


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


# --- what is asked of the library -----------------------------------------------------------------------------------


def test_without_tables_the_shipped_ones_are_asked_for(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    result = run("iotable", "--out", tmp_path / "new")
    default = {"inputs": None, "draws": outputs.DRAWS, "seed": outputs.SEED, "figures": True, "progress": None}
    assert asked == [{"bea": None, "out": tmp_path / "new", "choices": Choices(), **default}]
    assert result.stdout.splitlines() == list(LINES)
    assert result.stderr == ""
    run("iotable", "--out", tmp_path, "--no-figures")
    assert asked[1]["figures"] is False


def test_json_is_one_document(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    told = json.loads(run("iotable", "--out", tmp_path, "--json").stdout)
    assert told == {"schema": "reesim.iotable/1", "computed": False, "files": ["a.csv", "b.csv"], "balance": BALANCE}
    refused = json.loads(run("iotable", "--out", tmp_path, "--by", "industry", "--json", code=2).stdout)
    assert refused["error"]["type"] == "InputError"
    assert len(asked) == 1


def test_every_option_arrives(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    typed = [word for name, value in VALUES.items() for word in (option(name), value)]
    typed += [word for name, (text, _) in OTHERS.items() for word in (option(name), text)]
    run("iotable", "--bea", "tables", "--out", tmp_path, *typed)
    (call,) = asked
    assert callable(call.pop("progress"))
    assert call == {
        "bea": Path("tables"), "out": tmp_path, "choices": Choices(**VALUES), "figures": True,  # type: ignore[arg-type]
        **{name: value for name, (_, value) in OTHERS.items()},
    }  # fmt: skip


def test_every_choice_of_the_library_is_an_option() -> None:
    assert {item.name for item in fields(Choices)} == set(VALUES)
    assert all(value != getattr(Choices(), name) for name, value in VALUES.items())


def test_help_says_the_values_and_defaults_that_the_library_has() -> None:
    words = " ".join(run("iotable", "--help").stdout.split())
    hints = get_type_hints(Choices)
    for item in fields(Choices):
        shown = words.partition(f"{option(item.name)} ")[2].partition(" --")[0]
        assert all(value in shown.split()[0].split("|") for value in get_args(hints[item.name])), shown
        assert f"Default: {item.default}" in shown
    assert f"Default: {outputs.DRAWS} " in words
    assert f"Default: {outputs.SEED} " in words


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*VALUES, *OTHERS])
def test_what_computes_is_refused_without_tables(name: str, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    value = VALUES[name] if name in VALUES else OTHERS[name][0]
    result = run("iotable", "--out", tmp_path / "new", option(name), value, code=2)
    assert f"{option(name)} {value}: " in result.stderr
    assert "--bea DIR" in result.stderr
    assert not asked
    assert not (tmp_path / "new").exists()


MISTAKES: list[tuple[list[str], int, str]] = [
    (["iotable"], 2, "Missing option '--out'"),
    (["iotabel"], 2, "Did you mean 'iotable'?"),
    (["iotable", "--out", "{file}"], 4, "{file}: the folder cannot be made"),
    (["iotable", "--out", "{file}/below"], 4, "the folder cannot be made"),
    (["iotable", "--out", "{new}", "--bea", "x", "--by", "sector"], 2, "by should be one of industry, commodity"),
    (["iotable", "--out", "{new}", "--bea", "x", "--sic-weights", ""], 2, "sic weights should be one of equal, output"),
    (["iotable", "--out", "{new}", "--bea", "x", "--draws", "many"], 2, "Invalid value for '--draws'"),
    (["iotable", "--out", "{new}", "--bea", "x", "--draws", "-1"], 2, "--draws -1: should be 0 or more"),
    (["iotable", "--out", "{new}", "--bea", "x", "--seed", "-1"], 2, "--seed -1: should be 0 or more"),
    (["concordance", "--from", "{new}", "--out", "x.csv"], 2, "there is no such file"),
]


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES, ids=[" ".join(words) for words, *_ in MISTAKES])
def test_a_mistake_is_told_and_nothing_is_computed(
    words: list[str], code: int, message: str, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    places = {"file": str(tmp_path / "file"), "new": str(tmp_path / "new")}
    result = run(*(word.format(**places) for word in words), code=code)
    assert message.format(**places) in result.stderr
    assert result.stdout == ""
    assert not asked
    assert not (tmp_path / "new").exists()


def test_an_interrupt_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_args: object, **_given: object) -> Told:
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "build", interrupted)
    result = run("iotable", "--out", tmp_path, code=130)
    assert "interrupted: no result was left half-written" in result.stderr


# --- what is shipped ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder with the shipped tables as the command writes them, and what it shows."""
    folder = tmp_path_factory.mktemp("iotable")
    return folder, run("iotable", "--out", folder, "--no-figures").stdout


def test_the_shipped_tables_are_written_as_they_are(served: tuple[Path, str]) -> None:
    folder, _ = served
    shipped = {file.name: file for file in outputs.COMPUTED.iterdir() if file.suffix in (".csv", ".json")}
    assert {"total_requirements.csv", "sensitivity.csv", "balance.json"} <= set(shipped)
    for name, file in shipped.items():
        assert (folder / name).read_bytes() == file.read_bytes(), name


def test_the_screen_says_files_balances_and_what_is_unverified(served: tuple[Path, str]) -> None:
    folder, shown = served
    for file in folder.iterdir():
        assert file.name in shown
    assert "As shipped" in shown
    assert "Balance: " in shown
    assert UNVERIFIED in shown
    first = (folder / "total_requirements.csv").read_text(encoding="utf-8").splitlines()[1].partition(",")[0]
    assert f"  {first}  " in shown


@pytest.mark.parametrize("moment", [2, 3, 7])
def test_a_run_that_is_stopped_leaves_whole_files_only(
    moment: int, served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count(1)
    onto_disk = os.fsync

    def stopped(descriptor: int) -> None:
        if next(calls) == moment:  # each file is put onto the disk, and then its name
            raise KeyboardInterrupt
        onto_disk(descriptor)

    monkeypatch.setattr(os, "fsync", stopped)
    run("iotable", "--out", tmp_path, "--no-figures", code=130)
    there = list(tmp_path.iterdir())
    assert there
    for file in there:
        assert file.read_bytes() == (served[0] / file.name).read_bytes()


# --- as a program ---------------------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy() -> None:
    """But for pydantic, by which newer typers read options themselves."""
    code = (
        "import sys; sys.argv = ['reesim.empirics', 'iotable', '--help']\nfrom reesim.empirics.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pandas', 'h5py', 'matplotlib', 'scipy', 'networkx', 'pyfixest'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_module_is_a_program() -> None:
    command = [sys.executable, "-m", "reesim.empirics", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == f"reesim {reesim.__version__}\n"


# --- from raw tables ------------------------------------------------------------------------------------------------


def raw(folder: str) -> Path:
    if "REESIM_SHARED_DATA" not in os.environ:
        pytest.skip("REESIM_SHARED_DATA is not set")
    return Path(os.environ["REESIM_SHARED_DATA"]) / folder


@pytest.mark.shared
def test_the_shipped_concordance_is_what_the_code_lists_give(tmp_path: Path) -> None:
    result = run("concordance", "--from", raw("concordance"), "--out", tmp_path / "links.csv")
    assert result.stdout == f"written: {tmp_path / 'links.csv'}\n"
    shipped = Path(reesim.empirics.__file__).parent / "data" / "sic_bea.csv"
    assert (tmp_path / "links.csv").read_bytes() == shipped.read_bytes()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prices", "1999"], "no price vintage '1999'; known: "),
        (["--us-share", "none"], "no variant of the shares 'none'; known: "),
        (["--inputs", "nowhere"], "nowhere: there is no such folder of input tables"),
        (["--origin", "domestic"], "before"),
    ],
)
def test_what_the_tables_do_not_have_is_told(words: list[str], message: str, tmp_path: Path) -> None:
    result = run("iotable", "--bea", raw("bea2012"), "--out", tmp_path, "--no-figures", *words, code=2)
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_without_the_tables_is_told(tmp_path: Path) -> None:
    result = run("iotable", "--bea", tmp_path, "--out", tmp_path / "new", "--no-figures", code=2)
    assert f"{tmp_path / 'Detail_Make_2012_AfterRedef_12sch.csv'}: there is no such file" in result.stderr
