"""The trade model once more, in levels, slow and plain: what the package's numbers are checked against.

No ratios to a baseline, no logs, no acceleration, and no code of the package. An economy is given by its primitives:
tastes, productivities, endowments, trade costs. Prices are iterated at given wages until they stop moving, then sales and
incomes at those prices, and SciPy's ``root`` finds the wages at which every labour market clears. Loops run over regions
and sectors one by one, as the equations are written.

A baseline for the package is simply the table of flows of one such equilibrium (`table`), and a counterfactual the
equilibrium of changed primitives; ratios of the two are what the package should find.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import root

Array = np.ndarray

STILL = 1e-15  # relative change at which an inner iteration has stopped moving
ROUNDS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """Primitives. Axes: j seller, i buyer or region, k using sector, s sector (input).

    Parameters
    ----------
    taste_jis : (N, N, S)
        Weights of the CES over sellers.
    final_taste_is : (N, S)
        Weights of the CES of final demand.
    phi_va_is, phi_iks : (N, S), (N, S, S)
        Exponents of the Cobb-Douglas technology.
    productivity_is : (N, S)
    labour_i : (N,)
        Endowments; wages are per unit.
    iceberg_jis, tariff_jis, export_tax_jis : (N, N, S)
        Units to ship for one to arrive; ad-valorem rates. The export tax is on the producer's price, the tariff on the
        price at the border, export tax included.
    subsidy_is : (N, S)
        Producers get this rate on top of the price, from local households.
    sigma_s : (S,)
    rho : float
    deficit_i : (N,)
        A value (in units of `numeraire`), or a share of own income where `deficit_follows_income`.
    deficit_follows_income : bool
        Then every region's deficit is its share of own income less what makes the world total zero, in proportion to
        own income.
    numeraire_labour_i : (N,)
        Wages are such that these amounts of labour cost `numeraire` together.
    numeraire : float
    """

    taste_jis: Array
    final_taste_is: Array
    phi_va_is: Array
    phi_iks: Array
    productivity_is: Array
    labour_i: Array
    iceberg_jis: Array
    tariff_jis: Array
    export_tax_jis: Array
    subsidy_is: Array
    sigma_s: Array
    rho: float
    deficit_i: Array
    deficit_follows_income: bool
    numeraire_labour_i: Array
    numeraire: float

    def change(self, **changes: object) -> World:
        """Return a copy with some primitives changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """Levels: wages, producer prices posted, composite prices, consumption prices; values of sales, spending and income."""

    wage_i: Array
    cost_is: Array
    posted_is: Array
    price_is: Array
    consumption_price_i: Array
    share_jis: Array
    sales_is: Array
    spending_is: Array
    final_spending_is: Array
    income_i: Array
    deficit_i: Array
    tariff_revenue_i: Array
    export_tax_revenue_i: Array
    subsidy_cost_i: Array
    residual: float


def buyers_price(world: World, posted_is: Array, j: int, i: int, s: int) -> float:
    """Price in i of what j makes: trade cost, tax at the exit, tariff at the entry."""
    wedge = (1.0 + world.export_tax_jis[j, i, s]) * (1.0 + world.tariff_jis[j, i, s])
    return float(posted_is[j, s] * world.iceberg_jis[j, i, s] * wedge)


def composite(world: World, posted_is: Array, i: int, s: int) -> tuple[float, Array]:
    """Price of the composite, and the share of each seller in what is spent on it."""
    power = 1.0 - world.sigma_s[s]
    sellers = range(len(posted_is))
    terms = np.array([
        world.taste_jis[j, i, s] * buyers_price(world, posted_is, j, i, s) ** power if world.taste_jis[j, i, s] else 0.0
        for j in sellers
    ])  # fmt: skip
    if terms.sum() == 0.0:
        return 1.0, terms  # nobody sells it, nobody may want it
    return float(terms.sum() ** (1.0 / power)), terms / terms.sum()


def prices(world: World, wage_i: Array, posted_is: Array) -> tuple[Array, Array, Array, Array]:
    """Costs, posted prices, composite prices and shares at given wages, iterated from a guess of posted prices."""
    n, s_count = world.phi_va_is.shape
    for _ in range(ROUNDS):
        price = np.empty((n, s_count))
        share = np.empty((n, n, s_count))
        for i in range(n):
            for s in range(s_count):
                price[i, s], share[:, i, s] = composite(world, posted_is, i, s)
        cost = np.empty((n, s_count))
        for i in range(n):
            for k in range(s_count):
                inputs = float(np.prod(price[i] ** world.phi_iks[i, k]))
                cost[i, k] = wage_i[i] ** world.phi_va_is[i, k] * inputs / world.productivity_is[i, k]
        posted = cost / (1.0 + world.subsidy_is)
        moved = np.abs(posted / posted_is - 1.0).max()
        posted_is = posted
        if moved <= STILL * 10:
            return cost, posted, price, share
    raise AssertionError(f"prices still move by {moved:g}")


