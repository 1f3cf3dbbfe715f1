"""The extended table: element rows out of one commodity, products out of an industry, every balance kept to the dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reesim.empirics.iotable.bea import IMPORTS, SupplyUse
from reesim.empirics.iotable.material import Donor, Product, Selection
from reesim.empirics.iotable.requirements import By, Leontief
from reesim.errors import DataError

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Purchases that move around a rectangle of the Use table, so that no row or column changes its sum.

    The receiver buys ``amount`` more of the element commodity and as much less of the donor's product; the donor industry buys
    as much less of the element commodity and more of that product.
    """

    receiver: str
    donor_industry: str
    donor_commodity: str
    amount: float
    """USD."""
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ExtendedTable:
    """A table with the elements as commodities and the products that hold them as industries.

    Parameters
    ----------
    original, table : SupplyUse
        Before and after.
    selection : Selection
        Inputs that went in.
    purchases_eai : (E, A, I) ndarray
        Purchases of each element by application and industry of the extended table, USD.
    transfers : tuple of Transfer
    parents : mapping of str to str
        Code of the original row or column of each new one.
    """

    original: SupplyUse
    table: SupplyUse
    selection: Selection
    purchases_eai: Array
    transfers: tuple[Transfer, ...]
    parents: Mapping[str, str]

    @property
    def element_codes(self) -> tuple[str, ...]:
        """Commodity codes of the elements' rows."""
        return tuple(f"{self.selection.inputs.commodity}.{element}" for element in self.selection.elements)

    def requirements(self, system: Leontief, by: By = "industry") -> Array:
        """Total requirements by element and application, (E, A, I or C), USD per USD of final demand."""
        e, a, i = self.purchases_eai.shape
        flat = system.of_inputs(self.purchases_eai.reshape(e * a, i), by)
        return flat.reshape(e, a, -1)

    def gaps(self) -> dict[str, float]:
        """Largest differences, USD, between sums of the original and of the extended table: zero, or the table is wrong."""
        merged = self.merged()
        pairs = {
            "rows of Use and final demand": (merged.row_sums_c, self.original.row_sums_c),
            "columns of Use and value added": (merged.column_sums_i, self.original.column_sums_i),
            "rows of Make": (merged.industry_output_i, self.original.industry_output_i),
            "columns of Make": (merged.commodity_output_c, self.original.commodity_output_c),
            "final demand by category": (merged.final_cf.sum(axis=0), self.original.final_cf.sum(axis=0)),
        }
        gaps = {name: float(np.abs(left - right).max()) for name, (left, right) in pairs.items()}
        rows, columns = self._parents("commodity"), self._parents("industry")
        allowed = np.minimum(self.original.use_ci[np.ix_(rows, columns)], 0.0)
        gaps["remainders below zero in Use"] = float(np.maximum(allowed - self.table.use_ci, 0.0).max())
        gaps["remainders below zero in Make"] = float(np.maximum(-self.table.make_ic, 0.0).max())
        gaps["imports beyond what is bought"] = float(
            np.maximum(_beyond(self.table) - _beyond(self.original)[np.ix_(rows, columns)], 0.0).max()
        )
        return gaps

    def merged(self) -> SupplyUse:
        """Return the table with new rows and columns added back into their parents: the original but for the transfers."""
        old, new = self.original, self.table
        c, i = len(old.commodities), len(old.industries)
        rows, columns = self._parents("commodity"), self._parents("industry")

        def folded(matrix: Array, axis: int, places: Places, size: int) -> Array:
            # New rows and columns are appended to the old ones, so only those few are added back.
            kept, added = np.split(matrix, [size], axis=axis)
            total = kept.copy()
            np.add.at(total if axis == 0 else total.T, places[size:], added if axis == 0 else added.T)
            return total

        def both(matrix: Array) -> Array:
            return folded(folded(matrix, 0, rows, c), 1, columns, i)

        return old.replace(
            make_ic=both(new.make_ic.T).T,
            use_ci=both(new.use_ci),
            final_cf=folded(new.final_cf, 0, rows, c),
            value_vi=folded(new.value_vi, 1, columns, i),
            imports_ci=None if new.imports_ci is None else both(new.imports_ci),
        )

    def _parents(self, kind: By) -> Places:
        """Position in the original table of each row or column of the extended one."""
        old, new = self.original, self.table
        known, codes = (old.commodities, new.commodities) if kind == "commodity" else (old.industries, new.industries)
        places = {code: place for place, code in enumerate(known)}
        return np.array([places[self.parents.get(code, code)] for code in codes])

    def per_parent(self, values: Array, by: By = "industry") -> Array:
        """Average over the parts of each original industry or commodity, weighted by output.

        Parameters
        ----------
        values : (..., I or C) ndarray
            By industry or commodity of the extended table.

        Returns
        -------
        (..., I or C) ndarray
            By those of the original; zero where nothing is made.
        """
        new = self.table
        output = new.industry_output_i if by == "industry" else new.commodity_output_c
        places = self._parents(by)
        size = len(self.original.industries if by == "industry" else self.original.commodities)
        weight = np.bincount(places, output, size)
        total = np.zeros((*values.shape[:-1], size))
        np.add.at(np.moveaxis(total, -1, 0), places, np.moveaxis(values * output, -1, 0))
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.0)


