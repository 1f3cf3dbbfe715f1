"""The manual of the extended table says what the tables say, and its second material runs as printed."""

from __future__ import annotations

import functools
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reesim.data.csvfiles import read_rows
from reesim.empirics import iotable
from reesim.empirics.iotable.inputs import RARE_EARTHS
from reesim.empirics.iotable.outputs import compute
from reesim.empirics.iotable.robustness import gaps
from reesim.empirics.iotable.sensitivity import deck_requirements
from reesim.empirics.iotable.study import with_sum
from reesim.empirics.iotable.uncertainty import read_uncertainty
from reesim.errors import DataError

ROOT = Path(__file__).parents[1]
GALLIUM = ROOT / "examples" / "gallium"
CHOICES = iotable.Choices(prices="2012", us_share="example")
MANUAL = (ROOT / "docs" / "iotable.md").read_text(encoding="utf-8")
NAMES = tuple(file.name for file in sorted(GALLIUM.glob("*.csv")))


def rows_of_manual(first: str) -> list[list[str]]:
    """Cells of the table of the manual whose header begins so."""
    lines = MANUAL.partition(f"\n| {first} |")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    assert rows
    return rows


def block(language: str, containing: str) -> str:
    (found,) = (text for text in re.findall(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL) if containing in text)
    return found


class TestFolder:
    def test_it_is_read(self):
        inputs = iotable.read_inputs(GALLIUM)
        assert inputs.elements == {"Ga": "gallium"}
        for prices in inputs.vintages:
            for share in inputs.variants:
                chosen = inputs.choose(replace(CHOICES, prices=prices, us_share=share))
                assert (chosen.value_ea > 0.0).all()
        assert read_uncertainty(GALLIUM).rules

    def test_it_has_a_table_of_each_kind(self):
        assert set(NAMES) == {file.name for file in RARE_EARTHS.glob("*.csv")}

    @pytest.mark.parametrize("name", [name for name in NAMES if name not in ("elements.csv", "applications.csv")])
    def test_every_row_calls_itself_illustrative(self, name):
        header, *rows = read_rows(GALLIUM / name)
        where = next(header.index(column) for column in ("source", "reason") if column in header)
        assert rows
        assert all(row[where].startswith("illustrative") for row in rows)
        if name != "uncertainty.csv":
            assert {row[header.index("status")] for row in rows} <= {"A", "M"}

    def test_nothing_need_be_split_off_or_moved(self, tmp_path):
        folder = shutil.copytree(GALLIUM, tmp_path / "gallium")
        for name in ("products.csv", "donors.csv"):
            file = folder / name
            file.write_text(file.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
        inputs = iotable.read_inputs(folder)
        assert inputs.products == ()
        assert inputs.donors == ()

    def test_defaults_of_rare_earths_are_refused_with_what_there_is(self):
        with pytest.raises(DataError, match="known: 2012, doubled"):
            iotable.read_inputs(GALLIUM).choose(iotable.Choices())


class TestWhatIsSaidOfInputs:
    """Numbers from memory and numbers that were assumed are told apart, and none passes for one that was read."""

    def test_both(self):
        said = iotable.read_inputs(GALLIUM).choose(CHOICES).summary()
        tables = "complementarity.csv, prices.csv, tonnes.csv"
        assert said == f"3 of 8 input numbers are unverified (us_share.csv), 5 are assumed ({tables})"

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            ("A", "8 of 8 input numbers are assumed (complementarity.csv, prices.csv, tonnes.csv, us_share.csv)"),
            ("M", "8 of 8 input numbers are unverified (complementarity.csv, prices.csv, tonnes.csv, us_share.csv)"),
            ("D", "all 8 input numbers have a source that was read"),
        ],
    )
    def test_one_kind(self, status, said):
        chosen = iotable.read_inputs(GALLIUM).choose(CHOICES)
        cells = tuple(replace(cell, status=status) for cell in chosen.cells)
        assert chosen.with_values(cells).summary() == said


