"""Make and Use tables: what the reader refuses, and requirements against a second implementation and by hand."""

from __future__ import annotations

import functools
import gzip
import itertools
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from small_supply_use import NOBODY, USD, draw_table, write_bea

from reesim.empirics.iotable.bea import IMPORTS, ROUNDING, SupplyUse, read, rounding
from reesim.empirics.iotable.requirements import SCRAP, Leontief, leontief
from reesim.errors import DataError

SEEDS = range(6)
SUMMED = 1e-12
"""Relative rounding of sums and small inverses: condition numbers are below ten, numbers of terms below a hundred."""

RAW = os.environ.get("REESIM_SHARED_DATA", "")
shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not RAW, reason="REESIM_SHARED_DATA does not name the raw tables"),
]

MAKE, USE = "Detail_Make_2012_{}Redef_12sch.csv", "Detail_Use_2012_PRO_{}Redef_12sch.csv"
IMPORT = "Detail_Import_2012_BeforeRedef_12sch.csv"


@functools.cache
def raw(variant: str) -> SupplyUse:
    return read(Path(RAW) / "bea2012", variant)  # type: ignore[arg-type]


def same(left: SupplyUse, right: SupplyUse) -> None:
    for name in ("industries", "commodities", "final_codes", "value_codes"):
        assert getattr(left, name) == getattr(right, name)
    for name in ("make_ic", "use_ci", "final_cf", "value_vi", "imports_ci"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["after", "before"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_give_back_the_table_to_the_dollar(variant: str, zipped: bool, tmp_path: Path) -> None:
    table = draw_table(3, imports=variant == "before")
    folder = write_bea(tmp_path, table, variant.capitalize())
    if zipped:
        for file in folder.glob("Detail_*Redef*"):
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    found = read(folder, variant)  # type: ignore[arg-type]
    same(found, table)
    assert found.names["K2"] == "name of K2"
    assert variant in found.title
    assert set(rounding(found).values()) == {0.0}


def test_tenths_of_a_million_are_read_and_totals_may_be_rounded(tmp_path: Path) -> None:
    folder = write_bea(tmp_path, draw_table(0, imports=False))
    first = (folder / USE.format("After")).read_text(encoding="utf-8").splitlines()[1].split(",")
    place = next(number for number, cell in enumerate(first) if number and cell != "0")
    change(folder / USE.format("After"), 1, place, f"{float(first[place]) + 0.1:g}")
    found = read(folder)
    assert rounding(found)["commodities: uses less imports against domestic output"] == 0.1 * USD


def test_a_row_of_zeros_that_is_left_out_is_zero(tmp_path: Path) -> None:
    table = draw_table(2, imports=False, scrap=False)
    assert not table.use_ci[-1].any()
    final = table.final_cf.copy()
    final[-1] = 0.0
    table = table.replace(final_cf=final)
    folder = write_bea(tmp_path, table)
    lines = (folder / USE.format("After")).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(SCRAP)]
    assert len(kept) == len(lines) - 1
    (folder / USE.format("After")).write_text("".join(kept), encoding="utf-8")
    # Its published total is not there either, and is then zero as well.
    same(read(folder), table)


# --- what is refused --------------------------------------------------------------------------------------------------


def change(file: Path, row: int, column: int | None, text: str | None) -> None:
    """Replace a cell, or a whole row where the column is None; leave it out where the text is None."""
    rows = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    if column is None:
        rows[row : row + 1] = [] if text is None else [text.split(",")]
    elif text is None:
        rows[row].pop(column)
    else:
        rows[row][column] = text
    file.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")


def without_column(file: Path, code: str) -> None:
    rows = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    place = rows[0].index(code)
    file.write_text("".join(",".join(row[:place] + row[place + 1 :]) + "\n" for row in rows), encoding="utf-8")


def zipped(file: Path, harm: Callable[[bytes], bytes]) -> None:
    file.with_name(f"{file.name}.gz").write_bytes(harm(gzip.compress(file.read_bytes())))
    file.unlink()


def unlink(file: Path) -> None:
    file.unlink()


def harmed(data: bytes) -> bytes:
    """A compressed file in whose middle bytes have changed: neither its length nor its head tells."""
    middle = len(data) // 2
    return data[:middle] + b"\xff" * 12 + data[middle + 12 :]


Case = tuple[str, str, Callable[[Path], object], str]
FAULTS: list[Case] = [
    ("no make table", MAKE, unlink, "there is no such file, gzipped or not"),
    ("no use table", USE, unlink, "there is no such file, gzipped or not"),
    ("no names", "Detail_IndustryCodeName_2012.csv", unlink, "there is no such file"),
    ("empty", USE, lambda file: file.write_text("", encoding="utf-8"), "cannot be read as comma-separated text"),
    ("another encoding", MAKE, lambda file: file.write_bytes(b"\xe9," + file.read_bytes()), "cannot be read"),
    ("gzip cut off", USE, lambda file: zipped(file, lambda data: data[:-40]), r"\.csv\.gz: it cannot be read"),
    ("gzip damaged", USE, lambda file: zipped(file, harmed), r"\.csv\.gz: it cannot be read"),
    ("gzip by name only", MAKE, lambda file: file.rename(f"{file}.gz"), r"\.csv\.gz: it cannot be read"),
    ("a short row", MAKE, lambda file: change(file, 2, 3, None), "row 3 has 7 columns, the header 8"),
    ("a text", USE, lambda file: change(file, 4, 2, "n.a."), r"row 5, column 'K1': 'n\.a\.' is not a finite number"),
    ("an empty cell", USE, lambda file: change(file, 1, 4, ""), "row 2, column 'K3': '' is not a finite number"),
    ("not a number", MAKE, lambda file: change(file, 1, 1, "nan"), "row 2, column 'K0': 'nan' is not a finite number"),
    ("infinite", MAKE, lambda file: change(file, 1, 1, "1e999"), "row 2, column 'K0': '1e999' is not a finite number"),
    ("a blank line", MAKE, lambda file: change(file, 3, None, ""), "row 4 has 0 columns"),
    ("a row twice", USE, lambda file: file.write_text(file.read_text() + file.read_text().splitlines()[2]),
     "two rows or columns K1"),
    ("a column twice", USE, lambda file: change(file, 0, 2, "K0"), "two rows or columns K0"),
    ("no commodity's row", USE, lambda file: change(file, 2, None, None), "no row or column K1"),
    ("no value added", USE, lambda file: change(file, 8, None, None), "no row or column V00200"),
    ("no industry's column", USE, lambda file: without_column(file, "K2"), "no row or column K2"),
    ("no total", USE, lambda file: without_column(file, "T007"), "no row or column T007"),
    ("no imports", USE, lambda file: without_column(file, IMPORTS), "K0 adds up to .* and its total says"),
    ("a cell of make", MAKE, lambda file: change(file, 3, 3, "1"), "K2 adds up to .* its total says .*: are all files"),
    ("a cell of use", USE, lambda file: change(file, 2, 5, "999999"), "K1 adds up to .* million USD and its total"),
    ("value added", USE, lambda file: change(file, 7, 1, "999999"), "K0 adds up to .* million USD and its total"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "harm", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_folder_that_is_wrong_is_told(
    name: str, harm: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = write_bea(tmp_path, draw_table(1, imports=False))
    read(folder)
    harm(folder / name.format("After"))
    with pytest.raises(DataError, match=message) as refused:
        read(folder)
    assert name.format("After") in str(refused.value)


def test_imports_by_industry_add_up_too(tmp_path: Path) -> None:
    folder = write_bea(tmp_path, draw_table(1), "Before")
    change(folder / IMPORT, 1, 2, "88888")
    with pytest.raises(DataError, match=f"{IMPORT}: K0 adds up to .* and its total says"):
        read(folder, "before")
    (folder / IMPORT).unlink()
    with pytest.raises(DataError, match=f"{IMPORT}: there is no such file"):
        read(folder, "before")


def test_two_variants_mixed_up_are_told(tmp_path: Path) -> None:
    """Redefinitions move output between industries and no commodity's total: each file is sound by itself."""
    table = draw_table(1, imports=False)
    make, value = table.make_ic.copy(), table.value_vi.copy()
    moved = np.array([-300.0, 300.0]) * USD
    make[:2, 0] += moved
    value[-1, :2] += moved
    other = table.replace(make_ic=make, value_vi=value)
    np.testing.assert_array_equal(other.commodity_output_c, table.commodity_output_c)
    read(write_bea(tmp_path / "other", other))
    folder = write_bea(tmp_path / "mixed", table)
    (folder / MAKE.format("After")).write_bytes((tmp_path / "other" / MAKE.format("After")).read_bytes())
    with pytest.raises(DataError, match=r"K\d adds up to .* its total says .* are all files of one release"):
        read(folder)


def test_differences_as_large_as_rounding_are_not_refused(tmp_path: Path) -> None:
    folder = write_bea(tmp_path, draw_table(1, imports=False))
    lines = (folder / MAKE.format("After")).read_text(encoding="utf-8").splitlines()
    total = float(lines[1].split(",")[-1])
    for gap, sound in ((ROUNDING, True), (-ROUNDING, True), (ROUNDING + 1.0, False), (-ROUNDING - 1.0, False)):
        change(folder / MAKE.format("After"), 1, 7, f"{total + gap:g}")
        if sound:
            read(folder)
        else:
            with pytest.raises(DataError, match="K0 adds up to"):
                read(folder)


def test_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="redefinitions should be after or before, not 'sideways'"):
        read(tmp_path, "sideways")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"Detail_Make_2012_AfterRedef_12sch\.csv: there is no such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "file")
    table = draw_table(0)
    with pytest.raises(DataError, match=r"the table has no industry 999$"):
        table.industry("999")
    with pytest.raises(DataError, match=f"no commodity S0040X; near it: {SCRAP}"):
        table.commodity("S0040X")
    assert table.commodities[table.commodity("K2")] == table.industries[table.industry("K2")] == "K2"


@pytest.mark.parametrize(
    ("field", "harm", "message"),
    [
        ("use_ci", lambda array: array[:-1], r"use_ci should have shape \(6, 4\), not \(5, 4\)"),
        ("make_ic", lambda array: array + 0.5, "make_ic should be in whole dollars"),
        ("final_cf", lambda array: array * np.nan, "final_cf holds a number that is not finite"),
        ("imports_ci", lambda array: array.T, "imports_ci should have shape"),
    ],
)
def test_tables_hold_whole_dollars_in_the_shape_of_their_labels(
    field: str, harm: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    table = draw_table(0)
    with pytest.raises(DataError, match=message):
        table.replace(**{field: harm(getattr(table, field))})
    with pytest.raises(ValueError, match="read-only"):
        getattr(table, field)[0, 0] = 1.0


# --- requirements -----------------------------------------------------------------------------------------------------


def by_hand() -> SupplyUse:
    """Three industries that make their commodities; F also makes 100 of scrap out of 1,000, and buys 50 of it.

    ====  ===  ===  ====  ======  =====        ====  ===  ===  ====  =====
    buys    K    F     G   final  total        makes   k    f     g  scrap
    ====  ===  ===  ====  ======  =====        ====  ===  ===  ====  =====
    k       0  200   100     700   1000        K    1000    0     0      0
    f       0    0   400     500    900        F       0  900     0    100
    g       0  100     0    1900   2000        G       0    0  2000      0
    scrap   0   50     0      50    100
    value 1000  650  1500
    ====  ===  ===  ====  ======  =====        ====  ===  ===  ====  =====
    """
    return SupplyUse(
        ("K", "F", "G"), ("K", "F", "G", SCRAP), ("F01000",), ("V00100",),
        make_ic=np.array([[1000, 0, 0, 0], [0, 900, 0, 100], [0, 0, 2000, 0]]),
        use_ci=np.array([[0, 200, 100], [0, 0, 400], [0, 100, 0], [0, 50, 0]]),
        final_cf=np.array([[700], [500], [1900], [50]]), value_vi=np.array([[1000, 650, 1500]]),
    )  # fmt: skip


def test_requirements_by_hand() -> None:
    """Scrap adjusted: a dollar of f calls for 10/9 of F's output. A = W B has A_KF = 1/5, A_KG = 1/20, A_FG = 2/9, A_GF = 1/10.

    A dollar of G: F = 2/9 G, G = 1 + F/10, so G = 1/(1 - 2/90) = 45/44, F = 10/44, K = F/5 + G/20 = 2/44 + 2.25/44.
    A dollar of F: G = F/10, F = 1 + 2/9 G, so F = 45/44, G = 4.5/44, K = 9/44 + 0.225/44.
    """
    found = leontief(by_hand()).industry_by_industry()
    worked = [
        [1, Fraction(9225, 44000), Fraction(4250, 44000)],
        [0, Fraction(45, 44), Fraction(10, 44)],
        [0, Fraction(45, 440), Fraction(45, 44)],
    ]
    np.testing.assert_allclose(found, np.array(worked, dtype=float), rtol=SUMMED, atol=1e-15)
    # Scrap as a product: F buys 0.05 of it per dollar and makes it itself, so F = 1 + 0.2 G + 0.05 F and G = 0.1 F.
    found = leontief(by_hand(), scrap="commodity").industry_by_industry()
    assert found[1, 1] == pytest.approx(1.0 / (1.0 - 0.05 - 0.02), rel=SUMMED)
    assert found[2, 1] == pytest.approx(0.1 / (1.0 - 0.05 - 0.02), rel=SUMMED)


def series(coefficients: np.ndarray) -> np.ndarray:
    """Sum of all powers, by squaring: (I + A)(I + A^2)(I + A^4) and so on."""
    total = np.eye(len(coefficients))
    power = coefficients
    for _ in range(9):
        total = total + total @ power
        power = power @ power
    return total


def systems(seed: int) -> list[Leontief]:
    return [
        leontief(draw_table(seed, imports=True), origin, scrap)  # type: ignore[arg-type]
        for origin, scrap in itertools.product(("total", "domestic"), ("adjusted", "commodity"))
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_inverses_are_the_sums_of_all_rounds_and_agree_with_each_other(seed: int) -> None:
    for system in systems(seed):
        w, b = system.shares_ic, system.direct_ci
        ii, cc = system.industry_by_industry(), system.commodity_by_commodity()
        np.testing.assert_allclose(ii, series(w @ b), rtol=SUMMED, atol=1e-15)
        np.testing.assert_allclose(cc, series(b @ w), rtol=SUMMED, atol=1e-15)
        # W (I - B W)^-1 = (I - W B)^-1 W
        np.testing.assert_allclose(system.industry_by_commodity(), ii @ w, rtol=SUMMED, atol=1e-15)
        np.testing.assert_allclose(b @ ii, cc @ b, rtol=SUMMED, atol=1e-15)
        np.testing.assert_allclose(ii, np.eye(len(ii)) + (w @ b) @ ii, rtol=SUMMED, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_inputs_through_the_chain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for system in systems(seed):
        output = system.table.industry_output_i
        bought = rng.random((3, len(output))) * USD
        direct = bought / output
        found = system.of_inputs(bought)
        np.testing.assert_allclose(found, direct @ system.industry_by_industry(), rtol=SUMMED)
        np.testing.assert_allclose(system.of_inputs(bought, "commodity"), found @ system.shares_ic, rtol=SUMMED)
        assert (found >= direct * (1.0 - SUMMED)).all()
        np.testing.assert_allclose(system.of_inputs(7.0 * bought), 7.0 * found, rtol=SUMMED)
        # A row of the table is an input like others: row c of B times the inverse.
        row = system.table.commodity("K2")
        if system.table.use_ci[row].any():
            own = np.divide(system.table.use_ci[row], output)[None]
            np.testing.assert_allclose(
                system.of_inputs(system.table.use_ci[row][None]), own @ system.industry_by_industry(), rtol=SUMMED
            )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scrap", ["adjusted", "commodity"])
def test_final_demand_calls_for_what_is_made(seed: int, scrap: str) -> None:
    """Requirements times final demand, net of imports, is output: nothing is lost and nothing is counted twice."""
    table = draw_table(seed)
    system = leontief(table, "total", scrap)  # type: ignore[arg-type]
    net = table.final_cf.sum(axis=1)
    np.testing.assert_allclose(system.industry_by_commodity() @ net, table.industry_output_i, rtol=SUMMED)
    # At home only: imports into industries are no part of the chain, so final demand is for what is made at home.
    home = leontief(table, "domestic", scrap)  # type: ignore[arg-type]
    assert table.imports_ci is not None
    np.testing.assert_allclose(
        home.industry_by_commodity() @ (net + table.imports_ci.sum(axis=1)), table.industry_output_i, rtol=SUMMED
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_domestic_requirements_are_smaller_and_total_ones_where_nothing_is_imported(seed: int) -> None:
    table = draw_table(seed)
    bought = np.random.default_rng(seed).random((2, len(table.industries)))
    home, total = (leontief(table, origin) for origin in ("domestic", "total"))  # type: ignore[arg-type]
    assert (home.industry_by_industry() <= total.industry_by_industry()).all()
    assert (home.of_inputs(bought) <= total.of_inputs(bought)).all()
    assert (home.of_inputs(bought) < total.of_inputs(bought)).any()
    closed = table.replace(imports_ci=0.0 * table.use_ci)
    np.testing.assert_array_equal(leontief(closed, "domestic").of_inputs(bought), leontief(closed).of_inputs(bought))
    with pytest.raises(DataError, match="imports by using industry"):
        leontief(table.replace(imports_ci=None), "domestic")


@pytest.mark.parametrize("seed", SEEDS)
def test_scrap_matters_only_where_there_is_some(seed: int) -> None:
    bought = np.random.default_rng(seed).random((2, 4))
    without, with_some = draw_table(seed, scrap=False), draw_table(seed, scrap=True)
    found = [leontief(without, "total", scrap).of_inputs(bought) for scrap in ("adjusted", "commodity")]  # type: ignore[arg-type]
    np.testing.assert_array_equal(*found)
    found = [leontief(with_some, "total", scrap).of_inputs(bought) for scrap in ("adjusted", "commodity")]  # type: ignore[arg-type]
    assert np.abs(found[0] - found[1]).max() > 1e-6 * found[0].max()
    # Nobody makes more scrap because somebody asks for it, and nobody makes what is only imported.
    adjusted = leontief(with_some)
    for code in (SCRAP, NOBODY):
        assert not adjusted.shares_ic[:, with_some.commodity(code)].any()
    place, found = with_some.commodity(SCRAP), adjusted.commodity_by_commodity()
    for row in (found[place], found[:, place]):
        np.testing.assert_array_equal(row, np.eye(len(found))[place])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_industries_and_commodities_does_not_matter(seed: int) -> None:
    table = draw_table(seed)
    rng = np.random.default_rng(seed)
    i, c = rng.permutation(len(table.industries)), rng.permutation(len(table.commodities))
    assert table.imports_ci is not None
    turned = SupplyUse(
        tuple(np.array(table.industries)[i]), tuple(np.array(table.commodities)[c]), table.final_codes, table.value_codes,
        make_ic=table.make_ic[np.ix_(i, c)], use_ci=table.use_ci[np.ix_(c, i)], final_cf=table.final_cf[c],
        value_vi=table.value_vi[:, i], imports_ci=table.imports_ci[np.ix_(c, i)],
    )  # fmt: skip
    for origin, scrap in itertools.product(("total", "domestic"), ("adjusted", "commodity")):
        plain, other = leontief(table, origin, scrap), leontief(turned, origin, scrap)  # type: ignore[arg-type]
        for name, rows, columns in (
            ("industry_by_industry", i, i), ("commodity_by_commodity", c, c), ("industry_by_commodity", i, c),
        ):  # fmt: skip
            expected = getattr(plain, name)()[np.ix_(rows, columns)]
            np.testing.assert_allclose(getattr(other, name)(), expected, rtol=SUMMED, atol=1e-15)


# --- the tables of 2012 -----------------------------------------------------------------------------------------------


class TestPublishedTables:
    pytestmark = shared

    @pytest.mark.parametrize("variant", ["after", "before"])
    def test_gross_domestic_product(self, variant: str) -> None:
        """16,253.970 bn USD in 2012: national accounts since the update of September 2023 (World Bank NY.GDP.MKTP.CD)."""
        table = raw(variant)
        # Cells are rounded to a million each; the parts of 400 rows may be off by some of them.
        assert table.final_cf.sum() / USD == pytest.approx(16_253_970.0, abs=12.0)
        assert table.value_vi.sum() / USD == pytest.approx(16_253_970.0, abs=12.0)

    @pytest.mark.parametrize(("variant", "rows"), [("after", 22.0), ("before", 25.0)])
    def test_sizes_and_rounding(self, variant: str, rows: float) -> None:
        table = raw(variant)
        assert (len(table.industries), len(table.commodities)) == (405, 405)
        assert (table.imports_ci is not None) == (variant == "before")
        gaps = rounding(table)
        assert gaps["commodities: uses less imports against domestic output"] == rows * USD
        assert gaps["industries: purchases and value added against output"] <= 11.0 * USD
        # The cell that the slides' magnets would have to come out of.
        assert table.use_ci[table.commodity("325180"), table.industry("332999")] == 0.0

    @pytest.mark.parametrize("variant", ["after", "before"])
    @pytest.mark.parametrize("scrap", ["adjusted", "commodity"])
    def test_identities(self, variant: str, scrap: str) -> None:
        system = leontief(raw(variant), "total", scrap)  # type: ignore[arg-type]
        a = system.shares_ic @ system.direct_ci
        ii = system.industry_by_industry()
        # Sums over 405 numbers; the inverse's condition number is below a hundred.
        np.testing.assert_allclose(ii, series(a), rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(ii @ system.shares_ic, system.industry_by_commodity(), rtol=0.0, atol=1e-12)
        # Final demand calls for output but for the rounding of published cells, 25 million at most in a row.
        called = system.industry_by_commodity() @ system.table.final_cf.sum(axis=1)
        np.testing.assert_allclose(called, system.table.industry_output_i, rtol=0.0, atol=50.0 * USD)

    def test_chains_are_longer_where_imports_count(self) -> None:
        home, total = (leontief(raw("before"), origin).industry_by_industry() for origin in ("domestic", "total"))  # type: ignore[arg-type]
        assert (home <= total + 1e-15).all()
        assert home.sum() < 0.95 * total.sum()

    @pytest.mark.parametrize(("code", "own"), [("335911", 1.0025), ("332999", 1.0076)])
    def test_own_requirements_found_elsewhere(self, code: str, own: float) -> None:
        """Storage batteries and other fabricated metals, by a spreadsheet that treats scrap as any commodity."""
        table = raw("after")
        place = table.industry(code)
        found = leontief(table, "total", "commodity").industry_by_industry()[place, place]
        assert found == pytest.approx(own, abs=5e-5)
