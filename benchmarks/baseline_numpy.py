"""The competitors: static trade equilibria in vectorised NumPy, in the usual form and as well as we can write them.

Nothing is shared with the package. Both forms have the same unknowns, passes and certificate, powers factored,
(kappa c)^(1 - sigma) = kappa^(1 - sigma) c^(1 - sigma), so that a pass takes N S exponentials and never N N S powers, and
Anderson acceleration of memory 10. ``textbook`` sums by broadcasting and ``einsum`` and mixes by ``np.linalg.lstsq``, as
the equations are usually written. ``tuned`` has in addition:

- sums over exporters and over inputs as stacks of matrix-vector products, which BLAS does, on arrays laid out for it;
- tariff revenue out of the same products, so that no array of N N S numbers is made in a pass;
- mixing by normal equations, whose matrix is extended by one row a pass.

Axes: ``j`` exporter, ``i`` importer or region, ``s`` sector, ``k`` using sector. Prices, costs and wages are ratios to the
baseline. Equation numbers are those of ``docs/model.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class NotSolvedError(RuntimeError):
    """The iteration ended with a residual above the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Technology:
    """Varieties with free entry, entry paid in labour, and one supplier of rare earths, (3)-(8), (15).

    Parameters
    ----------
    ree_share_is : (N, S) ndarray
        Baseline share of the R bundle in value added.
    epsilon_s : (S,) ndarray
    mu, theta : float
        Elasticity between varieties; exponent of (4).
    supplier : int
        Region whose mines supply the world.
    tax_i : (N,) ndarray
        Export-tax multiplier by destination; 1 at home.
    """

    ree_share_is: Array
    epsilon_s: Array
    mu: float
    theta: float
    supplier: int
    tax_i: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A baseline in shares, and a change of tariffs.

    Parameters
    ----------
    share_jis : (N, N, S) ndarray
        Baseline shares of exporters in an importer's spending, at user prices.
    tariff0_jis, tariff_jis : (N, N, S) ndarray
        1 + ad-valorem rate, at the baseline and in force.
    phi_iks : (N, S, S) ndarray
        Share of input s in the cost of sector k.
    phi_va_is : (N, S) ndarray
        Share of value added in cost.
    alpha_is : (N, S) ndarray
        Shares in final demand.
    labour_i : (N,) ndarray
        Baseline labour income.
    deficit_i : (N,) ndarray
        Trade deficits, given values; they add up to zero.
    sigma_s : (S,) ndarray
    expenditure_is : (N, S) ndarray
        Where the search starts (and the scale of its errors), at user prices. It need not be consistent with the shares.
    rho : float
        Elasticity of final demand; 1 is Cobb-Douglas.
    technology : Technology, optional
        Without it there are no varieties and no rare earths: the pure trade model.
    """

    share_jis: Array
    tariff0_jis: Array
    tariff_jis: Array
    phi_iks: Array
    phi_va_is: Array
    alpha_is: Array
    labour_i: Array
    deficit_i: Array
    sigma_s: Array
    expenditure_is: Array
    rho: float = 1.0
    technology: Technology | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """An equilibrium with the largest relative residual over all its conditions, recomputed from the definitions.

    Parameters
    ----------
    cost_is, price_is, wage_i, consumption_price_i : ndarray
        Ratios to the baseline.
    share_jis, expenditure_is, revenue_is, income_i : ndarray
        Shares in spending; values.
    ree_price : float
        Mine price; 1 without rare earths.
    residual : float
    passes : int
    """

    cost_is: Array
    price_is: Array
    wage_i: Array
    consumption_price_i: Array
    share_jis: Array
    expenditure_is: Array
    revenue_is: Array
    income_i: Array
    ree_price: float
    residual: float
    passes: int


class _Pass:
    """One pass through the system, on arrays laid out once for BLAS, sector first where sectors are a stack."""

    def __init__(self, world: World) -> None:
        self.world, (n, s) = world, world.phi_va_is.shape
        self.n, self.s, self.power = n, s, 1.0 - world.sigma_s
        changed = world.tariff_jis / world.tariff0_jis
        terms = world.share_jis * np.exp(self.power * np.log(changed))
        net = terms / world.tariff_jis
        # rows: first the sums behind the price index, then the part of it that reaches sellers
        self.sums_sij = np.ascontiguousarray(np.concatenate([terms, net], axis=1).transpose(2, 1, 0))
        self.net_sji = np.ascontiguousarray(net.transpose(2, 0, 1))
        self.phi_isk = np.ascontiguousarray(world.phi_iks.transpose(0, 2, 1))
        self.numeraire = world.labour_i.sum()
        self.revenue0_is, self.supply = np.ones((n, s)), 0.0
        self.scale_is = np.where(world.expenditure_is > 0.0, world.expenditure_is, 1.0)
        if world.technology:
            net0 = world.share_jis / world.tariff0_jis
            self.revenue0_is = np.einsum("jis,is->js", net0, world.expenditure_is)
            self.dead_is = np.where(
                self.revenue0_is == 0.0, 1.0, 0.0
            )  # sells nothing, and its sales count as unchanged
            self.revenue0_is = self.revenue0_is + self.dead_is
            tech = world.technology
            sold = world.phi_va_is * (self.revenue0_is - self.dead_is)
            self.supply = (1.0 - 1.0 / tech.mu) * (tech.ree_share_is * sold).sum()
            self.z = 1.0 - tech.epsilon_s
            self.z_safe, self.flat = np.where(self.z == 0.0, 1.0, self.z), bool((self.z == 0.0).any())
            self.log_tax = np.log(tech.tax_i)
        # a cell whose given spending is far below what it will be must not dominate the search
        first = self(self.start())[-n * s :].reshape(n, s) * self.scale_is
        self.scale_is = np.maximum(self.scale_is, first)

    def start(self) -> Array:
        """Baseline: log costs, log wages, log mine price, expenditure over its scale."""
        scaled = (self.world.expenditure_is / self.scale_is).ravel()
        return np.concatenate([np.zeros(self.n * self.s + self.n + 1), scaled])

    def split(self, x: Array) -> tuple[Array, Array, float, Array]:
        """Name the parts of the unknowns."""
        cells, n = self.n * self.s, self.n
        return (
            x[:cells].reshape(n, -1),
            x[cells : cells + n],
            x[cells + n],
            x[cells + n + 1 :].reshape(n, -1) * self.scale_is,
        )

    def goods(self, log_cost: Array, spent: Array) -> tuple[Array, Array, Array]:
        """Log price indices (11), revenue (14) and tariff revenue (16)."""
        term = np.exp(self.power * log_cost)
        sums = (self.sums_sij @ np.ascontiguousarray(term.T)[:, :, None])[:, :, 0]
        total = sums[:, : self.n].T
        per_term = spent / total
        revenue = term * (self.net_sji @ np.ascontiguousarray(per_term.T)[:, :, None])[:, :, 0].T
        tariffs = spent.sum(axis=1) - (sums[:, self.n :].T * per_term).sum(axis=1)
        return np.log(total) / self.power, revenue, tariffs

    def input_costs(self, log_price: Array) -> Array:
        """Log cost of inputs, (6)."""
        cost: Array = (self.world.phi_iks @ log_price[:, :, None])[:, :, 0]
        return cost

    def materials(self, revenue: Array) -> Array:
        """Spending of producers on composites, (13)."""
        spent: Array = (self.phi_isk @ revenue[:, :, None])[:, :, 0]
        return spent

    def final_shares(self, log_price: Array) -> Array:
        """Shares of final demand, (12)."""
        alpha, power = self.world.alpha_is, 1.0 - self.world.rho
        if power == 0.0:
            return alpha
        terms = alpha * np.exp(power * log_price)
        return terms / terms.sum(axis=1, keepdims=True)

    def bundles(self, log_wage: Array, log_ree: float, revenue: Array) -> tuple[Array, Array]:
        """Log price of value added and share of the R bundle with free entry solved out, (5), (7), (8)."""
        tech = self.world.technology
        assert tech is not None
        relative = (log_ree + self.log_tax - log_wage)[:, None] / (1.0 + tech.theta * self.z)
        change = np.expm1(self.z * relative)
        gain = np.log1p(tech.ree_share_is * change)
        log_gain = (
            np.where(self.z == 0.0, tech.ree_share_is * relative, gain / self.z_safe) if self.flat else gain / self.z
        )
        log_measure = np.log(revenue / self.revenue0_is + self.dead_is) - gain - log_wage[:, None]
        share = tech.ree_share_is * (1.0 + change) * np.exp(-gain)
        return log_gain + log_wage[:, None] - tech.theta * log_measure, share

    def __call__(self, x: Array) -> Array:
        """New unknowns: prices and sales, then wages, then costs and incomes at those wages, all at the numeraire's level."""
        world, tech = self.world, self.world.technology
        log_cost, log_wage, log_ree, spent = self.split(x)
        log_price, revenue, tariffs = self.goods(log_cost, spent)
        value_added = world.phi_va_is * revenue
        payroll, new_ree, sold_ree = value_added.sum(axis=1), 0.0, 0.0
        if tech:
            _, share = self.bundles(log_wage, log_ree, revenue)
            value = (1.0 - 1.0 / tech.mu) * (share * value_added).sum(axis=1)
            payroll, sold_ree = payroll - value, value.sum()
        level = self.numeraire / payroll.sum()
        new_wage = np.log(level * payroll / world.labour_i)
        revenue, own = level * revenue, level * (payroll + tariffs) + world.deficit_i
        log_value = new_wage[:, None]
        if tech:
            own[tech.supplier] += level * sold_ree
            new_ree = np.log(level * (value / tech.tax_i).sum() / self.supply)
            log_value, _ = self.bundles(new_wage, new_ree, revenue)
        new_cost = world.phi_va_is * log_value + self.input_costs(log_price)
        new_spent = self.materials(revenue) + self.final_shares(log_price) * own[:, None]
        return np.concatenate([new_cost.ravel(), new_wage, [new_ree], (new_spent / self.scale_is).ravel()])