def _beyond(table: SupplyUse) -> Array:
    """Imports above what is bought, (C, I): eight cells of the benchmark have some, where used goods are sold."""
    if table.imports_ci is None:
        return np.zeros_like(table.use_ci)
    return np.maximum(table.imports_ci - np.maximum(table.use_ci, 0.0), 0.0)


def extend(table: SupplyUse, selection: Selection) -> ExtendedTable:
    """Put the elements of a material into a table.

    1. Each application's spending, tonnes times share times price, goes to the industries that buy it.
    2. Where that exceeds what an industry buys of the commodity, purchases move there from named donors (`Transfer`).
    3. The commodity's row is split into the elements and the rest. Elements are made by the commodity's makers and imported, both
       in the proportions of the cells they come out of.
    4. Products that hold the material are split off their industries, row and column: sold to named users, made from the
       elements and, for the rest of their cost, from what the industry buys otherwise.

    Parameters
    ----------
    table : SupplyUse
    selection : Selection

    Returns
    -------
    ExtendedTable
        Every row and column sums to the original's, exactly.

    Raises
    ------
    DataError
        If the table has no such industry or commodity, donors cannot give what is needed, or a product's elements would cost more
        than it sells for.
    """
    inputs = selection.inputs
    purchases = _purchases(table, selection)
    moved, transfers = _transfer(table, purchases.sum(axis=(0, 1)), inputs.commodity, inputs.donors)
    wide = _split_row(moved, inputs.commodity, selection.elements, purchases.sum(axis=1))
    parents = {f"{inputs.commodity}.{element}": inputs.commodity for element in selection.elements}
    for product in inputs.products:
        wide, purchases = _split_product(wide, product, purchases, inputs.commodity, selection)
        parents[product.code] = product.industry
    result = ExtendedTable(table, wide, selection, purchases, transfers, parents)
    broken = {name: gap for name, gap in result.gaps().items() if gap > 0.0}
    if broken:
        raise DataError(f"the extended table does not balance: {broken} USD; this should not happen with any inputs")
    return result


def _purchases(table: SupplyUse, selection: Selection) -> Array:
    """Spending by element, application and industry, (E, A, I), in whole dollars."""
    value_ea = np.rint(selection.value_ea)
    purchases = np.zeros((*value_ea.shape, len(table.industries)))
    row = table.use_ci[table.commodity(selection.inputs.commodity)]
    for a, application in enumerate(selection.applications):
        weights = selection.inputs.uses[application]
        places = [table.industry(code) for code in weights]
        given = [row[place] if w is None else w for place, w in zip(places, weights.values(), strict=True)]
        share = np.maximum(np.array(given, dtype=np.float64), 0.0)
        if not share.sum() > 0.0:
            raise DataError(
                f"{application}: none of {', '.join(weights)} buys {selection.inputs.commodity}; give weights in uses.csv"
            )
        for e in range(len(value_ea)):
            purchases[e, a, places] = apportion(value_ea[e, a], share)
    return purchases


def apportion(total: float, weights: Array) -> Array:
    """Split a whole number in proportion to weights into whole numbers that add up to it, by largest remainders."""
    if not weights.sum() > 0.0:
        return np.zeros_like(weights)
    exact = total * (weights / weights.sum())
    parts: Array = np.floor(exact)
    left = int(np.rint(total - parts.sum()))
    parts[np.argsort(parts - exact, kind="stable")[:left]] += 1.0
    return parts


