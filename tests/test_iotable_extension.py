"""The extended table: balances to the dollar, laws of requirements, and a second implementation by hand and in dictionaries."""

from __future__ import annotations

import csv
import functools
import itertools
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supply_use import Ledger, draw_table, write_inputs
from test_iotable_table import by_hand

from reesim.empirics.iotable.bea import SupplyUse, read
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.extension import ExtendedTable, apportion, extend
from reesim.empirics.iotable.inputs import RARE_EARTHS, read_inputs
from reesim.empirics.iotable.material import Inputs, Product, Selection
from reesim.empirics.iotable.requirements import SCRAP, leontief
from reesim.errors import DataError

STILL = [(0, False), (2, False), (3, False), (3, True), (4, True), (5, True)]
"""Tables that can be extended with the small inputs as they are, by number, without and with imports by industry."""

MOVING = [(1, False), (4, False), (27, False), (1, True), (14, True), (22, True)]
"""Tables in which purchases have to move first."""

SOLD = 2
"""A table in which K2 and K3 both buy of K1."""

SUMMED = 1e-12
"""Relative rounding of sums and small inverses."""

DOLLARS = 1e-6
"""The package rounds cells of a hundred thousand dollars and more to whole ones; a requirement is made of several."""

RAW = os.environ.get("REESIM_SHARED_DATA", "")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return read_inputs(write_inputs(tmp_path_factory.mktemp("inputs") / "small"))


@pytest.fixture(scope="module")
def selection(inputs: Inputs) -> Selection:
    return inputs.choose(Choices())


@pytest.fixture(params=[*STILL, *MOVING], ids=lambda draw: f"{draw[0]}-{'imports' if draw[1] else 'plain'}")
def extended(request: pytest.FixtureRequest, selection: Selection) -> ExtendedTable:
    seed, imports = request.param
    return extend(draw_table(seed, imports), selection)


def priced(selection: Selection, factor: float) -> Selection:
    """Return the selection with all prices times a factor."""
    return selection.with_values(
        tuple(
            replace(cell, value=cell.value * factor) if cell.table == "prices.csv" else cell for cell in selection.cells
        )
    )


def without_products(selection: Selection) -> Selection:
    return replace(selection, inputs=replace(selection.inputs, products=()))


def totals(found: ExtendedTable, origin: str = "total", scrap: str = "adjusted") -> np.ndarray:
    """Total requirements by element and industry of the extended table."""
    return found.requirements(leontief(found.table, origin, scrap)).sum(axis=1)  # type: ignore[arg-type]


# --- balances ---------------------------------------------------------------------------------------------------------


def parent(code: str, found: ExtendedTable) -> str:
    """Where a new row or column comes from: elements carry the code, products are named in the inputs."""
    products = {product.code: product.industry for product in found.selection.inputs.products}
    return products.get(code, code.partition(".")[0])


def folded(matrix: np.ndarray, codes: tuple[str, ...], known: tuple[str, ...], found: ExtendedTable) -> np.ndarray:
    """Rows added up by parent."""
    total = np.zeros((len(known), *matrix.shape[1:]))
    for code, row in zip(codes, matrix, strict=True):
        total[known.index(parent(code, found))] += row
    return total


def test_every_row_and_column_sums_to_the_dollar(extended: ExtendedTable) -> None:
    old, new = extended.original, extended.table
    c = (new.commodities, old.commodities, extended)
    i = (new.industries, old.industries, extended)
    np.testing.assert_array_equal(folded(new.row_sums_c, *c), old.row_sums_c)
    np.testing.assert_array_equal(folded(new.commodity_output_c, *c), old.commodity_output_c)
    np.testing.assert_array_equal(folded(new.column_sums_i, *i), old.column_sums_i)
    np.testing.assert_array_equal(folded(new.industry_output_i, *i), old.industry_output_i)
    np.testing.assert_array_equal(folded(new.final_cf, *c), old.final_cf)
    np.testing.assert_array_equal(folded(new.value_vi.T, *i), old.value_vi.T)
    # Each industry makes and buys as much as before, and each new row and column balances by itself.
    np.testing.assert_array_equal(folded(folded(new.make_ic, *i).T, *c), old.make_ic.T)
    np.testing.assert_array_equal(
        new.row_sums_c[len(old.commodities) :], new.commodity_output_c[len(old.commodities) :]
    )
    np.testing.assert_array_equal(
        new.column_sums_i[len(old.industries) :], new.industry_output_i[len(old.industries) :]
    )
    assert min(new.use_ci.min(), new.make_ic.min()) >= 0.0
    assert set(extended.gaps().values()) == {0.0}


