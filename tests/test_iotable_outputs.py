"""What the extended table is written as: shipped tables that agree with each other and with what is computed, and the report."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_supply_use import write_inputs

from reesim.data.facts import UNVERIFIED, load_ree_requirements
from reesim.empirics.files import FEWER_DIGITS, as_csv
from reesim.empirics.iotable import outputs
from reesim.empirics.iotable.bea import SupplyUse, read
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.concordance import LINKS, SECTORS, read_links
from reesim.empirics.iotable.extension import extend
from reesim.empirics.iotable.inputs import RARE_EARTHS, read_inputs
from reesim.empirics.iotable.outputs import Report, Tables
from reesim.empirics.iotable.study import Study
from reesim.errors import DataError

ELEMENTS = ["Ce", "La", "Nd", "Pr", "Dy"]
PRINTED = 2e-5
"""Numbers are printed to six digits: each is off by 5e-6 of itself at most, and what is made of two by somewhat more."""

RAW = os.environ.get("REESIM_SHARED_DATA", "")
shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not RAW, reason="REESIM_SHARED_DATA does not name the raw tables"),
]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return outputs.shipped()


# --- the shipped tables agree with each other, so none is left from another build -----------------------------------------


def test_sums_over_elements(tables: Tables) -> None:
    for name in ("total_requirements", "industries", "products"):
        frame = tables[name]
        np.testing.assert_allclose(frame["All"], frame[ELEMENTS].sum(axis=1), rtol=PRINTED)
    sectors = tables["sectors"]
    np.testing.assert_allclose(sectors["total"], sectors[ELEMENTS].sum(axis=1), rtol=PRINTED)
    industries = tables["industries"].set_index("industry")
    assert (industries["All"] >= industries["direct"] * (1.0 - PRINTED)).all()


def test_applications_add_up_to_elements(tables: Tables) -> None:
    applications = tables["applications"].set_index("industry")
    assert list(applications.columns[1:]) == list(tables.balance["applications_usd"])
    expected = tables["industries"].set_index("industry")["All"]
    np.testing.assert_allclose(applications.drop(columns="name").sum(axis=1), expected, rtol=PRINTED)


def test_what_industries_buy_is_what_is_spent(tables: Tables) -> None:
    industries, balance = tables["industries"], tables.balance
    spent = sum(balance["elements_usd"].values())
    assert (industries["direct"] * industries["output_usd"]).sum() == pytest.approx(spent, rel=PRINTED)
    # Element by element and application by application dollars are whole; both are printed to six digits.
    assert sum(balance["applications_usd"].values()) == pytest.approx(spent, rel=PRINTED)


def test_spending_is_that_of_the_inputs(tables: Tables) -> None:
    chosen = read_inputs().choose(Choices())
    value = pd.DataFrame(chosen.value_ea, index=list(chosen.elements), columns=list(chosen.applications))
    assert tables.balance["elements_usd"] == pytest.approx(value.sum(axis=1).to_dict(), rel=PRINTED)
    assert tables.balance["applications_usd"] == pytest.approx(value.sum(axis=0).to_dict(), rel=PRINTED)
    assert tables.balance["inputs"] == chosen.summary()
    assert tables.balance["choices"] == Choices().as_dict()
    shown = tables["inputs"]
    assert list(zip(shown["table"], shown["key"], shown["status"], strict=True)) == [
        (cell.table, ", ".join(cell.key), cell.status) for cell in chosen.cells
    ]
    np.testing.assert_allclose(shown["number"], [cell.value for cell in chosen.cells], rtol=PRINTED)
    assert list(shown["flag"]) == ["" if cell.verified else UNVERIFIED for cell in chosen.cells]
    assert UNVERIFIED in set(shown["flag"])


def test_sic_industries_are_means_of_benchmark_industries(tables: Tables) -> None:
    """Batteries are one industry; engines and cooling two each; 3499 is the mean of seven codes, of which one makes magnets."""
    ours = tables["total_requirements"].set_index("sic")[ELEMENTS] / 1000.0
    units = tables["industries"].set_index("industry")[ELEMENTS]
    for sic, codes in (("3691", ["335911"]), ("3519", ["333618", "336390"]), ("3585", ["333415", "336390"])):
        np.testing.assert_allclose(ours.loc[sic], units.loc[codes].mean(), rtol=PRINTED)
    links = pd.DataFrame(rows(LINKS))
    mine = links[links["sic"] == "3499"]
    magnets = tables["products"].set_index("product").loc["magnets", ELEMENTS].astype(float)
    made = tables.balance["products"]["magnets"]["output_usd"]
    output = float(tables["industries"].set_index("industry").loc["332999", "output_usd"])
    # 332999 is the mean of magnets and of the rest by output.
    rest = (units.loc["332999"] * output - magnets * made) / (output - made)
    part = float(mine.loc[mine["bea"] == "332999", "output_share"].iloc[0]) * (output - made)
    own = (magnets * made + rest * part) / (made + part)
    others = units.loc[mine.loc[mine["bea"] != "332999", "bea"]].sum()
    # The rest is a difference of numbers three times as large.
    np.testing.assert_allclose(
        ours.loc["3499"], (own + others) / mine["share"].astype(float).sum(), rtol=10.0 * PRINTED
    )


def test_sensitivity_is_scores_times_requirements(tables: Tables) -> None:
    score = {row["element"]: float(row["score"]) for row in rows(RARE_EARTHS / "complementarity.csv")}
    weights = np.array([score[element] for element in ELEMENTS])
    for name, key, unit in (("total_requirements", "sic", 1000.0), ("industries", "industry", 1.0)):
        expected = pd.Series(tables[name][ELEMENTS].to_numpy() @ weights / unit, index=tables[name][key])
        shown = tables["sensitivity" if key == "sic" else name].set_index(key)["sensitivity"]
        np.testing.assert_allclose(shown.loc[expected.index], expected, rtol=PRINTED)
    sectors = tables["sectors"]
    np.testing.assert_allclose(sectors["sensitivity"], sectors[ELEMENTS].to_numpy() @ weights, rtol=PRINTED)


def test_ranks_and_intervals(tables: Tables) -> None:
    frame = tables["sensitivity"]
    assert frame["sensitivity"].is_monotonic_decreasing
    assert frame["rank"].is_monotonic_increasing
    assert frame["rank"].sum() == pytest.approx(len(frame) * (len(frame) + 1) / 2)
    assert (frame["low"] <= frame["median"]).all()
    assert (frame["median"] <= frame["high"]).all()
    assert (frame["rank_low"] <= frame["rank_high"]).all()
    # The interval is of uncertain numbers around the one shown: nine in ten times it holds it, here always.
    assert (frame["sensitivity"].between(frame["low"], frame["high"])).mean() > 0.99
    assert tables.balance["draws"] == outputs.DRAWS
    assert tables.balance["seed"] == outputs.SEED


def test_sectors_are_means_by_output(tables: Tables) -> None:
    prefixes = {row["prefix"]: row["sector"] for row in rows(SECTORS)}
    sums: dict[str, np.ndarray] = {}
    for _, row in tables["industries"].iterrows():
        code = row["industry"]
        longest = max((prefix for prefix in prefixes if code.startswith(prefix)), key=len)
        number = np.array([row["output_usd"], *(row["output_usd"] * row[column] for column in ("All", "direct"))])
        sums[prefixes[longest]] = sums.get(prefixes[longest], np.zeros(3)) + number
    sectors = tables["sectors"].set_index("sector")
    assert set(sectors.index) == set(sums)
    for sector, (output, total, direct) in sums.items():
        assert sectors.loc[sector, "total"] == pytest.approx(total / output, rel=PRINTED)
        assert sectors.loc[sector, "direct"] == pytest.approx(direct / output, rel=PRINTED)


def test_what_the_model_reads_is_the_table_of_sectors(tables: Tables) -> None:
    model, sectors = load_ree_requirements().set_index("sector"), tables["sectors"].set_index("sector")
    assert list(model.index) == list(sectors.index)
    for sector, row in model.iterrows():
        idle = sector in ("AGR", "SER")
        assert (row["total"], row["direct"]) == (
            (0.0, 0.0) if idle else (sectors.loc[sector, "total"], sectors.loc[sector, "direct"])
        )
        assert row["flag"] == ("" if idle else UNVERIFIED)
    written = as_csv(outputs.sector_requirements(tables), FEWER_DIGITS)
    assert written == outputs.MODEL.read_bytes()


def test_tables_come_back_as_they_were_written(tables: Tables) -> None:
    assert set(tables.frames) == {file.stem for file in outputs.COMPUTED.glob("*.csv")}
    for name, frame in tables.frames.items():
        assert as_csv(frame, FEWER_DIGITS) == (outputs.COMPUTED / f"{name}.csv").read_bytes(), name
    assert outputs.as_json(tables.balance) == (outputs.COMPUTED / "balance.json").read_bytes()


def test_the_balance_is_strict_json_and_balances() -> None:
    def refused(word: str) -> None:
        raise AssertionError(word)

    text = (outputs.COMPUTED / "balance.json").read_text(encoding="utf-8")
    balance = json.loads(text, parse_constant=refused)
    assert balance["gaps_usd"]
    assert set(balance["gaps_usd"].values()) == {0}
    assert {move["receiver"] for move in balance["transfers"]} == {"332999", "336390"}
    assert all(move["amount_usd"] > 0 and move["reason"] for move in balance["transfers"])


@pytest.mark.parametrize("name", ["total_requirements", "sectors", "sensitivity", "industries", "balance"])
def test_shipped_tables_that_are_damaged_are_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in outputs.COMPUTED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(outputs, "COMPUTED", tmp_path)
    outputs.shipped()
    (damaged,) = tmp_path.glob(f"{name}.*")
    damaged.write_text("{", encoding="utf-8")
    if damaged.suffix == ".json":
        with pytest.raises(DataError, match=r"balance\.json: it cannot be read"):
            outputs.shipped()
    else:
        damaged.write_text(damaged.name + ",All\n1,many\n", encoding="utf-8")
        with pytest.raises(DataError, match=rf"{name}\.csv: row 2, column .* is not a finite number"):
            outputs.shipped()
    damaged.unlink()
    with pytest.raises(DataError, match=name):
        outputs.shipped()


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_says_choices_balance_moves_inputs_and_files(tables: Tables) -> None:
    lines = Report(tables, (Path("a/one.csv"), Path("two.json")), computed=False).lines()
    assert lines[0].startswith("As shipped, computed from U.S. Bureau of Economic Analysis")
    assert "prices 2012-12, us share usgs, applications default, sic weights equal." in lines[1]
    assert lines[2] == "Balance: rows, columns and remainders differ from the original by 0 USD at most."
    assert lines[3].startswith("Moved: 72.8 million USD of purchases to 332999 from 331110, against 331110: ")
    assert lines[4].startswith("Moved: 13.4 million USD of purchases to 336390 from 3259A0, against 3259A0: ")
    assert lines[5] == f"Inputs: {tables.balance['inputs']}."
    assert UNVERIFIED in lines[5]
    top = next(number for number, line in enumerate(lines) if line.endswith(", beside the slides'"))
    first = tables["total_requirements"].iloc[0]
    assert lines[top + 1].split()[0] == first["sic"]
    # Ours to the cent of a thousandth, and the slides' beside it.
    assert re.search(rf"{first['All']:.2f} +5\.91$", lines[top + 1])
    assert len(lines[top + 1 : lines.index("", top)]) == 8
    assert any(line.startswith(f"Over {outputs.DRAWS} draws of {UNVERIFIED} inputs") for line in lines)
    assert lines[-1] == "Written: one.csv, two.json"
    assert Report(tables, (), computed=True).lines()[0].startswith("Computed from U.S.")


def test_a_report_without_draws_or_slides_speaks_of_neither(tables: Tables) -> None:
    frames = {name: frame for name, frame in tables.frames.items() if name != "beside_deck"}
    balance = {key: value for key, value in tables.balance.items() if key != "draws"}
    text = "\n".join(Report(Tables(frames, balance), (), computed=True).lines())
    assert "draws" not in text
    assert "slides" not in text


# --- computed from the raw tables -------------------------------------------------------------------------------------


def close(ours: pd.DataFrame, shipped: pd.DataFrame, name: str) -> None:
    """Numbers to the digits that are printed, words as they are."""
    assert list(ours.columns) == list(shipped.columns), name
    assert len(ours) == len(shipped), name
    # Another library of linear algebra may round the last of six digits the other way.
    pd.testing.assert_frame_equal(
        ours.reset_index(drop=True), shipped, rtol=PRINTED, atol=1e-12, check_dtype=False, obj=name
    )


@pytest.fixture(scope="module")
def computed() -> Tables:
    return outputs.compute(Path(RAW) / "bea2012", Choices(), RARE_EARTHS, 0, 0)


@pytest.fixture(scope="module")
def table() -> SupplyUse:
    return read(Path(RAW) / "bea2012")


class TestFromRawTables:
    pytestmark = shared

    def test_computing_gives_what_is_shipped(self, computed: Tables, tables: Tables) -> None:
        """All tables and the balance, but for intervals of the Monte Carlo, whose 500 draws take half a minute."""
        drawn = ("median", "low", "high", "rank_median", "rank_low", "rank_high", "in_top")
        for name, frame in computed.frames.items():
            close(frame.where(frame.notna(), np.nan), tables[name].drop(columns=list(drawn), errors="ignore"), name)
        ours, shipped = ({**each.balance} for each in (computed, tables))
        for key in ("draws", "seed", "spearman_low"):
            shipped.pop(key)
        for kind in (str, float):
            found, expected = (
                {k: v for k, v in flat(each).items() if isinstance(v, str) is (kind is str)} for each in (ours, shipped)
            )
            assert found == (expected if kind is str else pytest.approx(expected, rel=PRINTED))

    def test_some_draws_lie_in_the_intervals_that_are_shipped(self, table: SupplyUse, tables: Tables) -> None:
        """Other draws of the same uncertainty: nine of ten between the ends, industry by industry."""
        study = Study.of(lambda _: table, read_inputs(), read_links(), Choices())
        drawn = study.draws(12, outputs.SEED + 1)
        frame = tables["sensitivity"].set_index("sic").loc[list(drawn.units)]
        inside = (drawn.values_du >= frame["low"].to_numpy()) & (drawn.values_du <= frame["high"].to_numpy())
        # Industries move together, so twelve draws leave much room: six of them outside have a probability of one in a thousand.
        assert 0.5 < inside.mean() < 1.0
        # The first draw of the shipped ones, again, is within what all of them span.
        assert drawn.correlations().min() > 0.9

    @pytest.mark.parametrize(
        "changes", [{"by": "commodity"}, {"sic_weights": "output"}, {"by": "commodity", "sic_weights": "output"}]
    )
    def test_every_choice_builds(
        self, changes: Mapping[str, str], table: SupplyUse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One industry, secondary aluminium, is no commodity: it once kept requirements by commodity from being weighed."""
        monkeypatch.setattr(Study, "rankings", lambda _: pd.DataFrame())
        monkeypatch.setattr(Study, "knobs", lambda _: pd.DataFrame())
        monkeypatch.setattr(outputs, "read", lambda *_: table)
        found = outputs.compute(Path(RAW), Choices().changed(**changes), RARE_EARTHS, 0, 0)
        frame = found["total_requirements"]
        assert len(frame) == 459
        assert (frame["All"] > 0.0).all()
        assert found.balance["choices"] == Choices().as_dict() | dict(changes)
        assert len(found["moments"]) > 0

    def test_another_material(self, table: SupplyUse, tmp_path: Path) -> None:
        """Invented gallium: no slides to stand beside, no product with an industry of its own, and everything still balances."""
        folder = write_inputs(
            tmp_path / "inputs",
            elements="element,name,commodity\nGa,gallium,331410\n",
            applications="application,default\nchips,yes\n",
            tonnes="application,element,tonnes,status,source\nchips,Ga,280,M,invented\n",
            us_share="variant,application,share,status,source\nusgs,chips,0.12,M,invented\n",
            prices="vintage,element,usd_per_kg_low,usd_per_kg_high,status,source\n2012-12,Ga,500,560,M,invented\n",
            uses="application,industry,weight,status,source\nchips,334413,1,A,invented\n",
            products="product,industry,sic,user,share,status,source\n",
            donors="receiver,donor_industry,donor_commodity,status,reason\n334413,331420,331420,A,invented\n",
            complementarity="element,score,at_least,status,source\nGa,63,,M,invented\n",
        )  # fmt: skip
        out = tmp_path / "out"
        out.mkdir()
        report = outputs.build(Path(RAW) / "bea2012", out, inputs=folder, draws=2, figures=False)
        assert "beside_deck" not in report.tables
        assert "slides" not in "\n".join(report.lines())
        assert report.tables["total_requirements"]["All"].iloc[0] > 0.0
        assert report.tables.balance["elements_usd"] == {"Ga": pytest.approx(280 * 1000 * 530 * 0.12, abs=0.5)}
        assert set(report.tables.balance["gaps_usd"].values()) == {0.0}
        assert {file.name for file in out.iterdir()} == {file.name for file in report.files}
        for file in report.files:
            assert file.stat().st_size > 0
        extended = extend(table, read_inputs(folder).choose(Choices()))
        assert extended.element_codes == ("331410.Ga",)


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Leaves of nested tables by their path."""
    if isinstance(value, Mapping):
        return {path: leaf for key, item in value.items() for path, leaf in flat(item, f"{prefix}/{key}").items()}
    if isinstance(value, list):
        return {path: leaf for key, item in enumerate(value) for path, leaf in flat(item, f"{prefix}/{key}").items()}
    return {prefix: value}