class _TextbookPass(_Pass):
    """The same pass as the equations are written: shares, flows and revenues as arrays."""

    def __init__(self, world: World) -> None:
        self.weight_jis = world.share_jis * (world.tariff_jis / world.tariff0_jis) ** (1.0 - world.sigma_s)
        super().__init__(world)

    def goods(self, log_cost: Array, spent: Array) -> tuple[Array, Array, Array]:
        """Log price indices (11), revenue (14) and tariff revenue (16)."""
        terms = self.weight_jis * np.exp(self.power * log_cost)[:, None, :]
        total = terms.sum(axis=0)
        border = terms / total * spent / self.world.tariff_jis
        tariffs = ((self.world.tariff_jis - 1.0) * border).sum(axis=(0, 2))
        return np.log(total) / self.power, border.sum(axis=1), tariffs

    def input_costs(self, log_price: Array) -> Array:
        """Log cost of inputs, (6)."""
        cost: Array = np.einsum("iks,is->ik", self.world.phi_iks, log_price)
        return cost

    def materials(self, revenue: Array) -> Array:
        """Spending of producers on composites, (13)."""
        spent: Array = np.einsum("iks,ik->is", self.world.phi_iks, revenue)
        return spent


def textbook_anderson(step: _Pass, tolerance: float, *, memory: int, passes: int) -> tuple[Array, int]:
    """Fixed point of ``step`` by Anderson acceleration, the mix found by least squares in every pass."""
    x = step.start()
    gaps: list[Array] = []
    images: list[Array] = []
    with np.errstate(all="ignore"):  # a diverging search is seen in its residual
        for count in range(passes):
            image = step(x)
            gap = image - x
            if (worst := np.abs(gap).max()) <= tolerance:
                return x, count + 1
            if not np.isfinite(worst):
                break
            gaps, images, x = [*gaps, gap][-memory - 1 :], [*images, image][-memory - 1 :], image
            if count:
                moves = np.diff(np.array(gaps), axis=0)
                mix = np.linalg.lstsq(moves.T, gap, rcond=None)[0]
                x = image - mix @ np.diff(np.array(images), axis=0)
    raise NotSolvedError(f"{count + 1} passes, residual {worst:.2g}")