def _transfer(
    table: SupplyUse, needed_i: Array, commodity: str, donors: Sequence[Donor]
) -> tuple[SupplyUse, tuple[Transfer, ...]]:
    """Enlarge the cells that are smaller than the elements in them, at the cost of donors that keep their own."""
    use, imports = table.use_ci.copy(), None if table.imports_ci is None else table.imports_ci.copy()
    r, transfers = table.commodity(commodity), list[Transfer]()
    for j in np.flatnonzero(needed_i > np.maximum(use[r], 0.0)).tolist():
        receiver = table.industries[j]
        for donor in (donor for donor in donors if donor.receiver == receiver):
            d, k = table.industry(donor.industry), table.commodity(donor.commodity)
            amount = min(needed_i[j] - use[r, j], use[r, d] - needed_i[d], use[k, j])
            if not amount > 0.0:
                continue
            for matrix, moved in _around(use, imports, r, k, j, d, amount):
                matrix[r, j] += moved[0]
                matrix[r, d] -= moved[0]
                matrix[k, j] -= moved[1]
                matrix[k, d] += moved[1]
            transfers.append(Transfer(receiver, donor.industry, donor.commodity, float(amount), donor.reason))
        if use[r, j] < needed_i[j]:
            raise DataError(
                f"{receiver} needs {needed_i[j] / 1e6:,.1f} million USD of the elements and its purchases of {commodity} hold "
                f"{use[r, j] / 1e6:,.1f} with all donors; name more in donors.csv, or take lower prices or shares"
            )
    return table.replace(use_ci=use, imports_ci=imports), tuple(transfers)


def _around(
    use: Array, imports: Array | None, r: int, k: int, j: int, d: int, amount: float
) -> list[tuple[Array, tuple[float, float]]]:
    """Return what moves in each matrix: imports go along in the proportion of the cell that gives."""
    moves = [(use, (amount, amount))]
    if imports is not None:
        moves.append(
            (imports, (np.rint(amount * imports[r, d] / use[r, d]), np.rint(amount * imports[k, j] / use[k, j])))
        )
    return moves


def _split_row(table: SupplyUse, commodity: str, elements: Sequence[str], needed_ei: Array) -> SupplyUse:
    """Elements as commodities of their own; what is left keeps the old code."""
    r = table.commodity(commodity)
    imports_ei = _imports_of(table, r, needed_ei)
    final_ef = np.zeros((len(elements), len(table.final_codes)))
    abroad = _import_ratio(table, r) if table.imports_ci is None else None
    bought = needed_ei.sum(axis=1)
    entering = np.rint(bought * abroad) if abroad is not None else imports_ei.sum(axis=1)
    if IMPORTS in table.final_codes:
        final_ef[:, table.final_codes.index(IMPORTS)] = -entering
    made = bought + final_ef.sum(axis=1)
    make_ie = np.array([apportion(total, table.make_ic[:, r]) for total in made]).T
    names = {
        f"{commodity}.{element}": f"{element}, out of {table.names.get(commodity, commodity)}" for element in elements
    }
    return _append_commodities(table, r, names, needed_ei, final_ef, make_ie, imports_ei)


def _import_ratio(table: SupplyUse, row: int) -> float:
    """Imports over all uses, exports among them: the table after redefinitions does not say who buys what is imported."""
    if IMPORTS not in table.final_codes:
        return 0.0
    entering = -table.final_cf[row, table.final_codes.index(IMPORTS)]
    return float(entering / (table.row_sums_c[row] + entering))


def _imports_of(table: SupplyUse, row: int, part_ei: Array) -> Array:
    """Imported part of parts of a row's cells, in the proportion of each cell."""
    if table.imports_ci is None:
        return np.zeros_like(part_ei)
    return _imported(table.use_ci[row], table.imports_ci[row], part_ei)


def _imported(bought: Array, imported: Array, parts: Array) -> Array:
    """Imports in the parts (P, n) of cells (n,), in whole dollars: no part and no remainder holds more than is bought."""
    ratio = np.divide(imported, bought, out=np.zeros_like(bought), where=bought > 0.0)
    entering: Array = np.floor(parts * ratio)
    # Rounding down leaves dollars that may not fit into the remainder: they go back to the parts that have room.
    over = (imported - entering.sum(axis=0)) - np.maximum(bought - parts.sum(axis=0), 0.0)
    over = np.where(parts.sum(axis=0) > 0.0, np.maximum(over, 0.0), 0.0)
    for part, into in zip(parts, entering, strict=True):
        taken = np.minimum(over, part - into)
        into += taken
        over -= taken
    return entering


