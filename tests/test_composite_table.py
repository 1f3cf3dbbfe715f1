"""Tables of any economy: composite tables, labelled files, and the named treatments of cells that no model can use."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reesim.cli import data as cli_data
from reesim.data import balancing, plain, plaincsv, tables, treatments
from reesim.data.composite import TradeTable
from reesim.data.grouping import Grouping
from reesim.data.tables import WorldTable
from reesim.errors import DataError, StoreError
from reesim.labels import Labels

ROUNDING = 1e-13  # sums of a few dozen numbers of one magnitude, in another order


def labels(kind, count):
    return Labels(kind, tuple(f"{kind[0]}{i}" for i in range(count)), tuple(f"{kind} number {i}" for i in range(count)))


def world(seed, n=3, s=4, whole=False):
    """A world table in which materials are a third of sales, so that every sector has value added."""
    rng = np.random.default_rng(seed)
    shape = (n, s, n, s)
    flows = rng.integers(1, 50, shape).astype(float) if whole else rng.gamma(2.0, 10.0, shape)
    final = flows.sum(axis=(2, 3))[:, :, None] * rng.integers(1, 4, (n, s, n)) + 2.0 * flows.sum()
    return WorldTable(2009, labels("region", n), labels("sector", s), flows, np.round(final), "made up", "none", "none")


def rates(seed, n, s):
    tariff = np.random.default_rng(seed).uniform(0.0, 0.3, (n, n, s))
    tariff[np.arange(n), np.arange(n)] = 0.0
    return tariff


def frames(table):
    """The same table as labelled frames."""
    n, s = len(table.regions), len(table.sectors)
    pairs = pd.MultiIndex.from_product([table.regions.codes, table.sectors.codes])
    flows = pd.DataFrame(table.intermediate_jsik.reshape(n * s, n * s), pairs, pairs)
    return flows, pd.DataFrame(table.final_jsi.reshape(n * s, n), pairs, list(table.regions))


def lowered(table, **cells):
    """The table with final demand of cells (i, s) set by name, and flows scaled to what is then used."""
    final = table.final_is.copy()
    for (i, s), value in cells["final"].items():
        final[i, s] = value
    uses = table.materials_iks.sum(axis=1) + final
    return dataclasses.replace(table, final_is=final, trade_jis=table.trade_jis * (uses / table.expenditure_is))


def with_stocks(seed, n=3, s=4):
    """A composite table with tariffs in which two composites are drawn from stock."""
    table = world(seed, n, s).composite(rates(seed, n, s))
    cut = {(i, k): -0.3 * table.materials_iks.sum(axis=1)[i, k] for i, k in ((0, 1), (n - 1, 0))}
    return lowered(table, final=cut)


# Laws


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.booleans())
@settings(max_examples=25, deadline=None)
def test_saving_and_loading_is_the_identity(seed, n, s, taxed):
    table = world(seed, n, s).composite(rates(seed, n, s) if taxed else None)
    table = dataclasses.replace(table, treatments=("one, with a comma", "two"))
    with tempfile.TemporaryDirectory() as folder:
        tables.save(table, Path(folder))
        again = tables.load(folder)
    assert isinstance(again, TradeTable)
    assert again.hash() == table.hash()
    for field in dataclasses.fields(TradeTable):
        ours, theirs = getattr(table, field.name), getattr(again, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs


def test_the_composite_table_keeps_the_accounts_of_the_full_one():
    table = world(1, whole=True)
    flows = table.composite()
    for name in ("trade_jis", "materials_iks", "final_is", "value_added_is", "output_js"):
        assert np.array_equal(getattr(flows, name), getattr(table, name))
    assert np.array_equal(flows.uses_is, flows.expenditure_is)
    assert flows.deficit_i.sum() == 0.0
    assert flows.value_added_is.sum() == flows.final_is.sum()


def test_income_and_tariffs_pay_for_final_demand_and_the_deficit():
    flows = world(2).composite(rates(2, 3, 4))
    income = flows.value_added_is.sum(axis=1) + flows.tariff_revenue_i + flows.deficit_i
    np.testing.assert_allclose(flows.final_is.sum(axis=1), income, rtol=ROUNDING)


def grouping(kind, groups):
    names = list(dict.fromkeys(groups))
    found = Labels(kind, tuple(names), tuple(f"{name} group" for name in names))
    return Grouping(labels(kind, len(groups)).codes, tuple(names.index(group) for group in groups), found)


def test_aggregation_commutes_with_forgetting_who_buys_from_whom():
    table = world(3, n=4, s=3, whole=True)
    maps = grouping("region", "aabc"), grouping("sector", "ppq")
    assert table.aggregate(*maps).composite().hash() == table.composite().aggregate(*maps).hash()


def test_aggregation_keeps_tariff_revenue_between_groups_and_prices_it_in_within():
    table = world(4, n=4, s=3).composite(rates(4, 4, 3))
    whole = table.aggregate(grouping("region", "aabc"), grouping("sector", "ppq"))
    paid = (table.trade_jis * table.tariff_jis).sum(axis=2)
    within = paid[:2, :2].sum()
    np.testing.assert_allclose(whole.tariff_revenue_i.sum(), paid.sum() - within, rtol=ROUNDING)
    np.testing.assert_allclose(whole.output_js.sum(), table.output_js.sum() + within, rtol=ROUNDING)
    np.testing.assert_allclose(whole.uses_is, whole.expenditure_is, rtol=ROUNDING)
    assert whole.final_is.sum() == pytest.approx(table.final_is.sum(), rel=ROUNDING)
    assert not whole.tariff_jis[np.arange(3), np.arange(3)].any()


def test_permuting_regions_permutes_the_table():
    table, order = with_stocks(5), np.array([2, 0, 1])
    moved = dataclasses.replace(
        table,
        regions=Labels("region", *(tuple(np.array(part)[order]) for part in (table.regions.codes, table.regions.names))),
        trade_jis=table.trade_jis[order][:, order], tariff_jis=table.tariff_jis[order][:, order],
        materials_iks=table.materials_iks[order], final_is=table.final_is[order],
    )  # fmt: skip
    for how in ("zero", "produce", "shares"):
        ours, theirs = treatments.treat(table, how), treatments.treat(moved, how)
        np.testing.assert_allclose(theirs.trade_jis, ours.trade_jis[order][:, order], rtol=1e-12)  # sums reordered
        np.testing.assert_allclose(theirs.final_is, ours.final_is[order], rtol=1e-12)


def test_the_hash_sees_numbers_and_labels_but_not_prose():
    table = world(6).composite(rates(6, 3, 4))
    assert dataclasses.replace(table, source="elsewhere", treatments=("x",)).hash() == table.hash()
    nudged = table.tariff_jis.copy()
    nudged[0, 1, 0] = np.nextafter(nudged[0, 1, 0], 1.0)
    assert dataclasses.replace(table, tariff_jis=nudged).hash() != table.hash()


# Treatments


def test_a_sound_table_is_left_alone_by_every_treatment():
    table = world(7).composite()
    for how in treatments.Negatives:
        assert treatments.treat(table, how) is table


def test_negative_cells_are_refused_by_name_unless_treated():
    with pytest.raises(DataError, match=r"2 cells are negative: final demand\[r0, s1\] = -.*final demand\[r2, s0\]"):
        treatments.treat(with_stocks(8))
    with pytest.raises(DataError, match="no treatment 'drop' of negatives; known: refuse, zero, produce, shares, keep"):
        treatments.treat(with_stocks(8), "drop")


def sound(table):
    np.testing.assert_allclose(table.uses_is, table.expenditure_is, rtol=ROUNDING)
    assert min(table.trade_jis.min(), table.materials_iks.min(), table.final_is.min()) >= 0.0
    assert table.value_added_is.min() > 0.0


def test_zero_lets_value_added_take_the_difference():
    before = with_stocks(9)
    after = treatments.treat(before, "zero")
    sound(after)
    assert np.array_equal(after.materials_iks, before.materials_iks)
    assert np.array_equal(after.final_is, np.maximum(before.final_is, 0.0))
    untouched = before.final_is >= 0.0
    assert np.array_equal(after.trade_jis[:, untouched], before.trade_jis[:, untouched])
    # At user prices the difference is what was drawn from stock.
    drawn = -before.final_is[before.final_is < 0.0].sum()
    np.testing.assert_allclose(after.expenditure_is.sum() - before.expenditure_is.sum(), drawn, rtol=1e-9)
    assert after.treatments[0].startswith("negatives zero: 2 cells below zero (-")


def test_produce_keeps_every_share():
    before = with_stocks(10)
    after = treatments.treat(before, "produce")
    sound(after)
    assert np.array_equal(after.final_is, np.maximum(before.final_is, 0.0))
    for share in (
        lambda t: t.materials_iks / t.output_js[:, :, None],
        lambda t: t.value_added_is / t.output_js,
        lambda t: t.trade_jis / t.expenditure_is,
    ):
        np.testing.assert_allclose(share(after), share(before), rtol=1e-12)  # rounds of spending, to rounding


def test_shares_keeps_value_added_of_every_region_as_well():
    before = with_stocks(11)
    after = treatments.treat(before, "shares")
    sound(after)
    np.testing.assert_allclose(after.value_added_is.sum(axis=1), before.value_added_is.sum(axis=1), rtol=1e-12)
    clipped = np.maximum(before.final_is, 0.0)
    wanted, got = (final / final.sum(axis=1, keepdims=True) for final in (clipped, after.final_is))
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    np.testing.assert_allclose(
        after.trade_jis / after.expenditure_is, before.trade_jis / before.expenditure_is, rtol=1e-12
    )


def test_keep_keeps_and_says_so(tmp_path):
    before = with_stocks(12)
    kept = treatments.treat(before, "keep")
    assert kept.hash() == before.hash()
    assert kept.keeps_negatives
    tables.save(kept, tmp_path / "kept")
    assert tables.composite(tmp_path / "kept").hash() == before.hash()
    tables.save(before, tmp_path / "bare")
    with pytest.raises(DataError, match=r"bare: 2 cells are negative"):
        tables.load(tmp_path / "bare")


def test_a_negative_flow_cannot_be_kept_and_loses_its_place_in_the_shares():
    before = world(13).composite()
    trade = before.trade_jis.copy()
    missing = trade[1, 0, 2] + 5.0
    trade[1, 0, 2] = -5.0
    trade[0, 0, 2] += missing
    before = dataclasses.replace(before, trade_jis=trade)
    with pytest.raises(DataError, match=r"1 cells are negative: flow\[r1 to r0, s2\] = -5"):
        treatments.treat(before, "keep")
    for how in ("zero", "produce", "shares"):
        after = treatments.treat(before, how)
        sound(after)
        assert after.trade_jis[1, 0, 2] == 0.0
        ratio = after.trade_jis[0, 0, 2] / after.trade_jis[2, 0, 2]
        assert ratio == pytest.approx(trade[0, 0, 2] / trade[2, 0, 2], rel=1e-12)


def lossy():
    """A table whose first sector in the second region spends more on materials than it sells."""
    table = world(14).composite()
    materials, final = table.materials_iks.copy(), table.final_is.copy()
    more = 1.5 * table.output_js[1, 0] / materials[1, 0].sum()
    final[1] -= (more - 1.0) * materials[1, 0]
    materials[1, 0] *= more
    return dataclasses.replace(table, materials_iks=materials, final_is=final)


def test_losses_are_refused_by_name_or_averaged_without_touching_trade():
    table = lossy()
    with pytest.raises(DataError, match=r"1 sectors have no value added: value added\[r1, s0\] = -"):
        treatments.treat(table)
    after = treatments.treat(table, losses="average")
    sound(after)
    assert np.array_equal(after.trade_jis, table.trade_jis)
    others = [0, 2]
    average = table.value_added_is[others, 0].sum() / table.output_js[others, 0].sum()
    assert after.value_added_is[1, 0] / after.output_js[1, 0] == pytest.approx(average, rel=1e-12)
    assert after.treatments[0].startswith("losses average: 1 sector without value added")


def test_sectors_without_output_and_goods_that_nobody_buys_are_fine():
    table = world(15).composite()
    trade, materials, final = table.trade_jis.copy(), table.materials_iks.copy(), table.final_is.copy()
    trade[1, :, 2] = 0.0  # region 1 sells none of sector 2 ...
    materials[1, 2] = 0.0  # ... and so buys nothing for it
    trade[:, 0, 3], materials[0, :, 3], final[0, 3] = 0.0, 0.0, 0.0  # nobody in region 0 buys sector 3
    final = trade.sum(axis=0) - materials.sum(axis=1)
    table = dataclasses.replace(table, trade_jis=trade, materials_iks=materials, final_is=final)
    assert tables.composite(table) is table
    materials[1, 2, 0] = 1.0
    final[1, 0] -= 1.0
    spending = dataclasses.replace(table, materials_iks=materials, final_is=final)
    with pytest.raises(DataError, match=r"value added\[r1, s2\]"):
        tables.composite(spending)


@pytest.mark.shared
def test_shares_gives_the_published_shares_of_the_nafta_table():
    """Caliendo and Parro (2015): final demand is what flows leave, negative residuals are dropped from the shares."""
    folder = os.environ.get("REESIM_SHARED_DATA")
    if not folder:
        pytest.skip("REESIM_SHARED_DATA does not name the folder of the raw tables")
    raw = np.load(Path(folder) / "cp2015" / "nafta.npz")
    trade, tariff = (raw[name].transpose(1, 0, 2) for name in ("trade_nij", "tau_nij"))
    inputs = raw["gamma_nkj"].transpose(0, 2, 1)
    trade = trade / 1e6
    materials = inputs * trade.sum(axis=1)[:, :, None]
    final = (trade * (1.0 + tariff)).sum(axis=0) - materials.sum(axis=1)
    named = [Labels(kind[:-1], *2 * (tuple(map(str, raw[kind])),)) for kind in ("regions", "sectors")]
    table = TradeTable(1993, *named, trade, materials, final, "made up", "none", "none", tariff)
    assert (table.final_is < 0.0).sum() == 185
    with pytest.raises(DataError, match="186 cells are negative"):
        treatments.treat(table)
    after = treatments.treat(table, "shares")
    assert after.keeps_negatives  # one input coefficient of -5.7e-4 stays
    # Published numbers have seven digits or so; coefficients and trade shares are those of the flows.
    alpha = after.final_is / after.final_is.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(alpha, raw["alpha_nj"], atol=1e-7)
    np.testing.assert_allclose(after.value_added_is.sum(axis=1), raw["wL_n"] / 1e6, rtol=1e-7)
    np.testing.assert_allclose(after.materials_iks / after.output_js[:, :, None], inputs, atol=1e-12)
    bought = after.trade_jis * (1.0 + after.tariff_jis) / after.expenditure_is
    np.testing.assert_allclose(bought, raw["pi_nij"].transpose(1, 0, 2), atol=1e-12)


# Labelled frames


def test_frames_give_the_table_they_were_made_of():
    table, tariff = world(16), rates(16, 3, 4)
    long = [(j, i, s, tariff[a, b, c]) for a, j in enumerate(table.regions) for b, i in enumerate(table.regions)
            for c, s in enumerate(table.sectors) if a != b]  # fmt: skip
    tariffs = pd.DataFrame(long, columns=["exporter", "importer", "sector", "rate"])
    got = plain.from_frames(*frames(table), year=2009, source="made up", tariffs=tariffs)
    wanted = table.composite(tariff)
    for name in ("trade_jis", "materials_iks", "final_is", "tariff_jis"):
        assert np.array_equal(getattr(got, name), getattr(wanted, name))


def test_order_categories_units_and_missing_sectors_do_not_matter():
    table = world(17, whole=True)
    flows, final = frames(table)
    # Rows and columns shuffled, final demand in two categories, numbers in thousands, one sector absent.
    halves = pd.concat([final * 250.0, final * 750.0], axis=1, keys=["house", "state"]).swaplevel(axis=1)
    rng = np.random.default_rng(0)
    keep = [label for label in flows.index if label != ("r2", "s3")]
    flows, halves = flows.loc[keep, keep] * 1000.0, halves.loc[keep]
    order = list(rng.permutation(len(keep)))
    flows, halves = flows.iloc[order, order[::-1]], halves.iloc[order[::-1]]
    got = plain.from_frames(flows, halves, year=2009, source="made up", scale=0.001)
    where = [got.regions.index(code) for code in table.regions], [got.sectors.index(code) for code in table.sectors]
    trade = got.trade_jis[np.ix_(where[0], where[0], where[1])]
    wanted = table.trade_jis.copy()
    wanted[2, :, 3] = 0.0
    lost = table.intermediate_jsik[:, :, 2, 3]
    wanted[:, 2, :] -= np.where(wanted[:, 2, :] > 0.0, lost, 0.0)
    np.testing.assert_allclose(trade, wanted, rtol=ROUNDING)
    assert got.output_js[where[0][2], where[1][3]] == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f, d: (f.rename(index={"s1": "S1"}, level=1), d),
            "only among rows of flows: r0 S1.*its columns: r0 s1",
        ),
        (lambda f, d: (f, d.iloc[1:]), "rows of flows and those of final demand.*only among rows of flows: r0 s0"),
        (lambda f, d: (f, d.rename(columns={"r1": "r9"})), "columns of final demand: no region r9; known: r0, r1"),
        (lambda f, d: (f.droplevel(0), d), "rows of flows: labels have 1 levels; give two"),
        (
            lambda f, d: (f.where(f != f.loc[("r1", "s0"), ("r0", "s0")]), d),
            "flows: row r1 s0, column r0 s0 is not a fin",
        ),
        (lambda f, d: (pd.concat([f, f.iloc[:1]]), d), "rows of flows: r0 s0 stands twice"),
    ],
)
def test_frames_that_do_not_fit_are_refused_by_label(change, said):
    with pytest.raises(DataError, match=said):
        plain.from_frames(*change(*frames(world(18, 2, 2))), year=2009, source="made up")


# Unbalanced tables


def published(table, wrong=1.0):
    pairs = pd.MultiIndex.from_product([table.regions.codes, table.sectors.codes])
    added = table.value_added_is.copy()
    added[0, 0] *= wrong
    return pd.Series(added.ravel(), pairs)


def test_value_added_that_fits_changes_nothing_and_is_refused_otherwise():
    table = world(19, 2, 2)
    plainly = {"year": 2009, "source": "made up"}
    got = plain.from_frames(*frames(table), value_added=published(table), **plainly)
    assert got.hash() == plain.from_frames(*frames(table), **plainly).hash()
    assert got.treatments == ()
    with pytest.raises(DataError, match=r"columns do not add up to rows: \[r0, s0\] output .* choose a treatment"):
        plain.from_frames(*frames(table), value_added=published(table, 1.01), **plainly)
    rest = plain.from_frames(*frames(table), value_added=published(table, 1.01), unbalanced="residual", **plainly)
    assert rest.hash() == got.hash()
    assert rest.treatments[0].startswith("unbalanced residual: ")


def test_ras_meets_both_margins():
    table = world(20, 2, 3)
    added = table.value_added_is * np.random.default_rng(1).uniform(0.8, 0.98, (2, 3))
    fitted, told = balancing.balance(table, added, "ras")
    # Margins are met to 1e-12 of the largest output.
    np.testing.assert_allclose(fitted.output_js, table.output_js, rtol=1e-10)
    np.testing.assert_allclose(fitted.value_added_is, added, rtol=1e-10)
    # Biproportional: cross ratios of flows stay.
    cross = [
        f[0, 0, 0, 0] * f[1, 1, 1, 1] / f[0, 0, 1, 1] / f[1, 1, 0, 0]
        for f in (table.intermediate_jsik, fitted.intermediate_jsik)
    ]
    assert cross[1] == pytest.approx(cross[0], rel=1e-10)
    assert told[0].startswith("unbalanced ras: rows and columns scaled ")


def test_ras_says_when_margins_cannot_be_met():
    table = world(21, 2, 1)
    with pytest.raises(DataError, match="value added is more than output in r0, s0"):
        balancing.balance(table, table.output_js * [[1.5], [0.5]], "ras")
    # The first sector buys nothing, so no scaling gives it materials.
    flows = table.intermediate_jsik.copy()
    flows[:, :, 0] = 0.0
    bare = dataclasses.replace(table, intermediate_jsik=flows)
    with pytest.raises(DataError, match=r"does not reach its margins .* the column of r0, s0 needs"):
        balancing.balance(bare, bare.value_added_is * 0.9, "ras")


# Files


TEXTBOOK = """,,Home,Home,Foreign,Foreign
,,Wheat,Cloth,Wheat,Cloth
Home,Wheat,10,20,5,5
Home,Cloth,5,10,10,5
Foreign,Wheat,5,5,10,20
Foreign,Cloth,5,5,5,10
"""
DEMAND = """exporter,sector,Home,Foreign
Home,Wheat,50,10
Home,Cloth,60,20
Foreign,Wheat,10,50
Foreign,Cloth,20,60
"""
SINGLE = """V1,HOM_A01_02,HOM_C10,FOR_A01_02,FOR_C10,HOM_HFCE,HOM_INVNT,FOR_HFCE,FOR_INVNT,OUT
HOM_A01_02,10,20,5,5,51,-1,10,0,100
HOM_C10,5,10,10,5,60,0,20,0,110
FOR_A01_02,5,5,10,20,10,0,50,0,100
FOR_C10,5,5,5,10,20,0,60,0,105
TLS,0,0,0,0,0,0,0,0,0
VA,75,70,70,65,0,0,0,0,0
"""


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)


def test_a_textbook_table_of_two_by_two(tmp_path):
    write(tmp_path, flows=TEXTBOOK, final=DEMAND)
    table = plaincsv.read_plain(tmp_path / "flows.csv", tmp_path / "final.csv", year=2000, source="a textbook")
    assert table.regions.codes == ("Home", "Foreign")
    assert table.sectors.codes == ("Wheat", "Cloth")
    assert table.output_js.tolist() == [[100.0, 110.0], [100.0, 105.0]]
    assert table.value_added_is.tolist() == [[75.0, 70.0], [70.0, 65.0]]
    assert table.trade_jis[0, 1].tolist() == [20.0, 35.0]
    assert table.materials_iks[0].tolist() == [[15.0, 10.0], [25.0, 15.0]]
    assert table.deficit_i.tolist() == [-5.0, 5.0]


def test_single_labels_and_long_rows_give_the_same_numbers(tmp_path):
    long = ["exporter,sector,importer,use,value"]
    rows = [line.split(",") for line in TEXTBOOK.splitlines()]
    long += [
        f"{r[0]},{r[1]},{i},{k},{v}" for r in rows[2:] for i, k, v in zip(rows[0][2:], rows[1][2:], r[2:], strict=True)
    ]
    long += [f"{r[0]},{r[1]},{i},Final,{v}" for r in map(str.split, DEMAND.replace(",", " ").splitlines()[1:])
             for i, v in zip(("Home", "Foreign"), r[2:], strict=True)]  # fmt: skip
    write(tmp_path, flows=TEXTBOOK, final=DEMAND, single=SINGLE, long="\n".join(long) + "\n")
    plainly = {"year": 2000, "source": "a textbook"}
    wide = plaincsv.read_plain(tmp_path / "flows.csv", tmp_path / "final.csv", **plainly)
    single = plaincsv.read_plain(tmp_path / "single.csv", value_added="VA", drop=["OUT", "TLS"], **plainly)
    assert single.sectors.codes == ("A01_02", "C10")
    for other in (single, plaincsv.read_plain(tmp_path / "long.csv", **plainly)):
        for name in ("trade_jis", "materials_iks", "final_is"):
            assert np.array_equal(getattr(other, name), getattr(wide, name))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("HOM_C10,5,10", "HOM_C10,5,x", r"single\.csv: row 3, column 'HOM C10': 'x' is not a finite number"),
        ("HOM_C10,5,10", "HOM_C10,5,", "row 3, column 'HOM C10': '' is not a finite number"),
        ("HOM_C10,5,10", "HOM_C10,5", "row 3 has 9 columns, the header 10"),
        ("TLS,", "TAX,", "rows without region and sector: TAX. Leave them out by name"),
        ("OUT\n", "TOTAL\n", "columns of no known region: TOTAL"),
        ("VA,75", "VA,70", r"columns do not add up to rows: \[HOM, A01_02\] output 100, materials plus value added 95"),
        ("VA,", "GVA,", "value added: VA: neither a file nor one row"),
    ],
)
def test_what_is_wrong_with_a_labelled_file_is_told_by_its_address(tmp_path, old, new, said):
    assert old in SINGLE
    text = SINGLE.replace(old, new, 1)
    write(tmp_path, single=text)
    drop = [label for label in ("OUT", "TLS") if label in text]
    with pytest.raises(DataError, match=said):
        plaincsv.read_plain(tmp_path / "single.csv", year=2000, source="x", value_added="VA", drop=drop)


def test_what_is_to_be_left_out_must_be_there(tmp_path):
    write(tmp_path, single=SINGLE)
    plainly = {"year": 2000, "source": "x", "value_added": "VA"}
    with pytest.raises(
        DataError, match=r"called TOT, TSL; did you mean OUT, TLS\? there are HOM, FOR, TLS, VA, OUT, and A01"
    ):
        plaincsv.read_plain(tmp_path / "single.csv", drop=["OUT", "TOT", "TLS", "TSL"], **plainly)


def test_labels_are_left_out_of_a_long_table_too(tmp_path):
    lines = ["exporter,sector,importer,use,value"]
    lines += [f"A,{s},A,{u},{v}" for s, u, v in (("x", "x", 1), ("x", "y", 2), ("y", "x", 3), ("y", "y", 4))]
    lines += ["A,x,A,final,9", "A,y,A,final,8"]
    total = ["A,all,A,x,4", "TOT,x,A,x,1", "A,x,A,all,3"]
    (tmp_path / "plain.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "long.csv").write_text("\n".join([*lines, *total]) + "\n", encoding="utf-8")
    plainly = {"year": 2000, "source": "x"}
    wanted = plaincsv.read_plain(tmp_path / "plain.csv", **plainly)
    found = plaincsv.read_plain(tmp_path / "long.csv", drop=["all", "TOT"], **plainly)
    assert (found.regions, found.sectors) == (wanted.regions, wanted.sectors)
    np.testing.assert_array_equal(found.trade_jis, wanted.trade_jis)
    np.testing.assert_array_equal(found.final_is, wanted.final_is)
    with pytest.raises(DataError, match="no row or column is called TOTAL"):
        plaincsv.read_plain(tmp_path / "long.csv", drop=["TOTAL"], **plainly)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"year": 999}, "year 999: should be a calendar year, 1000 to 9999"),
        ({"year": 10_000}, "year 10000: should be"),
        ({"scale": 0.0}, "scale 0: should be above 0"),
        ({"scale": -1.0}, "scale -1: should be above 0"),
        ({"scale": float("nan")}, "scale nan: should be above 0"),
        ({"scale": float("inf")}, "scale inf: should be above 0"),
    ],
)
def test_year_and_scale_are_within_reason(tmp_path, numbers, said):
    write(tmp_path, single=SINGLE)
    given = {"year": 2000, "source": "x", "value_added": "VA", "drop": ["OUT", "TLS"], **numbers}
    with pytest.raises(DataError, match=said):
        plaincsv.read_plain(tmp_path / "single.csv", **given)
    with pytest.raises(DataError, match=said):
        plain.from_frames(*frames(world(18, 2, 2)), **{"year": 2009, "source": "made up", **numbers})


def test_tabs_names_of_label_columns_and_categories_are_understood(tmp_path):
    """As pandas writes frames with two levels of labels, which is how EXIOBASE comes."""
    write(tmp_path, flows=TEXTBOOK, final=DEMAND)
    wanted = plaincsv.read_plain(tmp_path / "flows.csv", tmp_path / "final.csv", year=2000, source="a textbook")
    flows = plaincsv.read_wide(tmp_path / "flows.csv").rename_axis(index=["region", "sector"])
    final = plaincsv.read_wide(tmp_path / "final.csv").rename_axis(index=["region", "sector"])
    final = pd.concat([final.droplevel(1, axis=1) / 2.0] * 2, axis=1, keys=["house", "state"]).swaplevel(axis=1)
    for frame in (flows, final):
        frame.columns.names = ["region", "category"]
    flows.to_csv(tmp_path / "Z.txt", sep="\t")
    final.to_csv(tmp_path / "Y.txt", sep="\t")
    table = plaincsv.read_plain(tmp_path / "Z.txt", tmp_path / "Y.txt", year=2000, source="a textbook")
    assert table.hash() == wanted.hash()


def test_rows_of_taxes_by_region_and_a_longer_label_are_named(tmp_path):
    taxes = SINGLE.replace("TLS,", "HOM_TAXSUB,").replace("VA,", "VALUE_ADDED,")
    write(tmp_path, single=SINGLE, taxes=taxes, semicolons=SINGLE.replace(",", ";"))
    plainly = {"year": 2000, "source": "x"}
    table = plaincsv.read_plain(tmp_path / "taxes.csv", value_added="VALUE_ADDED", drop=["OUT", "TAXSUB"], **plainly)
    wanted = plaincsv.read_plain(tmp_path / "single.csv", value_added="VA", drop=["OUT", "TLS"], **plainly)
    assert table.hash() == wanted.hash()
    with pytest.raises(DataError, match="separated by commas or tabs"):
        plaincsv.read_plain(tmp_path / "semicolons.csv", **plainly)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Home,Wheat,Home,Cloth,3", "row 3: Home,Wheat,Home,Cloth stands twice"),
        ("Home,Wheat,Home,final,much", "row 3, column 'value': 'much' is not a finite number"),
        ("Home,Wheat,,final,3", "row 3, column 'importer': the cell is empty"),
        ("Home,Wheat,Home,final", "row 3 has 4 columns"),
    ],
)
def test_what_is_wrong_with_a_long_file_is_told_by_its_address(tmp_path, row, said):
    write(tmp_path, long=f"exporter,sector,importer,use,value\nHome,Wheat,Home,Cloth,1\n{row}\n")
    with pytest.raises(DataError, match=said):
        plaincsv.read_plain(tmp_path / "long.csv", year=2000, source="x")


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("trade.csv", "r0,r1,", "r0,r7,", r"trade\.csv: row 3: r0,r7 stands twice or is not among the labels"),
        ("trade.csv", "s0", "sx", r"trade\.csv: row 1: the columns do not fit the labels: s0, sx"),
        ("trade.csv", "r0,r1,", "r0,r1,9", "what users spend on a composite is not what is bought of it.*r1, s0"),
        ("final.csv", "r1,", "r1,x", r"final\.csv: row 3, column 's0': 'x.* is not a finite number"),
        ("tariffs.csv", "r0,r1,s0,", "r0,r1,S0,", r"row 2, column 'sector': no sector 'S0', did you mean 's0'"),
        ("tariffs.csv", "r0,r1,s1,", "r0,r1,s0,", "row 3: r0,r1,s0 stands twice"),
        ("tariffs.csv", "r0,r1,s0,", "r0,r0,s0,", r"a tariff on domestic sales; give zero: tariff\[r0 to r0, s0\]"),
        ("tariffs.csv", "r0,r1,s0,", "r0,r1,s0,-1", "a rate of -1 or less"),
        ("about.csv", "year,2009", "year,late", "'late' is not a whole number"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told_by_its_address(tmp_path, file, old, new, said):
    tables.save(world(22, 2, 2).composite(rates(22, 2, 2)), tmp_path)
    edit(tmp_path / file, old, new)
    with pytest.raises(DataError, match=said):
        tables.load(tmp_path)


def test_a_folder_holds_one_table(tmp_path):
    table = world(23, 2, 2)
    tables.save(table, tmp_path)
    with pytest.raises(StoreError, match=r"flows\.csv: this folder holds a table of another form"):
        tables.save(table.composite(), tmp_path)
    (tmp_path / "trade.csv").write_text("exporter,importer\n")
    with pytest.raises(DataError, match=r"flows\.csv and trade\.csv are two tables"):
        tables.load(tmp_path)


def test_tariffs_of_an_earlier_table_do_not_stay_in_a_folder(tmp_path):
    table = world(24, 2, 2)
    tables.save(table.composite(rates(24, 2, 2)), tmp_path)
    tables.save(table.composite(), tmp_path)
    assert not tables.load(tmp_path).tariff_jis.any()


def test_published_digits_are_closed_and_the_change_is_recorded():
    exact = world(25).composite()
    rounded = dataclasses.replace(exact, final_is=np.round(exact.final_is * (1.0 + 3e-8), 6))
    closed = tables.composite(rounded)
    # What calibration asks of accounts.
    np.testing.assert_allclose(closed.uses_is, closed.expenditure_is, rtol=1e-14)
    assert np.array_equal(closed.final_is, rounded.final_is)
    assert closed.treatments[0].startswith("published digits: 12 composites closed, by at most 3")


def test_both_forms_answer_to_composite(tmp_path):
    table = world(26)
    tables.save(table, tmp_path / "full")
    tables.save(table.composite(), tmp_path / "composite")
    hashes = {tables.composite(place).hash() for place in (table, str(tmp_path / "full"), tmp_path / "composite")}
    assert hashes == {table.composite().hash()}
    assert tables.composite("world_2009_5x14").hash() == tables.embedded().composite().hash()


# The command


def reesim(*arguments):
    command = [sys.executable, "-m", "reesim", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_makes_a_table_of_single_labels_and_aggregates_it(tmp_path):
    write(tmp_path, single=SINGLE.replace("51,-1", "51,-75").replace("VA,75", "VA,1"))
    write(tmp_path, sectors="code_from,code,name\nA01_02,ALL,Everything\nC10,ALL,Everything\n")
    arguments = [
        "data",
        "table",
        tmp_path / "single.csv",
        "--year",
        2018,
        "--out",
        tmp_path / "out",
        "--value-added",
        "VA",
    ]
    arguments += ["--drop", "OUT", "--drop", "TLS", "--json"]
    refused = reesim(*arguments)
    assert refused.returncode == 2
    assert "final demand[HOM, A01_02]" in json.loads(refused.stdout)["error"]["message"]
    document = json.loads(reesim(*arguments, "--negatives", "produce").stdout)
    assert document["schema"] == "reesim.table/1"
    assert document["regions"] == ["HOM", "FOR"]
    assert document["treatments"][0].startswith("negatives produce: 1 cell below zero")
    assert document["hash"] == tables.composite(tmp_path / "out").hash()
    again = reesim(
        "data", "table", tmp_path / "out", "--out", tmp_path / "small", "--sectors", tmp_path / "sectors.csv"
    )
    assert "2018: 2 regions x 1 sectors, written to" in again.stdout
    small = tables.load(tmp_path / "small")
    assert small.sectors.codes == ("ALL",)
    assert small.treatments == tuple(document["treatments"])
    made = (
        "reesim data table single.csv --year 2018 --value-added VA --drop OUT --drop TLS --negatives produce --out DIR"
    )
    assert small.command == f"{made}; reesim data table out --sectors sectors.csv --out DIR"


def test_the_command_asks_for_what_is_missing(tmp_path):
    write(tmp_path, single=SINGLE)
    assert (
        "the year of the flows is missing; give --year"
        in reesim("data", "table", tmp_path / "single.csv", "--out", tmp_path / "out").stderr
    )
    tables.save(world(27, 2, 2).composite(), tmp_path / "own")
    assert (
        "says itself what year would"
        in reesim("data", "table", tmp_path / "own", "--year", 2000, "--out", tmp_path / "out").stderr
    )


def test_the_command_offers_what_the_library_knows():
    for ours, theirs in (
        (cli_data.Negatives, treatments.Negatives),
        (cli_data.Losses, treatments.Losses),
        (cli_data.Unbalanced, balancing.Unbalanced),
    ):
        assert [one.value for one in ours] == [one.value for one in theirs]