def anderson(step: _Pass, tolerance: float, *, memory: int, passes: int) -> tuple[Array, int]:
    """Fixed point of ``step`` by Anderson acceleration: the best mix of the last passes, from its normal equations."""
    x = last_gap = last_image = step.start()
    moves, images, gram = np.empty((memory, x.size)), np.empty((memory, x.size)), np.empty((memory, memory))
    with np.errstate(all="ignore"):  # a diverging search is seen in its residual
        for count in range(passes):
            image = step(x)
            gap = image - x
            if (worst := np.abs(gap).max()) <= tolerance:
                return x, count + 1
            if not np.isfinite(worst):
                break
            following = image
            if count:
                row, known = (count - 1) % memory, min(count, memory)
                moves[row], images[row] = gap - last_gap, image - last_image
                gram[row, :known] = gram[:known, row] = moves[:known] @ moves[row]
                size = np.sqrt(np.diag(gram)[:known])
                scaled = gram[:known, :known] / (size[:, None] * size)
                scaled.flat[:: known + 1] += 1e-14  # nearly parallel moves
                mix = np.linalg.solve(scaled, (moves[:known] @ gap) / size) / size
                following = image - mix @ images[:known]
            x, last_gap, last_image = following, gap, image
    raise NotSolvedError(f"{count + 1} passes, residual {worst:.2g}")