def final_budget(world: World, price_is: Array) -> tuple[Array, Array]:
    """Price of consumption and budget shares."""
    if world.rho == 1.0:
        shares = world.final_taste_is / world.final_taste_is.sum(axis=1, keepdims=True)
        return np.prod(price_is**shares, axis=1), shares
    terms = world.final_taste_is * price_is ** (1.0 - world.rho)
    return terms.sum(axis=1) ** (1.0 / (1.0 - world.rho)), terms / terms.sum(axis=1, keepdims=True)


def deficits(world: World, own_i: Array) -> Array:
    """What each region spends above its own income."""
    if not world.deficit_follows_income:
        return world.deficit_i
    wanted = world.deficit_i * own_i
    return wanted - own_i * wanted.sum() / own_i.sum()


def circulation(world: World, wage_i: Array, budget_is: Array, share_jis: Array, sales_is: Array) -> dict[str, Array]:
    """Sales, spending and incomes at given prices: money goes round until nothing moves."""
    n, s_count = sales_is.shape
    for _ in range(ROUNDS):
        outlay = (1.0 + world.subsidy_is) * sales_is  # what producers spend, subsidies included
        tariffs, taxes = np.zeros(n), np.zeros(n)
        for_inputs = np.array(
            [[float((world.phi_iks[i, :, s] * outlay[i]).sum()) for s in range(s_count)] for i in range(n)]
        )
        bills = (world.subsidy_is * sales_is).sum(axis=1)
        new_sales = sales_is
        own = wage_i * world.labour_i - bills
        income = own + deficits(world, own)
        for _inner in range(ROUNDS):
            spending = budget_is * income[:, None] + for_inputs
            tariffs, taxes, new_sales = np.zeros(n), np.zeros(n), np.zeros((n, s_count))
            for j in range(n):
                for i in range(n):
                    for s in range(s_count):
                        paid = share_jis[j, i, s] * spending[i, s]
                        border = paid / (1.0 + world.tariff_jis[j, i, s])
                        producer = border / (1.0 + world.export_tax_jis[j, i, s])
                        tariffs[i] += paid - border
                        taxes[j] += border - producer
                        new_sales[j, s] += producer
            own = wage_i * world.labour_i + tariffs + taxes - bills
            new_income = own + deficits(world, own)
            moved = np.abs(new_income / income - 1.0).max()
            income = new_income
            if moved <= STILL * 10:
                break
        moved = np.abs(new_sales - sales_is).max() / new_sales.max()
        sales_is = new_sales
        if moved <= STILL * 10:
            return {"sales_is": sales_is, "spending_is": spending, "income_i": income, "tariffs": tariffs, "taxes": taxes,
                    "bills": bills, "deficit_i": deficits(world, own), "final": budget_is * income[:, None]}  # fmt: skip
    raise AssertionError(f"sales still move by {moved:g}")