def test_imports_stay_within_purchases_and_within_their_row(extended: ExtendedTable) -> None:
    old, new = extended.original, extended.table
    place = new.final_codes.index("F05000")
    assert (new.final_cf[:, place] <= 0.0).all()
    if old.imports_ci is None or new.imports_ci is None:
        assert new.imports_ci is None
        # Of which nothing tells the buyers: elements are imported in the proportion of their row, to the dollar.
        ratio = -old.final_cf[0, place] / (old.row_sums_c[0] - old.final_cf[0, place])
        rows = [new.commodity(code) for code in extended.element_codes]
        np.testing.assert_allclose(-new.final_cf[rows, place], ratio * new.use_ci[rows].sum(axis=1), rtol=0.0, atol=0.5)
        return
    assert (new.imports_ci <= new.use_ci).all()
    assert new.imports_ci.min() >= 0.0
    rows = folded(new.imports_ci.sum(axis=1), new.commodities, old.commodities, extended)
    np.testing.assert_array_equal(rows, old.imports_ci.sum(axis=1))


def test_elements_are_in_the_table_what_industries_buy(extended: ExtendedTable, selection: Selection) -> None:
    rows = [extended.table.commodity(code) for code in extended.element_codes]
    np.testing.assert_array_equal(extended.table.use_ci[rows], extended.purchases_eai.sum(axis=1))
    # All of the spending, and none of it twice.
    np.testing.assert_array_equal(extended.purchases_eai.sum(axis=2), np.rint(selection.value_ea))
    # Magnets are sold to others: what the industry buys of elements goes into them.
    assert not extended.purchases_eai[:, :, extended.table.industry("K1")].any()
    held = extended.purchases_eai[:, :, extended.table.industry("magnets")]
    np.testing.assert_array_equal(held[:, selection.applications.index("magnets")], [1e6, 20e6])


def test_added_back_together_it_is_the_original_but_for_transfers(extended: ExtendedTable) -> None:
    old, merged = extended.original, extended.merged()
    difference = merged.use_ci - old.use_ci
    for move in extended.transfers:
        r, k = old.commodity("K0"), old.commodity(move.donor_commodity)
        j, d = old.industry(move.receiver), old.industry(move.donor_industry)
        for row, column, sign in ((r, j, 1), (r, d, -1), (k, j, -1), (k, d, 1)):
            difference[row, column] -= sign * move.amount
    np.testing.assert_array_equal(difference, 0.0)
    for name in ("make_ic", "final_cf", "value_vi"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(old, name))
    if not extended.transfers:
        np.testing.assert_array_equal(merged.imports_ci, old.imports_ci)


@pytest.mark.parametrize(("draws", "moves"), [(STILL, False), (MOVING, True)])
def test_the_draws_are_what_they_are_said_to_be(
    draws: list[tuple[int, bool]], moves: bool, selection: Selection
) -> None:
    assert {bool(extend(draw_table(*draw), selection).transfers) for draw in draws} == {moves}


# --- laws of requirements ---------------------------------------------------------------------------------------------


def test_every_dollar_of_an_element_is_called_for_by_final_demand(extended: ExtendedTable) -> None:
    """Requirements of commodities times final demand net of imports, summed, is all that is bought of the element."""
    net = extended.table.commodity_output_c - extended.table.use_ci.sum(axis=1)
    for scrap in ("adjusted", "commodity"):
        system = leontief(extended.table, "total", scrap)  # type: ignore[arg-type]
        found = extended.requirements(system, "commodity") @ net
        # The chain is for output, which is below what the table's final demand says by nothing: drawn tables balance.
        np.testing.assert_allclose(found, extended.purchases_eai.sum(axis=2), rtol=SUMMED, atol=1e-6)


def test_requirements_are_rows_of_the_commodity_table_and_not_below_direct_ones(extended: ExtendedTable) -> None:
    system = leontief(extended.table)
    rows = [extended.table.commodity(code) for code in extended.element_codes]
    by_commodity = extended.requirements(system, "commodity").sum(axis=1)
    # The textbook's tr_es: row e of (I - B W)^-1, less the element itself in its own column.
    textbook = system.commodity_by_commodity()[rows] - np.eye(len(system.direct_ci))[rows]
    np.testing.assert_allclose(by_commodity, textbook, rtol=1e-9, atol=1e-15)
    direct = extended.purchases_eai.sum(axis=1) / extended.table.industry_output_i
    assert (totals(extended) >= direct * (1.0 - SUMMED)).all()
    if extended.table.imports_ci is not None:
        assert (totals(extended, "domestic") <= totals(extended) * (1.0 + SUMMED)).all()
        assert (totals(extended, "domestic") >= direct * (1.0 - SUMMED)).all()


