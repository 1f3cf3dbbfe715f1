"""Small Make and Use tables, and the extended table a second time: other code, other algorithms, nothing rounded.

The package rounds to whole dollars and solves linear systems. Here purchases are real numbers in dictionaries, products are
split off line by line, and requirements are summed over the rounds of production, as textbooks tell them.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reesim.empirics.iotable.bea import IMPORTS, SupplyUse
from reesim.empirics.iotable.requirements import SCRAP

USD = 1_000_000
"""Tables are drawn in whole millions, as the published ones are."""

FINAL = ("F01000", "F04000", IMPORTS)
VALUE = ("V00100", "V00200", "V00300")
NOBODY = "N0"
"""A commodity that is only imported."""

INPUTS: dict[str, str] = {
    "elements": "element,name,commodity\nLa,lanthanum,K0\nDy,dysprosium,K0\n",
    "applications": "application,default\nmagnets,yes\nglass,yes\nlamps,no\n",
    "tonnes": (
        "application,element,tonnes,status,source\nmagnets,Dy,4000,M,memory\nmagnets,La,1000,M,memory\n"
        "glass,La,90000,V,a book\nlamps,La,500,V,a book\n"
    ),
    "us_share": (
        "variant,application,share,status,source\n"
        "usgs,magnets,0.5,M,memory\nusgs,glass,0.25,D,sums\nusgs,lamps,0.1,M,memory\n"
    ),
    "prices": (
        "vintage,element,usd_per_kg_low,usd_per_kg_high,status,source\n2012-12,La,1,3,V,a book\n2012-12,Dy,10,10,V,a book\n"
        "2011-12,La,5,5,D,sums\n2011-12,Dy,20,30,M,memory\n"
    ),
    "uses": (
        "application,industry,weight,status,source\nmagnets,K1,1,A,ours\n"
        "glass,K2,purchases,A,ours\nglass,K3,purchases,A,ours\nlamps,K3,1,A,ours\n"
    ),
    "products": (
        "product,industry,sic,user,share,status,source\nmagnets,K1,3499,K3,0.5,A,ours\nmagnets,K1,3499,K2,1,A,ours\n"
    ),
    "donors": (
        "receiver,donor_industry,donor_commodity,status,reason\nK1,K3,K2,A,the first\nK1,K2,K2,A,the second\n"
        "K2,K0,K1,A,the only\nK3,K0,K3,A,the only\n"
    ),
    "complementarity": "element,score,at_least,status,source\nLa,75,75,M,memory\nDy,100,,M,memory\n",
    "uncertainty": (
        "table,status,rule,size,reason\ntonnes.csv,M,factor,1.25,recalled\nus_share.csv,M,factor,1.5,recalled\n"
        "complementarity.csv,M,span,20,recalled\nprices.csv,V,range,1,quoted\n"
    ),
}
"""Input tables of two elements out of commodity K0, by name of the file."""


def write_inputs(folder: Path, **changed: str | None) -> Path:
    """Write `INPUTS` into a folder, with files replaced, or left out where None."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**INPUTS, **changed}.items():
        if text is not None:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def draw_table(seed: int, imports: bool = True, scrap: bool = True, industries: int = 4) -> SupplyUse:
    """Draw a balanced table whose chains end: purchases are at most seven tenths of output.

    Industries K0, K1 and so on make the commodity of their code, some of the others', and scrap if asked for.
    """
    rng = np.random.default_rng([seed, imports, scrap, industries])
    codes = tuple(f"K{number}" for number in range(industries))
    make = np.floor(rng.random((industries, industries)) * 60 * (rng.random((industries, industries)) < 0.4))
    make += np.diag(np.floor(2_000 + 7_000 * rng.random(industries)))
    make = np.column_stack([make, np.zeros(industries), np.floor(90 * scrap * rng.random(industries))])
    output_i, output_c = make.sum(axis=1), make.sum(axis=0)
    use = rng.random((industries + 2, industries)) * (rng.random((industries + 2, industries)) < 0.8)
    use *= np.where(output_c > 0.0, output_c, 300.0)[:, None] / industries
    use[-1] *= scrap
    use = np.floor(use * np.minimum(1.0, 0.7 * output_i / use.sum(axis=0)))
    abroad = np.floor(use * rng.random((industries + 2, 1)) * rng.random(use.shape))
    abroad[-2] = use[-2]
    final = np.zeros((industries + 2, len(FINAL)))
    final[:, 1] = np.floor(200 * rng.random(industries + 2))
    final[:, 2] = -abroad.sum(axis=1) - np.floor(50 * rng.random(industries + 2))
    final[:, 0] = output_c - use.sum(axis=1) - final.sum(axis=1)
    wages = np.floor(rng.random(industries) * (output_i - use.sum(axis=0)))
    return SupplyUse(
        codes, (*codes, NOBODY, SCRAP), FINAL, VALUE,
        make_ic=make * USD, use_ci=use * USD, final_cf=final * USD,
        value_vi=np.stack([wages, 0.0 * wages, output_i - use.sum(axis=0) - wages]) * USD,
        imports_ci=abroad * USD if imports else None, title="drawn",
    )  # fmt: skip