def solve(world: World) -> Equilibrium:
    """Wages that clear every labour market, by SciPy; N - 1 of them, the last follows from the numeraire."""
    n, s_count = world.phi_va_is.shape
    guess = {"posted": np.ones((n, s_count)), "sales": np.ones((n, s_count))}

    def wages(logs: Array) -> Array:
        relative = np.exp(np.append(logs, 0.0))
        return relative * world.numeraire / float((relative * world.numeraire_labour_i).sum())

    def at(logs: Array) -> tuple[Array, tuple[Array, Array, Array, Array], dict[str, Array], Array]:
        wage = wages(logs)
        costs = prices(world, wage, guess["posted"])
        money = circulation(world, wage, final_budget(world, costs[2])[1], costs[3], guess["sales"])
        guess["posted"], guess["sales"] = costs[1], money["sales_is"]
        payroll = (world.phi_va_is * (1.0 + world.subsidy_is) * money["sales_is"]).sum(axis=1)
        return wage, costs, money, payroll / (wage * world.labour_i) - 1.0

    start = np.zeros(n - 1)
    for _ in range(15):  # wages rise where labour is scarce: slow and safe, to where the root finder can take over
        excess = at(start)[3]
        start = start + 0.2 * (np.log1p(excess[:-1]) - np.log1p(excess[-1]))
    found = root(lambda logs: at(logs)[3][:-1], start, method="hybr", options={"xtol": 1e-14})
    wage, (cost, posted, price, share), money, excess = at(found.x)
    worst = float(np.abs(excess).max())  # the market left out included: Walras' law
    assert worst < 1e-11, f"labour markets are off by {worst:g}: {found.message}"
    return Equilibrium(
        wage, cost, posted, price, final_budget(world, price)[0], share, money["sales_is"], money["spending_is"],
        money["final"], money["income_i"], money["deficit_i"], money["tariffs"], money["taxes"], money["bills"], worst,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Table:
    """What a statistician would record of an equilibrium: the package's input.

    ``trade_jis`` at producer (posted) prices; ``materials_iks`` and ``final_is`` at user prices; rates of the time.
    """

    trade_jis: Array
    materials_iks: Array
    final_is: Array
    tariff_jis: Array
    export_tax_jis: Array


def table(world: World, at: Equilibrium) -> Table:
    """Record the flows of an equilibrium without production subsidies (which a table has no room for)."""
    assert not world.subsidy_is.any()
    net = (1.0 + world.tariff_jis) * (1.0 + world.export_tax_jis)
    return Table(
        at.share_jis * at.spending_is[None] / net,
        world.phi_iks * at.sales_is[:, :, None],
        at.final_spending_is,
        world.tariff_jis,
        world.export_tax_jis,
    )


def random_world(
    seed: int, regions: int = 3, sectors: int = 3, *, rho: float = 1.0, tariffs: bool = True, export_taxes: bool = False,
    deficits: bool = True, deficit_follows_income: bool = False, holes: bool = False,
) -> World:  # fmt: skip
    """Draw an economy with everything it may have at its baseline; subsidies are zero.

    Parameters
    ----------
    holes : bool
        Some flows between regions do not exist.
    """
    draw = np.random.default_rng(seed)
    n, s = regions, sectors
    here = np.arange(n)
    taste = draw.uniform(0.2, 1.0, (n, n, s))
    if holes:
        taste *= draw.random((n, n, s)) < 0.7
    taste[here, here] = draw.uniform(1.0, 2.0, (n, s)) * n
    phi_va = draw.uniform(0.3, 0.7, (n, s))
    mix = draw.uniform(0.1, 1.0, (n, s, s))
    phi = (1.0 - phi_va)[:, :, None] * mix / mix.sum(axis=2, keepdims=True)

    def rates(most: float, wanted: bool) -> Array:
        rate = draw.uniform(0.0, most, (n, n, s)) * wanted
        rate[here, here] = 0.0
        return rate

    labour = draw.uniform(0.5, 2.0, n)
    gap = draw.uniform(-0.04, 0.04, n) * deficits
    iceberg = draw.uniform(1.0, 1.6, (n, n, s))
    iceberg[here, here] = 1.0
    return World(
        taste_jis=taste, final_taste_is=draw.uniform(0.3, 1.0, (n, s)), phi_va_is=phi_va, phi_iks=phi,
        productivity_is=draw.uniform(0.6, 1.6, (n, s)), labour_i=labour, iceberg_jis=iceberg,
        tariff_jis=rates(0.3, tariffs), export_tax_jis=rates(0.15, export_taxes), subsidy_is=np.zeros((n, s)),
        sigma_s=draw.uniform(2.0, 6.0, s), rho=rho, deficit_i=gap if deficit_follows_income else gap - gap.mean(),
        deficit_follows_income=deficit_follows_income, numeraire_labour_i=labour, numeraire=float(n),
    )  # fmt: skip


def with_zeros(
    world: World, *, local: int | None = None, unmade: tuple[int, int] | None = None, unused: tuple[int, int] | None = None
) -> World:  # fmt: skip
    """Take flows out of an economy before it is solved.

    Parameters
    ----------
    local : int, optional
        A sector that is not traded.
    unmade : (region, sector), optional
        What the region does not make; it buys it from the next region.
    unused : (region, sector), optional
        What nobody in the region buys; producers there spend that share of cost on the next sector.
    """
    taste, final, phi = (array.copy() for array in (world.taste_jis, world.final_taste_is, world.phi_iks))
    n, s = final.shape
    if local is not None:
        taste[:, :, local] *= np.eye(n)
    if unmade:
        region, sector = unmade
        taste[region, :, sector] = 0.0
        taste[(region + 1) % n, region, sector] = 1.0
    if unused:
        region, sector = unused
        final[region, sector] = 0.0
        phi[region, :, (sector + 1) % s] += phi[region, :, sector]
        phi[region, :, sector] = 0.0
    return world.change(taste_jis=taste, final_taste_is=final, phi_iks=phi)