def certificate(world: World, log_cost: Array, log_wage: Array, log_ree: float, spent: Array) -> tuple[float, Solution]:
    """Every condition from its definition, unfactored; the largest relative residual and the equilibrium."""
    one = 1.0 - world.sigma_s
    buyers = np.exp(log_cost)[:, None, :] * (world.tariff_jis / world.tariff0_jis)
    price = (world.share_jis * buyers**one).sum(axis=0) ** (1.0 / one)
    share = world.share_jis * (buyers / price[None]) ** one
    border = share * spent[None] / world.tariff_jis
    revenue = border.sum(axis=1)
    wages, value_added = np.exp(log_wage), world.phi_va_is * revenue
    income = wages * world.labour_i + ((world.tariff_jis - 1.0) * border).sum(axis=(0, 2)) + world.deficit_i
    payroll, log_value, gaps = value_added.sum(axis=1), log_wage[:, None] + np.zeros_like(price), [0.0]
    tech, mine = world.technology, float(np.exp(log_ree))
    if tech:
        revenue0 = (world.share_jis * world.expenditure_is[None] / world.tariff0_jis).sum(axis=1)
        changed = np.divide(revenue, revenue0, out=np.ones_like(revenue), where=revenue0 > 0.0)
        log_value, ree = _free_entry(world, tech, log_wage, log_ree, changed)
        use = (1.0 - 1.0 / tech.mu) * (ree * value_added).sum(axis=1)
        supply = (1.0 - 1.0 / tech.mu) * (tech.ree_share_is * world.phi_va_is * revenue0).sum()
        payroll = payroll - use
        income[tech.supplier] += use.sum()
        gaps.append(abs((use / (tech.tax_i * mine)).sum() / supply - 1.0))
    one_c = 1.0 - world.rho
    if one_c == 0.0:
        final, final_price = world.alpha_is, np.exp((world.alpha_is * np.log(price)).sum(axis=1))
    else:
        final_price = (world.alpha_is * price**one_c).sum(axis=1) ** (1.0 / one_c)
        final = world.alpha_is * (price / final_price[:, None]) ** one_c
    demand = final * income[:, None] + np.einsum("iks,ik->is", world.phi_iks, revenue)
    cost = world.phi_va_is * log_value + np.einsum("iks,is->ik", world.phi_iks, np.log(price))
    gaps += [
        np.abs(np.expm1(cost - log_cost)).max(),
        np.abs(share.sum(axis=0) - 1.0).max(),
        (np.abs(demand - spent) / np.where(spent == 0.0, 1.0, np.abs(spent))).max(),
        np.abs(payroll / (wages * world.labour_i) - 1.0).max(),
        abs((wages * world.labour_i).sum() / world.labour_i.sum() - 1.0),
    ]
    residual = max(float(gap) for gap in gaps)
    found = Solution(np.exp(log_cost), price, wages, final_price, share, spent, revenue, income, mine, residual, 0)
    return residual, found


def _free_entry(world: World, tech: Technology, log_wage: Array, log_ree: float, sales: Array) -> tuple[Array, Array]:
    """Log price of value added and R share from (4), (5) and (7), measures iterated rather than solved out.

    log A_v = log (share_v / share0_v) + log sales - log w, and the shares follow from A_v: a contraction in the ratio of
    measures wherever (9) allows an equilibrium, and |theta z| < 1.
    """
    z, s0 = 1.0 - tech.epsilon_s, tech.ree_share_is
    relative = log_ree + np.log(tech.tax_i)[:, None] - log_wage[:, None] + np.zeros_like(sales)
    bias = np.zeros_like(sales)  # log A_R / A_L
    for _ in range(200):
        bundle = relative - tech.theta * bias
        bias = z * bundle
    bundle = relative - tech.theta * bias
    odds = s0 / (1.0 - s0) * np.exp(z * bundle)
    share = odds / (1.0 + odds)
    log_measure = np.log((1.0 - share) / (1.0 - s0)) + np.log(sales) - log_wage[:, None]
    nest = np.log((1.0 - s0) + s0 * np.exp(z * bundle)) / np.where(z == 0.0, 1.0, z)
    nest = np.where(z == 0.0, s0 * bundle, nest)
    return log_wage[:, None] - tech.theta * log_measure + nest, share


FORMS = {"tuned": (_Pass, anderson), "textbook": (_TextbookPass, textbook_anderson)}


def solve(
    world: World, form: str = "tuned", *, tolerance: float = 1e-10, memory: int = 10, passes: int = 2000
) -> Solution:
    """Solve to ``tolerance`` over all conditions.

    Parameters
    ----------
    world : World
    form : {"tuned", "textbook"}
        See the module.
    tolerance : float
        Largest relative residual that is accepted, recomputed by `certificate`.
    memory : int
        Passes that the acceleration remembers.
    passes : int
        Most passes.

    Raises
    ------
    NotSolvedError
        If the residual stays above the tolerance.
    """
    lay_out, search = FORMS[form]
    step, within = lay_out(world), 0.05 * tolerance
    x, count = search(step, within, memory=memory, passes=passes)
    residual, found = certificate(world, *step.split(x))
    if not residual <= tolerance:
        raise NotSolvedError(f"{count} passes, recomputed residual {residual:.2g}")
    names = (name for name in Solution.__slots__ if name != "passes")
    return Solution(**{name: getattr(found, name) for name in names}, passes=count)