def write_bea(folder: Path, table: SupplyUse, variant: str = "After") -> Path:
    """Write a table as the statistical office's files of a variant: codes, millions and totals, with names of the codes."""

    def million(array: np.ndarray) -> list[str]:
        return [f"{value / USD:g}" for value in array.tolist()]

    def write(name: str, rows: list[list[str]]) -> None:
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)

    folder.mkdir(parents=True, exist_ok=True)
    industries, commodities, finals = list(table.industries), list(table.commodities), list(table.final_codes)
    make = [
        [code, *million(row), *million(row.sum(keepdims=True))]
        for code, row in zip(industries, table.make_ic, strict=True)
    ]
    make += [["T007", *million(table.commodity_output_c), *million(table.make_ic.sum(keepdims=True).ravel())]]
    write(f"Detail_Make_2012_{variant}Redef_12sch", [["", *commodities, "T008"], *make])
    cells = np.hstack([table.use_ci, table.final_cf, table.row_sums_c[:, None]])
    use = [[code, *million(row)] for code, row in zip(commodities, cells, strict=True)]
    none = ["0"] * (len(finals) + 1)
    use += [[code, *million(row), *none] for code, row in zip(VALUE, table.value_vi, strict=True)]
    use += [["T008", *million(table.column_sums_i), *none]]
    write(f"Detail_Use_2012_PRO_{variant}Redef_12sch", [["", *industries, *finals, "T007"], *use])
    if table.imports_ci is not None:
        abroad = zip(commodities, np.column_stack([table.imports_ci, table.imports_ci.sum(axis=1)]), strict=True)
        write(
            f"Detail_Import_2012_{variant}Redef_12sch",
            [["", *industries, "T001"], *([c, *million(r)] for c, r in abroad)],
        )
    for kind, codes in (
        ("Commodity", commodities),
        ("Industry", industries),
        ("FinalDemand", finals),
        ("ValueAdded", VALUE),
    ):
        names = [[code, f"name of {code}"] for code in codes]
        head = [f"BEA_2012_Detail_{kind}_Code", f"BEA_2012_Detail_{kind}_Name"]
        write(f"Detail_{kind}CodeName_2012", [head, *names])
    return folder