class TestManual:
    def test_requirements_beside_the_slides(self):
        frame = iotable.shipped()["beside_deck"].query("element == 'All'").set_index("sic")
        rows = rows_of_manual("SIC")
        assert [row[0] for row in rows] == list(frame.index)
        for sic, _, ours, theirs, ratio in rows:
            cell = frame.loc[sic]
            assert ours == f"{1000 * cell['ours']:.2f}"
            assert theirs == f"{1000 * cell['theirs']:.2f}"
            assert ratio == f"{cell['ratio']:.2f}"

    def test_spread(self):
        frame = iotable.shipped()["moments"]
        frame = frame[(frame["requirements"] == "USD per USD") & (frame["complementarity"] == "0 to 100")]
        for sample, trimming, weights, n, sd, ratio in rows_of_manual("sample"):
            (row,) = frame[
                (frame["sample"] == sample) & (frame["trimming"] == trimming) & (frame["weighting"] == weights)
            ].itertuples()
            assert int(n) == row.n
            # As many digits as are printed; half a unit in the last of three or two.
            assert float(sd) == pytest.approx(row.sd, rel=0.005)
            assert float(ratio) == pytest.approx(row.ratio, rel=0.01)

    def test_rank_correlations(self):
        frame = iotable.shipped()["rankings"]
        found = {row[0].strip("`-").replace("-", "_"): row[-1] for row in rows_of_manual("option")}
        for choice, said in found.items():
            if choice in set(frame["choice"]):
                built = frame[(frame["choice"] == choice) & frame["spearman"].notna()]
                (rank,) = re.findall(r"rank (\d\.\d+)", said)
                assert rank == f"{built['spearman'].min():.3f}"

    def test_levels_by_prices_and_shares(self):
        frame = iotable.shipped()["knobs"].dropna(subset=["level"])
        usgs, uniform = (frame[frame["us_share"] == name] for name in ("usgs", "uniform"))
        prices, shares = (row[-1] for row in rows_of_manual("option")[:2])
        assert prices.startswith(f"{usgs['level'].min():.2f} to {usgs['level'].max():.2f} ")
        default = frame[frame["prices"] == "2012-12"].set_index("us_share")["level"]
        assert f"level {default['uniform']:.2f} in place of {default['usgs']:.2f}" in shares
        nearest = usgs.loc[(np.log(usgs["level"])).abs().idxmin()]
        assert nearest["prices"] == "2013-12"
        assert f"slides' level ({nearest['level']:.2f})" in " ".join(MANUAL.split())
        assert f"2009 gives {uniform.set_index('prices')['level']['2009']:.2f}" in MANUAL
        assert frame["spread"].min() > 0.57

    def test_transfers(self):
        moves = iotable.shipped().balance["transfers"]
        rows = rows_of_manual("to")
        assert [(row[0], row[1].split()[0]) for row in rows] == [
            (move["receiver"], f"{move['amount_usd'] / 1e6:.1f}") for move in moves
        ]

    def test_files_that_are_written(self):
        named = {name for row in rows_of_manual("file") for name in re.findall(r"`(\w+\.\w+)`", row[0])}
        tables = {f"{name}.csv" for name in iotable.shipped().frames}
        drawn = {f"{name}.png" for name in ("requirements", "applications", "beside_deck", "ranks")}
        assert named == tables | drawn | {"ree_requirements.csv", "balance.json"}

    def test_columns_of_input_tables(self):
        text = MANUAL.partition("## Another material")[2]
        described = re.findall(r"\n\| `(\w+\.csv)` \| `([\w, ]+)` \|", text)
        assert {name for name, _ in described} == set(NAMES)
        for name, columns in described:
            for folder in (GALLIUM, RARE_EARTHS):
                header = read_rows(folder / name)[0]
                assert [column for column in header if column in columns.split(", ")] == columns.split(", ")

    def test_pictures_are_there(self):
        pictures = re.findall(r"!\[[^]]+\]\((\S+\.png)\)", MANUAL)
        assert len(pictures) == 4
        assert all((ROOT / "docs" / picture).is_file() for picture in pictures)


@pytest.fixture(scope="module")
def raw():
    if "REESIM_SHARED_DATA" not in os.environ:
        pytest.skip("REESIM_SHARED_DATA does not name the folder of the raw tables")
    return Path(os.environ["REESIM_SHARED_DATA"])


@pytest.fixture(scope="module")
def benchmark(raw):
    return functools.cache(lambda variant: iotable.read(raw / "bea2012", variant))


@pytest.mark.shared
class TestGallium:
    def test_it_runs_as_printed(self, raw):
        tables = compute(raw / "bea2012", CHOICES, GALLIUM, draws=0, seed=0)
        lines = iotable.Report(tables, (), True).lines()
        printed = block("text", "5 are assumed").splitlines()
        assert printed == lines[: len(printed)]
        assert set(tables.balance["gaps_usd"].values()) == {0.0}
        assert not {"beside_deck", "knobs", "implied_by_deck", "moments"} & set(tables.frames)

    @pytest.mark.parametrize("split", [True, False])
    def test_what_final_demand_needs_is_what_is_bought(self, benchmark, split):
        inputs = iotable.read_inputs(GALLIUM)
        inputs = inputs if split else replace(inputs, products=())
        extended = iotable.extend(benchmark("after"), inputs.choose(CHOICES))
        table = extended.table
        # The original is rounded to millions: final demand is taken as what is left of output, so that sides agree.
        final = table.commodity_output_c - table.use_ci.sum(axis=1)
        by_commodity = extended.requirements(iotable.leontief(table, scrap="commodity"), "commodity")
        bought = extended.purchases_eai.sum(axis=(0, 2))
        # Rounding of a solve with 400 unknowns, 1e-16 times its condition of some hundreds.
        np.testing.assert_allclose((by_commodity @ final).sum(axis=0), bought, rtol=1e-11)
        assert max(extended.gaps().values()) == 0.0

    def test_users_of_devices_lead_and_the_split_is_why(self, benchmark):
        inputs, links = iotable.read_inputs(GALLIUM), iotable.read_links()
        with_split, without = (
            iotable.Study.of(benchmark, given, links, CHOICES).baseline.industries()["Ga"]
            for given in (inputs, replace(inputs, products=()))
        )
        users = [user for product in inputs.products for user in product.users]
        assert (with_split[users] > without[users]).all()
        # Computers buy chips but, as assumed, no devices with gallium.
        assert with_split["334111"] < without["334111"]


@pytest.mark.shared
class TestManualOnTheRealTable:
    def test_its_python_runs(self, raw, monkeypatch):
        monkeypatch.chdir(raw)
        found = {}
        exec(compile(block("python", "shipped()"), "iotable.md", "exec"), found)
        assert found["by_industry"].shape[:2] == (5, 5)

    def test_levels_of_the_other_choices(self, benchmark):
        study = iotable.Study.of(benchmark, iotable.read_inputs(), iotable.read_links(), iotable.Choices())
        said = {row[0].strip("`-").replace("-", "_"): row[-1] for row in rows_of_manual("option")}
        theirs, seen = deck_requirements(), set()
        for name, value, choices in study.variants():
            if name in ("prices", "us_share"):
                continue
            level = gaps({value: with_sum(study.under(choices).sic())}, theirs)["level"].iloc[0]
            assert f"level {level:.2f}" in said[name], name
            seen.add(name)
        assert seen == {"sic_weights", "by", "scrap", "redefinitions", "applications", "origin"}