def _append_commodities(
    table: SupplyUse, row: int, names: Mapping[str, str], use: Array, final: Array, make_ie: Array, imports: Array
) -> SupplyUse:
    def less(matrix: Array, parts: Array) -> Array:
        rest = matrix.copy()
        rest[row] -= parts.sum(axis=0)
        return np.vstack([rest, parts])

    make = table.make_ic.copy()
    make[:, row] -= make_ie.sum(axis=1)
    if (make[:, row] < 0.0).any():
        raise DataError(f"the elements are worth more than all {table.commodities[row]} that is made")
    return table.replace(
        commodities=(*table.commodities, *names), use_ci=less(table.use_ci, use), final_cf=less(table.final_cf, final),
        make_ic=np.hstack([make, make_ie]), names={**table.names, **names},
        imports_ci=None if table.imports_ci is None else less(table.imports_ci, imports),
    )  # fmt: skip


def _split_product(
    table: SupplyUse, product: Product, purchases: Array, commodity: str, selection: Selection
) -> tuple[SupplyUse, Array]:
    """A product as commodity and industry of its own; returns the purchases of elements with its column as well."""
    row, column = table.commodity(product.industry), table.industry(product.industry)
    sold_i = np.zeros(len(table.industries))
    for user, share in product.users.items():
        place = table.industry(user)
        sold_i[place] = np.rint(share * max(table.use_ci[row, place], 0.0))
    imports_i = _imports_of(table, row, sold_i[None])
    entering = imports_i.sum() if table.imports_ci is not None else np.rint(sold_i.sum() * _import_ratio(table, row))
    final_f = np.zeros((1, len(table.final_codes)))
    if IMPORTS in table.final_codes:
        final_f[0, table.final_codes.index(IMPORTS)] = -entering
    output = float(sold_i.sum() - entering)
    elements = purchases[:, :, column]
    other = table.industry_output_i[column] - elements.sum()
    if not elements.sum() < output <= table.make_ic[column, row]:
        raise DataError(
            f"{product.code}: {elements.sum() / 1e6:,.1f} million USD of the elements go into products that are made at home for "
            f"{output / 1e6:,.1f}, of {table.make_ic[column, row] / 1e6:,.1f} that {product.industry} makes; name more users "
            "or larger shares in products.csv, or take lower prices or shares of the material"
        )
    make_ie = np.zeros((len(table.industries), 1))
    make_ie[column] = output
    name = {product.code: f"{product.code}, out of {table.names.get(product.industry, product.industry)}"}
    wide = _append_commodities(table, row, name, sold_i[None], final_f, make_ie, imports_i)
    return _split_column(wide, product, purchases, output, other, commodity, selection)


def _split_column(
    table: SupplyUse,
    product: Product,
    purchases: Array,
    output: float,
    other: float,
    commodity: str,
    selection: Selection,
) -> tuple[SupplyUse, Array]:
    """Costs of the product: all elements that the industry buys, and its other costs in proportion."""
    column = table.industry(product.industry)
    element_rows = [table.commodity(f"{commodity}.{element}") for element in selection.elements]
    costs = np.concatenate([table.use_ci[:, column], table.value_vi[:, column]])
    costs[element_rows] = 0.0
    # The rest of the column in proportion: value added is the last entry, and takes what rounding leaves.
    part = np.rint(costs * ((output - purchases[:, :, column].sum()) / other))
    part[-1] += output - purchases[:, :, column].sum() - part.sum()
    part[element_rows] = table.use_ci[element_rows, column]
    c = len(table.commodities)
    use = np.hstack([table.use_ci, part[:c, None]])
    use[:, column] -= part[:c]
    value = np.hstack([table.value_vi, part[c:, None]])
    value[:, column] -= part[c:]
    made = table.commodity(product.code)
    make = np.vstack([table.make_ic, np.zeros(c)])
    make[-1, made], make[column, made] = make[column, made], 0.0
    imports = None
    if table.imports_ci is not None:
        abroad = _imported(table.use_ci[:, column], table.imports_ci[:, column], part[None, :c])[0]
        imports = np.hstack([table.imports_ci, abroad[:, None]])
        imports[:, column] -= abroad
    wide = table.replace(
        industries=(*table.industries, product.code), use_ci=use, value_vi=value, make_ic=make, imports_ci=imports
    )
    longer = np.concatenate([purchases, purchases[:, :, column, None]], axis=2)
    longer[:, :, column] = 0.0
    return wide, longer