@pytest.mark.parametrize(("seed", "imports"), STILL)
@pytest.mark.parametrize("factor", [0.25, 0.5])
def test_requirements_are_linear_in_prices(seed: int, imports: bool, factor: float, selection: Selection) -> None:
    """As long as no purchases move, which changes who buys what else, and no products are split off, which cost more then."""
    table, plain = draw_table(seed, imports), without_products(selection)
    dear, cheap = extend(table, plain), extend(table, priced(plain, factor))
    np.testing.assert_allclose(totals(cheap), factor * totals(dear), rtol=DOLLARS)


@pytest.mark.parametrize(("seed", "imports"), STILL)
def test_a_row_split_in_proportion_changes_nothing_else(seed: int, imports: bool, selection: Selection) -> None:
    """Elements are made and imported as what they come out of: industries' requirements of each other stay."""
    table = draw_table(seed, imports)
    found = extend(table, without_products(selection))
    assert len(found.table.commodities) == len(table.commodities) + 2
    for origin, scrap in itertools.product(("total", "domestic") if imports else ("total",), ("adjusted", "commodity")):
        before, after = (leontief(each, origin, scrap) for each in (table, found.table))  # type: ignore[arg-type]
        np.testing.assert_allclose(
            after.industry_by_industry(), before.industry_by_industry(), rtol=DOLLARS, atol=1e-12
        )


@pytest.mark.parametrize(("seed", "imports"), [*STILL, *MOVING])
def test_the_order_of_industries_does_not_matter(seed: int, imports: bool, selection: Selection) -> None:
    table = draw_table(seed, imports)
    turn = np.random.default_rng(seed).permutation(len(table.industries))
    turned = SupplyUse(
        tuple(np.array(table.industries)[turn]), table.commodities, table.final_codes, table.value_codes,
        make_ic=table.make_ic[turn], use_ci=table.use_ci[:, turn], final_cf=table.final_cf,
        value_vi=table.value_vi[:, turn],
        imports_ci=None if table.imports_ci is None else table.imports_ci[:, turn],
    )  # fmt: skip
    plain, other = extend(table, selection), extend(turned, selection)
    assert set(other.transfers) == set(plain.transfers)
    frames = [pd.DataFrame(totals(found).T, index=list(found.table.industries)) for found in (plain, other)]
    # A dollar that is left over may go to another cell.
    pd.testing.assert_frame_equal(frames[1].loc[frames[0].index], frames[0], rtol=DOLLARS)


def test_averages_over_parents(extended: ExtendedTable) -> None:
    table = extended.table
    for by, size in (("industry", len(table.industries)), ("commodity", len(table.commodities))):
        found = extended.per_parent(np.full((2, size), 3.5), by)  # type: ignore[arg-type]
        made = extended.original.industry_output_i if by == "industry" else extended.original.commodity_output_c
        np.testing.assert_allclose(found, np.where(made > 0.0, 3.5, 0.0) * np.ones((2, 1)), rtol=SUMMED)
    # What an industry buys is what its parts buy: direct requirements average to spending over output.
    direct = extended.purchases_eai.sum(axis=1) / table.industry_output_i
    bought = folded(extended.purchases_eai.sum(axis=1).T, table.industries, extended.original.industries, extended).T
    expected = bought / extended.original.industry_output_i
    np.testing.assert_allclose(extended.per_parent(direct), expected, rtol=SUMMED)


# --- a second implementation ------------------------------------------------------------------------------------------


def spending(table: SupplyUse, selection: Selection) -> dict[str, dict[str, float]]:
    """Needs by element and industry, of a table whose industries and applications are the small ones."""
    row = dict(zip(table.industries, table.use_ci[0].tolist(), strict=True))
    share = {"K2": row["K2"] / (row["K2"] + row["K3"]), "K3": row["K3"] / (row["K2"] + row["K3"])}
    value = dict(zip(selection.elements, selection.value_ea.tolist(), strict=True))
    magnets, glass = (selection.applications.index(name) for name in ("magnets", "glass"))
    return {
        element: {"K1": by[magnets], "K2": by[glass] * share["K2"], "K3": by[glass] * share["K3"]}
        for element, by in value.items()
    }  # fmt: skip