class Ledger:
    """An economy in dictionaries: what industries make, and what they buy in all and from abroad, in dollars.

    Parameters
    ----------
    make : mapping of (industry, commodity) to USD
    use, abroad : mapping of (commodity, industry) to USD
    ratio : mapping of commodity to float or None
        Where ``abroad`` is not told: imports over all uses, exports too, the same for every buyer.
    """

    def __init__(
        self,
        make: Mapping[tuple[str, str], float],
        use: Mapping[tuple[str, str], float],
        abroad: Mapping[tuple[str, str], float],
        ratio: Mapping[str, float] | None,
    ) -> None:
        self.make = dict(make)
        self.use = defaultdict(float, use)
        self.abroad = defaultdict(float, abroad)
        self.ratio = None if ratio is None else dict(ratio)
        self.elements: list[str] = []
        self.industries = list(dict.fromkeys(maker for maker, _ in make))

    @classmethod
    def of(cls, table: SupplyUse) -> Ledger:
        """Read a table cell by cell."""
        make = _cells(table.industries, table.commodities, table.make_ic)
        use = _cells(table.commodities, table.industries, table.use_ci)
        final = _cells(table.commodities, table.final_codes, table.final_cf)
        if table.imports_ci is not None:
            return cls(make, use, _cells(table.commodities, table.industries, table.imports_ci), None)
        return cls(make, use, {}, _ratios(use, final))

    @classmethod
    def of_files(cls, folder: Path, variant: str) -> Ledger:
        """Read the statistical office's files, gzipped."""
        make = _file(folder / f"Detail_Make_2012_{variant}Redef_12sch.csv.gz")
        used = _file(folder / f"Detail_Use_2012_PRO_{variant}Redef_12sch.csv.gz")
        industries = {maker for maker, _ in make if maker[0] != "T"}
        commodities = {made for _, made in make if made[0] != "T"}
        use = {key: value for key, value in used.items() if key[0] in commodities and key[1] in industries}
        final = {key: value for key, value in used.items() if key[0] in commodities and key[1][0] == "F"}
        inner = {key: value for key, value in make.items() if key[0] in industries and key[1] in commodities}
        if variant == "After":
            return cls(inner, use, {}, _ratios(use, final))
        imports = _file(folder / "Detail_Import_2012_BeforeRedef_12sch.csv.gz")
        return cls(inner, use, {key: imports[key] for key in imports if key in use}, None)

    def rate(self, commodity: str, buyer: str) -> float:
        """Imported part of a purchase."""
        if self.ratio is not None:
            return self.ratio.get(commodity, 0.0)
        bought = self.use[commodity, buyer]
        return self.abroad[commodity, buyer] / bought if bought else 0.0

    def add(self, commodity: str, buyer: str, amount: float, rate: float) -> None:
        """Buy more, or less, of which a part is imported."""
        self.use[commodity, buyer] += amount
        if self.ratio is None:
            self.abroad[commodity, buyer] += amount * rate

    def extend(
        self,
        commodity: str,
        needs: Mapping[str, Mapping[str, float]],
        donors: Sequence[tuple[str, str, str]] = (),
        products: Sequence[tuple[str, str, Mapping[str, float]]] = (),
    ) -> None:
        """Split elements off a commodity and products off industries, after purchases have moved where they are short.

        Parameters
        ----------
        commodity : str
        needs : mapping of element to mapping of industry to USD
        donors : sequence of (receiver, donor industry, donor commodity)
        products : sequence of (product, industry, share by user)
        """
        total: dict[str, float] = defaultdict(float)
        for by in needs.values():
            for industry, amount in by.items():
                total[industry] += amount
        for receiver in self.industries:
            for to, giver, other in donors:
                if to == receiver and total[receiver] > self.use[commodity, receiver]:
                    self._move(commodity, receiver, giver, other, total)
        self._split_elements(commodity, needs)
        for product, industry, users in products:
            self._split_product(product, industry, users)

    def _move(self, commodity: str, receiver: str, giver: str, other: str, total: Mapping[str, float]) -> None:
        lacking = total[receiver] - self.use[commodity, receiver]
        amount = min(lacking, self.use[commodity, giver] - total.get(giver, 0.0), self.use[other, receiver])
        if amount <= 0.0:
            return
        given, returned = self.rate(commodity, giver), self.rate(other, receiver)
        self.add(commodity, giver, -amount, given)
        self.add(commodity, receiver, amount, given)
        self.add(other, receiver, -amount, returned)
        self.add(other, giver, amount, returned)

    def _split_elements(self, commodity: str, needs: Mapping[str, Mapping[str, float]]) -> None:
        whole = sum(amount for (_, made), amount in self.make.items() if made == commodity)
        makers = {maker: amount / whole for (maker, made), amount in self.make.items() if made == commodity}
        for element, by in needs.items():
            code = f"{commodity}.{element}"
            self.elements.append(code)
            made = 0.0
            for industry, amount in by.items():
                rate = self.rate(commodity, industry)
                self.add(commodity, industry, -amount, rate)
                self.add(code, industry, amount, rate)
                made += amount * (1.0 - rate)
            for maker, share in makers.items():
                self.make[maker, code] = made * share
                self.make[maker, commodity] -= made * share

    def _split_product(self, product: str, industry: str, users: Mapping[str, float]) -> None:
        before, sold = self.outputs()[industry], 0.0
        if self.ratio is not None:
            self.ratio[product] = self.ratio[industry]
        for user, share in users.items():
            rate = self.rate(industry, user)
            amount = share * self.use[industry, user]
            self.add(industry, user, -amount, rate)
            self.add(product, user, amount, rate)
            sold += amount * (1.0 - rate)
        self.make[product, product] = sold
        self.make[industry, industry] -= sold
        elements = sum(self.use[code, industry] for code in self.elements)
        part = (sold - elements) / (before - elements)
        for commodity in [bought for bought, buyer in self.use if buyer == industry]:
            rate = self.rate(commodity, industry) if self.ratio is None else 0.0
            amount = self.use[commodity, industry] * (1.0 if commodity in self.elements else part)
            self.add(commodity, industry, -amount, rate)
            self.add(commodity, product, amount, rate)
        self.industries.append(product)

    def links(self, scrap: str, origin: str = "total") -> list[tuple[str, str, float]]:
        """Supplying industry, buying industry, and output of the one per dollar of output of the other."""
        output, made = self.outputs(), defaultdict(float)
        for (_, commodity), amount in self.make.items():
            made[commodity] += amount
        makers: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for (maker, commodity), amount in self.make.items():
            if scrap == "commodity":
                makers[commodity].append((maker, amount / made[commodity]))
            elif commodity != SCRAP:
                clean = output[maker] - self.make.get((maker, SCRAP), 0.0)
                makers[commodity].append((maker, amount / made[commodity] * output[maker] / clean))
        return [
            (
                maker,
                buyer,
                share * (amount - (self.abroad[commodity, buyer] if origin == "domestic" else 0.0)) / output[buyer],
            )
            for (commodity, buyer), amount in self.use.items()
            for maker, share in makers[commodity]
        ]

    def requirements(self, scrap: str = "adjusted", origin: str = "total") -> dict[str, dict[str, float]]:
        """Total requirements by element's code and industry, USD per USD of final demand for the industry's output."""
        output, links = self.outputs(), self.links(scrap, origin)
        place = {industry: number for number, industry in enumerate(self.industries)}
        supplier = np.array([place[maker] for maker, _, _ in links])
        buyer = np.array([place[industry] for _, industry, _ in links])
        amount = np.array([link[2] for link in links])
        found = {}
        for code in self.elements:
            last = np.array([self.use[code, industry] / output[industry] for industry in self.industries])
            total = last.copy()
            # What an industry buys itself, what its suppliers buy, and theirs, until a round adds nothing that can be seen.
            while np.abs(last).max() > 1e-16 * np.abs(total).max():
                last = np.bincount(buyer, last[supplier] * amount, len(place))
                total += last
            found[code] = dict(zip(self.industries, total.tolist(), strict=True))
        return found

    def outputs(self) -> dict[str, float]:
        """What each industry makes of everything."""
        found: dict[str, float] = defaultdict(float)
        for (maker, _), amount in self.make.items():
            found[maker] += amount
        return found


def _cells(rows: Sequence[str], columns: Sequence[str], matrix: np.ndarray) -> dict[tuple[str, str], float]:
    found = {}
    for row, values in zip(rows, matrix.tolist(), strict=True):
        found |= {(row, column): value for column, value in zip(columns, values, strict=True) if value}
    return found


def _file(file: Path) -> dict[tuple[str, str], float]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    cells = {(row[0], code): float(cell) * USD for row in rows for code, cell in zip(header[1:], row[1:], strict=True)}
    return {key: value for key, value in cells.items() if value}


def _ratios(use: Mapping[tuple[str, str], float], final: Mapping[tuple[str, str], float]) -> dict[str, float]:
    uses: dict[str, float] = defaultdict(float)
    entering: dict[str, float] = defaultdict(float)
    for (commodity, _), amount in use.items():
        uses[commodity] += amount
    for (commodity, category), amount in final.items():
        if category == IMPORTS:
            entering[commodity] -= amount
        else:
            uses[commodity] += amount
    return {commodity: entering[commodity] / amount for commodity, amount in uses.items() if amount}
