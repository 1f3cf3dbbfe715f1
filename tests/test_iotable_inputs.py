"""Input tables of a material: what is read, what is refused and where, what is unverified, and draws from it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from small_supply_use import INPUTS, write_inputs

from reesim.data.facts import UNVERIFIED
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.inputs import RARE_EARTHS, STATUSES, read_inputs
from reesim.empirics.iotable.material import KG_PER_TONNE, Cell, Selection
from reesim.empirics.iotable.uncertainty import read_uncertainty
from reesim.errors import DataError


def selected(folder: Path, **choices: str) -> Selection:
    return read_inputs(folder).choose(Choices().changed(**choices))


def inputs_of(cell: Cell) -> tuple[str, str]:
    return cell.table, cell.status


# --- what is read -----------------------------------------------------------------------------------------------------


def test_spending_by_hand(tmp_path: Path) -> None:
    """Magnets: 4,000 t of Dy at 10 and 1,000 t of La at 1 to 3 USD a kg, of which half; glass: 90,000 t of La, a quarter."""
    found = selected(write_inputs(tmp_path))
    assert found.elements == ("La", "Dy")
    assert found.applications == ("magnets", "glass")
    np.testing.assert_array_equal(found.value_ea, [[1e6, 45e6], [20e6, 0.0]])
    np.testing.assert_array_equal(found.score_e, [75.0, 100.0])
    every = selected(tmp_path, applications="all", prices="2011-12")
    assert every.applications == ("magnets", "glass", "lamps")
    # Dearer: La 5, Dy between 20 and 30; lamps take 500 t of La, a tenth of it here.
    np.testing.assert_array_equal(every.value_ea, [[2.5e6, 112.5e6, 0.25e6], [50e6, 0.0, 0.0]])


def test_what_is_unverified_is_counted_and_named(tmp_path: Path) -> None:
    found = selected(write_inputs(tmp_path))
    assert {inputs_of(cell) for cell in found.unverified} == {
        ("tonnes.csv", "M"), ("us_share.csv", "M"), ("complementarity.csv", "M"),
    }  # fmt: skip
    # Two prices, two shares, three numbers of tonnes and two scores; from memory two tonnes, a share and both scores.
    assert len(found.cells) == 9
    assert found.summary() == f"5 of 9 input numbers are {UNVERIFIED} (complementarity.csv, tonnes.csv, us_share.csv)"
    assert "prices.csv" in selected(tmp_path, prices="2011-12").summary()
    known = {name: text.replace(",M,", ",D,") for name, text in INPUTS.items() if name != "uncertainty"}
    assert (
        selected(write_inputs(tmp_path / "known", **known)).summary()
        == "all 9 input numbers have a source that was read"
    )


def test_uses_products_and_donors_in_order(tmp_path: Path) -> None:
    found = read_inputs(write_inputs(tmp_path))
    assert found.uses["glass"] == {"K2": None, "K3": None}
    assert found.uses["magnets"] == {"K1": 1.0}
    (product,) = found.products
    assert (product.code, product.industry, product.sic, product.users) == (
        "magnets",
        "K1",
        "3499",
        {"K3": 0.5, "K2": 1.0},
    )
    assert [donor.reason for donor in found.donors] == ["the first", "the second", "the only", "the only"]
    assert found.vintages == ("2012-12", "2011-12")
    assert found.variants == ("usgs",)


def test_other_elements_in_a_source_are_left_out(tmp_path: Path) -> None:
    more = {
        "prices": INPUTS["prices"] + "2012-12,Eu,3,4,V,a book\n",
        "complementarity": INPUTS["complementarity"] + "Eu,100,75,M,memory\n",
    }
    plain, found = selected(write_inputs(tmp_path / "a")), selected(write_inputs(tmp_path / "b", **more))
    np.testing.assert_array_equal(found.value_ea, plain.value_ea)
    assert len(found.cells) == len(plain.cells)


def test_rows_from_memory_in_tables_without_numbers_are_told(tmp_path: Path) -> None:
    text = INPUTS["uses"].replace(",A,", ",M,")
    found = selected(write_inputs(tmp_path / "guessed", uses=text))
    assert "4 rows of uses.csv are unverified" in found.summary()
    assert "uses.csv" not in selected(write_inputs(tmp_path / "plain")).summary()


@pytest.mark.parametrize(
    ("us_share", "prices"), [("usgs", "2012-12"), ("uniform", "2011-09-16 ex works"), ("world", "2007")]
)
def test_shipped_spending_is_tonnes_times_share_times_price(us_share: str, prices: str) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (RARE_EARTHS / name).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    found = selected(RARE_EARTHS, us_share=us_share, prices=prices, applications="all")
    tonnes = {(row["application"], row["element"]): float(row["tonnes"]) for row in rows("tonnes.csv")}
    share = {row["application"]: float(row["share"]) for row in rows("us_share.csv") if row["variant"] == us_share}
    price = {
        row["element"]: (float(row["usd_per_kg_low"]) + float(row["usd_per_kg_high"])) / 2.0
        for row in rows("prices.csv") if row["vintage"] == prices
    }  # fmt: skip
    expected = [
        [tonnes.get((a, e), 0.0) * KG_PER_TONNE * share[a] * price[e] for a in found.applications]
        for e in found.elements
    ]
    np.testing.assert_allclose(found.value_ea, expected, rtol=1e-15)
    assert found.value_ea.sum() > 0.0


def test_shipped_tables_say_of_every_row_how_sure_they_are() -> None:
    """Also of rows that hold no number, but for names and defaults, which are neither true nor false."""
    for file in sorted(RARE_EARTHS.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        if file.stem in ("elements", "applications"):
            continue
        assert rows, file
        assert {row["status"] for row in rows} <= set(STATUSES), file
        assert all(row.get("source") or row.get("reason") for row in rows), file


# --- what is refused --------------------------------------------------------------------------------------------------

LINES = {name: text.splitlines() for name, text in INPUTS.items()}


def altered(name: str, row: int, old: str, new: str) -> str:
    """Text of a table with part of a row, numbered as in a spreadsheet, replaced."""
    lines = list(LINES[name])
    assert old in lines[row - 1]
    lines[row - 1] = lines[row - 1].replace(old, new, 1)
    return "\n".join(lines) + "\n"


FAULTS: list[tuple[str, str, str]] = [
    ("elements", altered("elements", 1, "name", "title"), "row 1: no column name"),
    ("elements", altered("elements", 3, "Dy", "La"), "row 3: La stands there twice"),
    ("elements", altered("elements", 3, "K0", "K1"), "all elements should come out of one commodity, not K0, K1"),
    ("elements", LINES["elements"][0], "all elements should come out of one commodity"),
    ("elements", altered("elements", 2, "lanthanum", ""), "row 2, column 'name': the cell is empty"),
    ("applications", altered("applications", 3, "yes", "maybe"), "row 3, column 'default': 'maybe' should be yes or no"),
    ("applications", altered("applications", 3, "glass", "magnets"), "row 3: magnets stands there twice"),
    ("tonnes", altered("tonnes", 2, "4000", "4,000"), "row 2 has 6 columns, the header 5"),
    ("tonnes", altered("tonnes", 2, "4000", "many"), "row 2, column 'tonnes': 'many' is not a finite number"),
    ("tonnes", altered("tonnes", 2, "4000", "nan"), "row 2, column 'tonnes': 'nan' is not a finite number"),
    ("tonnes", altered("tonnes", 2, "4000", "-1"), "row 2, column 'tonnes': -1 should lie between 0 and inf"),
    ("tonnes", altered("tonnes", 2, ",M,", ",Q,"), "row 2, column 'status': 'Q' should be one of V, D, M, A"),
    ("tonnes", altered("tonnes", 2, "memory", ""), "row 2, column 'source': the cell is empty"),
    ("tonnes", altered("tonnes", 3, "La", "Dy"), "row 3: magnets, Dy stands there twice"),
    ("tonnes", altered("tonnes", 2, "magnets", "magnet"), "unknown application magnet; known: magnets, glass, lamps"),
    ("tonnes", altered("tonnes", 4, "La", "Ln"), "unknown element Ln; known: La, Dy"),
    ("tonnes", "".join(row for row in INPUTS["tonnes"].splitlines(True) if "lamps" not in row), "no tonnes of La, Dy for lamps"),
    ("tonnes", "", "the file is empty"),
    ("us_share", altered("us_share", 2, "0.5", "1.5"), "row 2, column 'share': 1.5 should lie between 0 and 1"),
    ("us_share", altered("us_share", 3, "glass", "magnets"), "row 3: usgs, magnets stands there twice"),
    ("us_share", altered("us_share", 2, "0.5", "0,5"), "row 2 has 6 columns, the header 5"),
    ("prices", altered("prices", 2, "1,3", "3,1"), "2012-12, La: 0 < low <= high should hold"),
    ("prices", altered("prices", 3, "10,10", "0,0"), "2012-12, Dy: 0 < low <= high should hold"),
    ("prices", altered("prices", 3, "10,10", "10,ten"), "row 3, column 'usd_per_kg_high': 'ten' is not a finite number"),
    ("prices", altered("prices", 1, "usd_per_kg_low", "low"), "row 1: no column usd_per_kg_low"),
    ("uses", altered("uses", 2, ",1,", ",0,"), "row 2, column 'weight': 0 should be positive, or the word purchases"),
    ("uses", altered("uses", 2, ",1,", ",some,"), "row 2, column 'weight': 'some' is not a finite number"),
    ("uses", altered("uses", 3, "purchases", "2"), "glass: weights should be all numbers or all the word purchases"),
    ("uses", altered("uses", 4, "K3", "K2"), "row 4: glass, K2 stands there twice"),
    ("uses", altered("uses", 2, "magnets", "toys"), "unknown application toys"),
    ("uses", altered("uses", 2, ",A,", ",B,"), "row 2, column 'status': 'B' should be one of"),
    ("uses", "\n".join(LINES["uses"][:-1]), "nobody buys lamps: give each application an industry"),
    ("products", altered("products", 2, "0.5", "0"), r"row 2, column 'share': 0 should lie in \(0, 1\]"),
    ("products", altered("products", 2, "0.5", "1.01"), r"row 2, column 'share': 1.01 should lie in \(0, 1\]"),
    ("products", altered("products", 3, "K2", "K3"), "row 3: magnets, K3 stands there twice"),
    ("products", altered("products", 3, "K1", "K2"), "a product comes out of one industry, and has one SIC industry"),
    ("products", altered("products", 3, "3499", "3675"), "a product comes out of one industry, and has one SIC industry"),
    ("products", altered("products", 3, "magnets", "motors"), "an industry can be split once"),
    ("products", altered("products", 3, ",A,", ",?,"), "row 3, column 'status'"),
    ("donors", altered("donors", 2, "K3", ""), "row 2, column 'donor_industry': the cell is empty"),
    ("donors", altered("donors", 1, "reason", "because"), "row 1: no column reason"),
    ("complementarity", altered("complementarity", 3, "100", "101"), "row 3, column 'score': 101 should lie between 0 and 100"),
    ("complementarity", altered("complementarity", 2, "75,75", "74,75"), "row 2, column 'score': 74 should lie between 75"),
    ("complementarity", altered("complementarity", 2, "75,75", "75,low"), "row 2, column 'at_least': 'low' is not a finite"),
    ("complementarity", altered("complementarity", 3, "Dy", "Tb"), "no score for Dy"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), FAULTS, ids=[f"{name}: {message}" for name, _, message in FAULTS])
def test_a_table_that_is_wrong_is_told(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as refused:
        read_inputs(write_inputs(tmp_path, **{name: text}))
    assert str(refused.value).startswith(str(tmp_path / f"{name}.csv"))


@pytest.mark.parametrize("name", [name for name in INPUTS if name != "uncertainty"])
def test_a_table_that_is_missing_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{name}\.csv: there is no such file"):
        read_inputs(write_inputs(tmp_path, **{name: None}))


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder of input tables"):
        read_inputs(tmp_path / "cobalt")


def test_what_cannot_be_chosen_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no price vintage '1999'; known: 2012-12, 2011-12"):
        selected(write_inputs(tmp_path), prices="1999")
    with pytest.raises(DataError, match="no variant of the shares 'most'; known: usgs"):
        selected(tmp_path, us_share="most")
    with pytest.raises(DataError, match=r"prices\.csv: nothing for 2011-12, Dy"):
        selected(write_inputs(tmp_path / "b", prices="\n".join(LINES["prices"][:-1])), prices="2011-12")
    with pytest.raises(DataError, match=r"us_share\.csv: nothing for usgs, glass"):
        selected(write_inputs(tmp_path / "c", us_share="\n".join(LINES["us_share"][:2])))
    with pytest.raises(DataError, match="origin should be one of total, domestic, not 'abroad'"):
        Choices(origin="abroad")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="sic weights should be one of equal, output"):
        Choices().changed(sic_weights="")


# --- draws ------------------------------------------------------------------------------------------------------------


def draws(folder: Path, count: int, seed: int = 5, **choices: str) -> tuple[Selection, list[Selection]]:
    base, rules, rng = selected(folder, **choices), read_uncertainty(folder), np.random.default_rng(seed)
    return base, [rules.draw(base, rng) for _ in range(count)]


def test_draws_stay_within_what_is_stated(tmp_path: Path) -> None:
    base, drawn = draws(write_inputs(tmp_path), 400)
    values = np.array([[cell.value for cell in selection.cells] for selection in drawn])
    limits = {
        ("tonnes.csv", "M"): lambda cell: (cell.value / 1.25, cell.value * 1.25),
        ("us_share.csv", "M"): lambda cell: (cell.value / 1.5, cell.value * 1.5),
        ("complementarity.csv", "M"): lambda cell: (max(cell.value - 20.0, cell.low), min(cell.value + 20.0, 100.0)),
        ("prices.csv", "V"): lambda cell: cell.quoted,
    }
    for cell, column in zip(base.cells, values.T, strict=True):
        if inputs_of(cell) not in limits:
            # Verified, or without a rule: it stays what it is.
            assert (column == cell.value).all(), cell
            continue
        low, high = limits[inputs_of(cell)](cell)
        assert low <= column.min() <= column.max() <= high, cell
        if low < high:
            # 400 uniform draws leave a tenth at an end empty with probability 0.9^400, one in 10^18.
            ends = np.log([low, high]) if "factor" in rule_of(cell) else np.array([low, high])
            places = np.log(column) if "factor" in rule_of(cell) else column
            assert places.min() < ends @ [0.9, 0.1] < ends @ [0.1, 0.9] < places.max(), cell
    # La stands at its bound of 75, above which it may be; Dy is at the top, under which it may be. Neither piles up there.
    at = {
        cell.key[0]: column
        for cell, column in zip(base.cells, values.T, strict=True)
        if cell.table == "complementarity.csv"
    }
    assert (at["La"] > 75.0).all()
    assert (at["Dy"] < 100.0).all()


def rule_of(cell: Cell) -> str:
    return next(line for line in LINES["uncertainty"] if line.startswith(f"{cell.table},{cell.status},"))


def test_draws_are_reproducible_and_differ(tmp_path: Path) -> None:
    folder = write_inputs(tmp_path)
    first, again, other = (draws(folder, 3, seed)[1] for seed in (5, 5, 6))
    assert [selection.cells for selection in first] == [selection.cells for selection in again]
    assert first[0].cells != first[1].cells
    assert first[0].cells != other[0].cells


def test_a_share_is_never_above_one(tmp_path: Path) -> None:
    folder = write_inputs(tmp_path, us_share=INPUTS["us_share"].replace("0.5", "0.99"))
    base, drawn = draws(folder, 100)
    place = base.applications.index("magnets")
    shares = np.array([selection.share_a[place] for selection in drawn])
    assert shares.max() == 1.0
    assert shares.min() < 0.8


def test_only_numbers_are_drawn_and_everything_else_stays(tmp_path: Path) -> None:
    base, (drawn,) = draws(write_inputs(tmp_path), 1)
    assert (drawn.elements, drawn.applications, drawn.inputs) == (base.elements, base.applications, base.inputs)
    for before, after in zip(base.cells, drawn.cells, strict=True):
        assert (before.table, before.key, before.status, before.source) == (
            after.table,
            after.key,
            after.status,
            after.source,
        )
    # Tonnes of nothing stay nothing.
    np.testing.assert_array_equal(drawn.value_ea == 0.0, base.value_ea == 0.0)


def test_without_rules_nothing_is_drawn(tmp_path: Path) -> None:
    base, drawn = draws(write_inputs(tmp_path, uncertainty=LINES["uncertainty"][0]), 2)
    assert [selection.cells for selection in drawn] == [base.cells, base.cells]


@pytest.mark.parametrize(
    ("row", "old", "new", "message"),
    [
        (2, "tonnes.csv", "tonne.csv", "row 2, column 'table': 'tonne.csv' should be one of tonnes.csv, us_share.csv"),
        (2, ",M,", ",m,", "row 2, column 'status': 'm' should be one of V, D, M, A"),
        (2, "factor", "ratio", "row 2, column 'rule': 'ratio' should be one of factor, span, range"),
        (2, "1.25", "0.8", "row 2, column 'size': 0.8 is too small for rule factor"),
        (4, "20", "-1", "row 4, column 'size': -1 is too small for rule span"),
        (4, "20", "wide", "row 4, column 'size': 'wide' is not a finite number"),
        (3, "us_share.csv", "tonnes.csv", "row 3: tonnes.csv, M stands there twice"),
        (2, "factor", "range", "row 2, column 'rule': only prices.csv quotes a low and a high"),
        (2, "recalled", "", "row 2, column 'reason': the cell is empty"),
    ],
)
def test_a_rule_that_is_wrong_is_told(row: int, old: str, new: str, message: str, tmp_path: Path) -> None:
    write_inputs(tmp_path, uncertainty=altered("uncertainty", row, old, new))
    with pytest.raises(DataError, match=message) as refused:
        read_uncertainty(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "uncertainty.csv"))


def test_rules_are_told_in_words(tmp_path: Path) -> None:
    lines = read_uncertainty(write_inputs(tmp_path)).lines()
    assert (
        lines[0] == "tonnes.csv, status M: between 1/1.25 and 1.25 times the number, uniform in logarithms (recalled)"
    )
    assert lines[-1] == "prices.csv, status V: between the quoted low and high, uniform (quoted)"
    assert len(lines) == len(LINES["uncertainty"]) - 1
    assert {line.split(",")[0] for line in read_uncertainty(RARE_EARTHS).lines()} == {
        "tonnes.csv", "us_share.csv", "complementarity.csv", "prices.csv",
    }  # fmt: skip