def test_the_table_again_in_dictionaries(extended: ExtendedTable) -> None:
    selection = extended.selection
    ledger = Ledger.of(extended.original)
    ledger.extend(
        "K0", spending(extended.original, selection),
        [(donor.receiver, donor.industry, donor.commodity) for donor in selection.inputs.donors],
        [(product.code, product.industry, product.users) for product in selection.inputs.products],
    )  # fmt: skip
    imports = extended.table.imports_ci is not None
    for scrap, origin in itertools.product(("adjusted", "commodity"), ("total", "domestic") if imports else ("total",)):
        theirs = ledger.requirements(scrap, origin)
        expected = np.array([[theirs[code][i] for i in extended.table.industries] for code in extended.element_codes])
        np.testing.assert_allclose(totals(extended, origin, scrap), expected, rtol=DOLLARS, atol=1e-12)


def magnets_by_hand(tmp_path: Path, **changed: str) -> Selection:
    """One element E out of K: 60 USD into magnets made in F, 40 into polishing in G; half of what G buys of F is magnets."""
    tables = {
        "elements": "element,name,commodity\nE,an element,K\n",
        "applications": "application,default\nmagnets,yes\npolish,yes\n",
        "tonnes": "application,element,tonnes,status,source\nmagnets,E,0.06,V,us\npolish,E,0.04,V,us\n",
        "us_share": "variant,application,share,status,source\nusgs,magnets,1,V,us\nusgs,polish,1,V,us\n",
        "prices": "vintage,element,usd_per_kg_low,usd_per_kg_high,status,source\n2012-12,E,0.5,1.5,V,us\n",
        "uses": "application,industry,weight,status,source\nmagnets,F,1,V,us\npolish,G,purchases,V,us\n",
        "products": "product,industry,sic,user,share,status,source\nmagnets,F,,G,0.5,V,us\n",
        "donors": "receiver,donor_industry,donor_commodity,status,reason\n",
        "complementarity": "element,score,at_least,status,source\nE,50,,V,us\n",
    }
    return read_inputs(write_inputs(tmp_path, **{**tables, **changed})).choose(Choices())


def test_the_extended_table_by_hand(tmp_path: Path) -> None:
    """Magnets sell for 200 and hold 60 of E. F's other costs are 940, of which 140 go into magnets, in proportion.

    k: 140 x 140/940 = 20.9, so 21; g: 100 x 140/940 = 14.9, so 15; scrap: 50 x 140/940 = 7.4, so 7; value added takes what
    is left of the 140, which is 97.
    """
    found = extend(by_hand(), magnets_by_hand(tmp_path))
    table = found.table
    assert table.industries == ("K", "F", "G", "magnets")
    assert table.commodities == ("K", "F", "G", SCRAP, "K.E", "magnets")
    np.testing.assert_array_equal(
        table.use_ci,
        [[0, 119, 60, 21], [0, 0, 200, 0], [0, 85, 0, 15], [0, 43, 0, 7], [0, 0, 40, 60], [0, 0, 200, 0]],
    )
    np.testing.assert_array_equal(table.value_vi, [[1000, 553, 1500, 97]])
    np.testing.assert_array_equal(
        table.make_ic, [[900, 0, 0, 0, 100, 0], [0, 700, 0, 100, 0, 0], [0, 0, 2000, 0, 0, 0], [0, 0, 0, 0, 0, 200]]
    )
    np.testing.assert_array_equal(table.final_cf[:, 0], [700, 500, 1900, 50, 0, 0])
    assert found.transfers == ()


def test_requirements_of_the_extended_table_by_hand(tmp_path: Path) -> None:
    """Nobody sells E to K. Scrap adjusted, a dollar of f calls for 800/700 of F.

    magnets = 60/200 + 15/200 G;  F = 85/800 G;  G = 40/2000 + 200/2000 magnets + 200/2000 x 8/7 F
    """
    found = extend(by_hand(), magnets_by_hand(tmp_path))
    g = Fraction(5, 100) / (1 - Fraction(15, 2000) - Fraction(8, 70) * Fraction(85, 800))
    magnets, f = Fraction(3, 10) + Fraction(15, 200) * g, Fraction(85, 800) * g
    np.testing.assert_allclose(totals(found)[0], [0.0, float(f), float(g), float(magnets)], rtol=SUMMED)
    # By commodity: scrap calls for nothing, E itself is made in K, which buys none.
    by_commodity = found.requirements(leontief(found.table), "commodity").sum(axis=(0, 1))
    expected = [0.0, float(Fraction(8, 7) * f), float(g), 0.0, 0.0, float(magnets)]
    np.testing.assert_allclose(by_commodity, expected, rtol=SUMMED)
    # Scrap as a product: magnets and F buy 7 and 43 of it, which F makes; f is then F's dollar for dollar.
    g = Fraction(5, 100) / (1 - Fraction(15, 2000) - (Fraction(1, 10) + Fraction(7, 2000)) * Fraction(85, 757))
    f = Fraction(85, 757) * g
    magnets = Fraction(3, 10) + Fraction(15, 200) * g + Fraction(7, 200) * f
    np.testing.assert_allclose(
        totals(found, scrap="commodity")[0], [0.0, float(f), float(g), float(magnets)], rtol=SUMMED
    )
    # Industry F of before is a fifth magnets.
    np.testing.assert_allclose(
        found.per_parent(totals(found, scrap="commodity"))[0],
        [0.0, float((4 * f + magnets) / 5), float(g)],
        rtol=SUMMED,
    )


# --- purchases that move ----------------------------------------------------------------------------------------------


def needing(amount: float, tmp_path: Path, donors: str = "", polish: float = 0.04) -> Selection:
    """The element in magnets that F makes, thousands of USD, with donors."""
    head = "receiver,donor_industry,donor_commodity,status,reason\n"
    tonnes = f"application,element,tonnes,status,source\nmagnets,E,{amount},V,us\npolish,E,{polish},V,us\n"
    return without_products(magnets_by_hand(tmp_path, donors=head + donors, tonnes=tonnes))


def test_a_transfer_by_hand(tmp_path: Path) -> None:
    """F has 200 of k and needs 245; G has 100 and needs 40 itself, so 45 move, against as much of g, of which F buys 100."""
    found = extend(by_hand(), needing(0.245, tmp_path, "F,G,G,V,as alloys\n"))
    (move,) = found.transfers
    assert (move.receiver, move.donor_industry, move.donor_commodity, move.amount) == ("F", "G", "G", 45.0)
    assert move.reason == "as alloys"
    merged = found.merged().use_ci
    np.testing.assert_array_equal(merged, [[0, 245, 55], [0, 0, 400], [0, 55, 45], [0, 50, 0]])
    np.testing.assert_array_equal(found.table.use_ci[0], [0, 0, 15])
    np.testing.assert_array_equal(merged.sum(axis=0), by_hand().use_ci.sum(axis=0))
    np.testing.assert_array_equal(merged.sum(axis=1), by_hand().use_ci.sum(axis=1))


def test_donors_keep_their_own_elements_and_are_asked_in_order(tmp_path: Path) -> None:
    """G can give 60: what it buys less the 40 it needs. After that the next one is asked, and then there is none."""
    extend(by_hand(), needing(0.26, tmp_path / "a", "F,G,G,V,one\n"))
    with pytest.raises(
        DataError, match=r"F needs 0\.0 million USD .* hold 0\.0 with all donors; name more in donors\.csv"
    ):
        extend(by_hand(), needing(0.261, tmp_path / "b", "F,G,G,V,one\n"))
    with pytest.raises(DataError, match="F needs"):
        extend(by_hand(), needing(0.201, tmp_path / "c"))
    with pytest.raises(DataError, match="G needs"):
        extend(by_hand(), needing(0.1, tmp_path / "d", "F,G,G,V,one\n", polish=0.11))
    # With K buying 30 of k: the first donor gives all of it, and the second the rest, both against what F buys of g.
    use, value = by_hand().use_ci.copy(), by_hand().value_vi.copy()
    use[0, 0], value[0, 0] = 30.0, 970.0
    final = by_hand().final_cf - np.array([[30.0], [0.0], [0.0], [0.0]])
    table = by_hand().replace(use_ci=use, value_vi=value, final_cf=final)
    found = extend(table, needing(0.245, tmp_path / "e", "F,K,G,V,one\nF,G,G,V,two\n"))
    assert [(move.donor_industry, move.amount) for move in found.transfers] == [("K", 30.0), ("G", 15.0)]
    np.testing.assert_array_equal(found.merged().use_ci, [[0, 245, 85], [0, 0, 400], [30, 55, 15], [0, 50, 0]])


def test_imports_move_with_what_is_bought(tmp_path: Path) -> None:
    abroad = np.array([[0, 50, 30], [0, 0, 80], [0, 40, 0], [0, 0, 0]])
    table = by_hand().replace(imports_ci=abroad)
    found = extend(table, needing(0.245, tmp_path, "F,G,G,V,as alloys\n"))
    # 30 of the 100 that the donor buys are imported, so 13.5 of 45 move, rounded to even; 40 of 100 the other way, 18.
    merged = found.merged().imports_ci
    np.testing.assert_array_equal(merged, [[0, 64, 16], [0, 0, 80], [0, 22, 18], [0, 0, 0]])


def test_dollars_of_imports_that_rounding_leaves_fit(tmp_path: Path) -> None:
    """Four elements fill a cell of 100, of which 75 are imported: 1, 1 and 1 of which 0.75 are, and 97 of which 72.75 are."""
    elements = "".join(f"{name},an element,K\n" for name in "ABCD")
    tonnes = "".join(
        f"polish,{name},{tonnes},V,us\n" for name, tonnes in zip("ABCD", (0.001, 0.001, 0.001, 0.097), strict=True)
    )
    found = extend(
        by_hand().replace(imports_ci=np.array([[0, 50, 75], [0, 0, 80], [0, 40, 0], [0, 0, 0]])),
        without_products(magnets_by_hand(
            tmp_path, elements=f"element,name,commodity\n{elements}",
            tonnes=f"application,element,tonnes,status,source\n{tonnes}magnets,A,0,V,us\n",
            prices="vintage,element,usd_per_kg_low,usd_per_kg_high,status,source\n"
            + "".join(f"2012-12,{name},1,1,V,us\n" for name in "ABCD"),
            complementarity="element,score,at_least,status,source\n" + "".join(f"{name},50,,V,us\n" for name in "ABCD"),
        )),
    )  # fmt: skip
    bought, abroad = found.table.use_ci[:, 2], found.table.imports_ci[:, 2]
    np.testing.assert_array_equal(bought, [0, 400, 0, 0, 1, 1, 1, 97])
    np.testing.assert_array_equal(abroad, [0, 80, 0, 0, 1, 1, 1, 72])


# --- products ---------------------------------------------------------------------------------------------------------


def test_a_product_cannot_cost_more_than_it_sells_for(tmp_path: Path) -> None:
    def cost(amount: float, share: float, name: str) -> ExtendedTable:
        tonnes = f"application,element,tonnes,status,source\nmagnets,E,{amount},V,us\npolish,E,0.04,V,us\n"
        products = f"product,industry,sic,user,share,status,source\nmagnets,F,,G,{share},V,us\n"
        return extend(by_hand(), magnets_by_hand(tmp_path / name, tonnes=tonnes, products=products))

    cost(0.199, 0.5, "a")
    for amount, share, name in ((0.2, 0.5, "b"), (0.06, 0.1, "c")):
        with pytest.raises(
            DataError, match=r"magnets: .* go into products that are made at home for .* name more users or larger"
        ):
            cost(amount, share, name)
    # Other costs are then near nothing, and none is below it.
    assert cost(0.199, 0.5, "d").table.value_vi.min() >= 0.0


def test_a_product_made_of_everything_is_the_industry(tmp_path: Path) -> None:
    """Where all that is sold counts as the product its users need the same; only who makes it has another name."""
    everything = "product,industry,sic,user,share,status,source\nmagnets,F,,G,1,V,us\n"
    use = by_hand().use_ci.copy()
    final = by_hand().final_cf.copy()
    use[1, 2], final[1, 0] = 900.0, 0.0
    value = by_hand().value_vi.copy()
    value[0, 2] = 1000.0
    make = np.diag([1000.0, 900.0, 2000.0])
    table = by_hand().replace(
        use_ci=np.vstack([use[:3], [[0, 0, 0]]]), final_cf=np.vstack([final[:3], [[0]]]),
        make_ic=np.column_stack([make, np.zeros(3)]), value_vi=value - [[0, 50, 0]],
    )  # fmt: skip
    split = extend(table, magnets_by_hand(tmp_path / "a", products=everything))
    whole = extend(table, without_products(magnets_by_hand(tmp_path / "b")))
    place = split.table.industry("magnets")
    assert split.table.industry_output_i[1] == 0.0
    np.testing.assert_allclose(totals(split)[0, [0, 2, place]], totals(whole)[0, [0, 2, 1]], rtol=SUMMED)
    np.testing.assert_allclose(split.per_parent(totals(split)), totals(whole), rtol=SUMMED)


def test_users_of_a_product_carry_its_elements_and_others_do_not(selection: Selection) -> None:
    """With all spending on magnets, an industry without a chain to their users needs none."""
    only, table = replace(selection, applications=("magnets",)), draw_table(SOLD, imports=False)
    found, plain = extend(table, only), extend(table, without_products(only))
    users = dict(
        zip(found.table.industries, found.table.use_ci[found.table.commodity("magnets")].tolist(), strict=True)
    )
    before = dict(zip(table.industries, table.use_ci[table.commodity("K1")].tolist(), strict=True))
    assert min(before["K2"], before["K3"]) > 1e6
    # As the inputs say: all that K2 buys of it and half of what K3 buys are magnets.
    assert users == {"K0": 0.0, "K1": 0.0, "K2": before["K2"], "K3": before["K3"] / 2.0, "magnets": 0.0}
    # What final demand buys of the industry holds nothing any more: so the users' requirements rise.
    assert (totals(found)[:, [2, 3]] > totals(plain)[:, [2, 3]]).all()
    assert (totals(found)[:, 1] < totals(plain)[:, 1]).all()


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_inputs_that_do_not_fit_the_table_are_told(inputs: Inputs, selection: Selection) -> None:
    table = draw_table(3, imports=False)

    def refused(message: str, **changes: object) -> None:
        with pytest.raises(DataError, match=message):
            extend(table, replace(selection, inputs=replace(inputs, **changes)))  # type: ignore[arg-type]

    refused("the table has no industry 99", uses={**inputs.uses, "glass": {"99": 1.0}})
    refused("the table has no commodity 99", commodity="99")
    refused("the table has no industry 99", products=(Product("magnets", "K1", "", {"99": 1.0}),))
    refused("the table has no commodity 99", products=(Product("magnets", "99", "", {"K1": 1.0}),))
    empty = table.use_ci.copy()
    empty[0, [2, 3]] = 0.0
    final = table.final_cf.copy()
    final[0, 0] += table.use_ci[0, [2, 3]].sum()
    value = table.value_vi.copy()
    value[0, [2, 3]] += table.use_ci[0, [2, 3]]
    with pytest.raises(DataError, match=r"glass: none of K2, K3 buys K0; give weights in uses\.csv"):
        extend(table.replace(use_ci=empty, final_cf=final, value_vi=value), selection)


# --- apportioning -----------------------------------------------------------------------------------------------------


@given(
    st.integers(0, 10**12),
    st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e9)), min_size=1, max_size=12).filter(any),
)
@settings(max_examples=100, deadline=None)
def test_parts_are_whole_add_up_and_are_within_one_of_their_share(total: int, weights: list[float]) -> None:
    parts = apportion(float(total), np.array(weights))
    assert parts.sum() == total
    np.testing.assert_array_equal(parts, np.rint(parts))
    exact = np.array([float(Fraction(weight) * total / sum(map(Fraction, weights))) for weight in weights])
    # Shares are floats: of 10^12 they may be off by a thousandth.
    assert np.abs(parts - exact).max() < 1.001
    assert not parts[np.array(weights) == 0.0].any()


def test_parts_by_largest_remainders() -> None:
    np.testing.assert_array_equal(apportion(10.0, np.array([1.0, 1.0, 1.0])), [4.0, 3.0, 3.0])
    np.testing.assert_array_equal(apportion(10.0, np.array([0.26, 0.26, 0.48])), [3.0, 2.0, 5.0])
    np.testing.assert_array_equal(apportion(7.0, np.array([2.0, 0.0, 5.0])), [2.0, 0.0, 5.0])
    np.testing.assert_array_equal(apportion(7.0, np.zeros(3)), np.zeros(3))


# --- the tables of 2012 -----------------------------------------------------------------------------------------------


@functools.cache
def raw(variant: str) -> SupplyUse:
    return read(Path(RAW) / "bea2012", variant)  # type: ignore[arg-type]


def rows(name: str) -> list[dict[str, str]]:
    with (RARE_EARTHS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def ledger_of_rare_earths(variant: str) -> Ledger:
    """The whole table again from the files: raw tables and inputs read and worked by other code."""
    ledger = Ledger.of_files(Path(RAW) / "bea2012", variant)
    price = {
        row["element"]: (float(row["usd_per_kg_low"]) + float(row["usd_per_kg_high"])) / 2.0
        for row in rows("prices") if row["vintage"] == "2012-12"
    }  # fmt: skip
    share = {row["application"]: float(row["share"]) for row in rows("us_share") if row["variant"] == "usgs"}
    users: dict[str, dict[str, float]] = {}
    for row in rows("uses"):
        own = max(ledger.use["325180", row["industry"]], 0.0)
        users.setdefault(row["application"], {})[row["industry"]] = (
            own if row["weight"] == "purchases" else float(row["weight"])
        )
    default = {row["application"] for row in rows("applications") if row["default"] == "yes"}
    needs: dict[str, dict[str, float]] = {row["element"]: {} for row in rows("elements")}
    for row in rows("tonnes"):
        application, element = row["application"], row["element"]
        if application not in default or element not in needs:
            continue
        value = float(row["tonnes"]) * 1000.0 * share[application] * price[element]
        for industry, weight in users[application].items():
            part = value * weight / sum(users[application].values())
            needs[element][industry] = needs[element].get(industry, 0.0) + part
    magnets = {row["user"]: float(row["share"]) for row in rows("products")}
    donors = [(row["receiver"], row["donor_industry"], row["donor_commodity"]) for row in rows("donors")]
    ledger.extend("325180", needs, donors, [("magnets", "332999", magnets)])
    return ledger


@pytest.mark.shared
@pytest.mark.skipif(not RAW, reason="REESIM_SHARED_DATA does not name the raw tables")
class TestPublishedTables:
    @pytest.mark.parametrize(("variant", "origin"), [("after", "total"), ("before", "domestic")])
    def test_rare_earths_again_from_the_files(self, variant: str, origin: str) -> None:
        found = extend(raw(variant), read_inputs().choose(Choices()))
        theirs = ledger_of_rare_earths(variant.capitalize()).requirements("adjusted", origin)
        expected = np.array([[theirs[code][i] for i in found.table.industries] for code in found.element_codes])
        # Cells are rounded to dollars; the smallest that count, an element in an alloy, are some thousands of dollars.
        np.testing.assert_allclose(totals(found, origin), expected, rtol=1e-5, atol=1e-12)

    @pytest.mark.parametrize("variant", ["after", "before"])
    @pytest.mark.parametrize("prices", ["2009Q1", "2012-12", "2011-09-16 ex works"])
    def test_balances(self, variant: str, prices: str) -> None:
        table = raw(variant)
        found = extend(table, read_inputs().choose(Choices(prices=prices, applications="all")))
        merged = found.merged()
        assert set(found.gaps().values()) == {0.0}
        np.testing.assert_array_equal(merged.row_sums_c, table.row_sums_c)
        np.testing.assert_array_equal(merged.column_sums_i, table.column_sums_i)
        np.testing.assert_array_equal(merged.make_ic, table.make_ic)
        np.testing.assert_array_equal(merged.final_cf, table.final_cf)
        changed = np.argwhere(merged.use_ci != table.use_ci)
        touched = {("325180", move.receiver) for move in found.transfers} | {
            pair
            for move in found.transfers
            for pair in (
                ("325180", move.donor_industry), (move.donor_commodity, move.receiver),
                (move.donor_commodity, move.donor_industry),
            )
        }  # fmt: skip
        assert {(table.commodities[row], table.industries[column]) for row, column in changed} == touched

    def test_magnets_need_purchases_to_move(self) -> None:
        """The cell is zero: all of 72.8 million moves; catalysts buy 22 million and need 35.4, so 13.4 move."""
        found = extend(raw("after"), read_inputs().choose(Choices()))
        moved = {move.receiver: move.amount for move in found.transfers}
        value = dict(zip(found.selection.applications, found.selection.value_ea.sum(axis=0).tolist(), strict=True))
        # Dollars are rounded element by element.
        assert moved == pytest.approx(
            {"332999": value["magnets"], "336390": value["automobile catalysts"] - 22e6}, abs=3.0, rel=0.0
        )

    def test_every_dollar_is_called_for_by_final_demand(self) -> None:
        found = extend(raw("after"), read_inputs().choose(Choices()))
        net = found.table.commodity_output_c - found.table.use_ci.sum(axis=1)
        called = found.requirements(leontief(found.table), "commodity") @ net
        np.testing.assert_allclose(called, found.purchases_eai.sum(axis=2), rtol=1e-11, atol=1e-3)
