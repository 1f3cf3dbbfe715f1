"""The certificate: it passes what the reference solves, with every instrument on, and sees any number that is off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from instruments import EIGHT, drawn, every_instrument, plain, static_row, stepped_rows, with_holes, with_taxes

from reesim._core.certificate import EQUATIONS, residual
from reesim._core.layout import POLICY, ROW, Array, Layout, Parameters, no_policy
from reesim.economy import Economy

SOLVED = 1e-11
"""Steps are solved to 1e-13 and static equilibria to 2e-12 in every unknown; residuals are sums of a few of them."""

PART = 1e-6
"""What is put on one number; residuals that it causes are this times a share, above what a solution leaves."""

SEEN = 1e-10

PLAIN = 1e-10
"""CES sums written plainly lose digits where a power is 1e-4: rounding of a few 1e-15 over it."""

Views = dict[str, Array]
Flags = tuple[bool, bool, bool]


def mean_of(weight: Array, log_x: Array, power: Array | float, axis: int) -> Array:
    """Log of a power mean, its limit at power 0 included."""
    power = np.broadcast_to(power, np.sum(weight, axis=axis).shape)
    safe = np.where(power == 0.0, 1.0, power)
    curved = np.log(np.sum(weight * np.exp(np.expand_dims(safe, axis) * log_x), axis=axis)) / safe
    return np.where(power == 0.0, np.sum(weight * log_x, axis=axis), curved)


def goods_residuals(par: Views, x: Views, now: Views, at_once: Flags) -> Iterator[Array]:
    """(5), (6), (10)-(14), (20)."""
    b, sigma, z = par["trade_share0"], par["sigma"], 1.0 - par["epsilon"]
    price, P, share, P_C = x["posted_price"], x["price_index"], x["trade_share"], x["price_consumption"]
    kappa = now["iceberg"] * (now["tariff"] / par["tariff0"]) * (now["export_tax"] / par["export_tax0"])
    paid, some = price[:, None] * kappa, b > 0.0
    log_q = np.log(np.where(some, share / np.where(some, b, 1.0), 1.0) / paid)
    yield np.log(P) + mean_of(b, log_q, (sigma - 1.0) / sigma, 0)
    yield share.sum(axis=0) - 1.0
    yield share[~some]
    if at_once[2]:
        best = np.where(some, b * (paid / P) ** (1.0 - sigma), 1.0)
        yield np.where(some, share / best, 1.0) - 1.0
    if at_once[1]:
        yield price * now["output_subsidy"] / x["unit_cost"] - 1.0
    yield np.log(P_C) - mean_of(par["alpha"], np.log(P), 1.0 - par["rho"], 1)
    v, s0 = x["value_added_price"], par["ree_share0"]
    bundles = np.stack(
        [x["ree_price"][:, None] * x["A_R"] ** -par["theta"], x["wage"][:, None] * x["A_L"] ** -par["theta"]]
    )
    yield np.log(v) - mean_of(np.stack([s0, 1.0 - s0]), np.log(bundles), z, 0)
    yield np.where(s0 > 0.0, x["ree_share"] / np.where(s0 > 0.0, s0 * (bundles[0] / v) ** z, 1.0) - 1.0, x["ree_share"])
    materials = np.einsum("iks,is->ik", par["phi"], np.log(P))
    yield np.log(x["unit_cost"] * now["productivity"]) - par["phi_va"] * np.log(v) - materials
    spend, E = x["spending"], x["expenditure"]
    yield spend * price / (x["unit_cost"] * x["revenue"]) - 1.0
    wanted = par["alpha"] * (P / P_C[:, None]) ** (1.0 - par["rho"]) * x["final_demand"][:, None]
    yield E / (wanted + np.einsum("iks,ik->is", par["phi"], spend)) - 1.0
    yield x["revenue"] / (share * E / (now["tariff"] * now["export_tax"])).sum(axis=1) - 1.0


def factor_residuals(p: Parameters, x: Views, now: Views, at_once: Flags) -> Iterator[Array]:
    """(7), (15)-(18) and Walras' law."""
    par, home = p.views(), np.arange(p.regions) == p.supplier
    mu, q, w = par["mu"], x["ree_price"], x["wage"]
    added = par["phi_va"] * x["spending"]
    delivered = x["trade_share"] * x["expenditure"] / now["tariff"]
    taxes = ((now["tariff"] - 1.0) * delivered).sum(axis=(0, 2)) + (delivered * (1 - 1 / now["export_tax"])).sum(
        axis=(1, 2)
    )
    W = x["price_consumption"] if p.entry_in_final_good else w
    units = (par["research_R0"] * x["A_R"] + par["research_L0"] * x["A_L"]).sum(axis=1) * (not p.entry_in_final_good)
    endowment = par["labour0"] * now["labour"]
    yield ((mu - 1.0) / mu * ((1.0 - x["ree_share"]) * added).sum(axis=1) / w + units) / endowment - 1.0
    for outlay, A, share, z in (
        (par["research_R0"], x["A_R"], x["ree_share"], now["entry_subsidy_R"]),
        (par["research_L0"], x["A_L"], 1.0 - x["ree_share"], now["entry_subsidy_L"]),
    ):
        pays = outlay > 0.0
        yield A[~pays] - 1.0
        if at_once[0]:
            yield (share * added / mu)[pays] / (W[:, None] * outlay * A * (1.0 - z))[pays] - 1.0
    yield np.atleast_1d((w * endowment).sum() / par["labour0"].sum() - 1.0)
    value = (mu - 1.0) / mu * (x["ree_share"] * added).sum(axis=1)
    world = par["ree_supply"].sum()
    mined = now["mine_supply"] * world * (q[None] / w[:, None]) ** par["ree_elasticity"][:, None]
    use = value / (par["tax0"] * q)
    imports, mine, quota, embargo = (
        use - mined.sum(axis=0),
        x["ree_mine_price"],
        x["ree_wedge_quota"],
        x["ree_wedge_embargo"],
    )
    below = 1.0 - q / (np.where(home, 1.0, now["tax"] + quota + embargo) * mine)
    yield np.where(mined.sum(axis=0) > 0.0, np.minimum(below, imports / use), below)
    supply = (
        min(now["ree_supply"] * (mine / w[p.supplier]) ** par["ree_elasticity"][p.supplier], now["ree_limit"]) * world
    )
    yield np.atleast_1d(imports.sum() / supply - 1.0)
    yield np.atleast_1d(np.minimum(1.0 - imports[~home].sum() / par["ree_use0"][~home].sum() / now["quota"], quota))
    yield np.where(home, embargo, np.minimum(1.0 - imports / par["ree_use0"] / now["embargo"], embargo))
    kept = np.where(home, 0.0, now["rent_share"] * par["tax0"] * quota * mine * imports)
    own = w * (endowment - units) + (x["revenue"] - x["spending"] + added / mu).sum(axis=1) + taxes
    own += kept + mined @ (par["tax0"] * q)
    own[p.supplier] += (par["tax0"] * q * imports - kept).sum()
    share = par["deficit_share"]
    follows = own * (share - (share * own).sum() / own.sum())
    yield x["final_demand"] / (own + (follows if p.deficit_follows_income else par["deficit0"])) - 1.0
    worth = (x["revenue"] - (1.0 - par["phi_va"]) * x["spending"]).sum() + taxes.sum()
    yield np.atleast_1d(x["final_demand"].sum() / worth - 1.0)


def written_again(p: Parameters, policy: Array, at_once: Flags, row: Array) -> float:
    """Every condition of the model in hats, written here from the equations and not from the library."""
    x, now = Layout(ROW, p.regions, p.sectors).views(row), Layout(POLICY, p.regions, p.sectors).views(policy)
    parts = [*goods_residuals(p.views(), x, now, at_once), *factor_residuals(p, x, now, at_once)]
    return max(float(np.abs(part).max(initial=0.0)) for part in parts)


class TestWrittenAgain:
    @pytest.mark.parametrize("speeds", EIGHT)
    @pytest.mark.parametrize("seed", [1, 2, 5])
    def test_both_say_the_same_of_any_row(self, seed, speeds):
        economy, policy = drawn(seed, 0.3)
        p, rng = economy.parameters, np.random.default_rng(seed)
        at_once = (speeds[0] == 1.0, speeds[1] == 1.0, speeds[2] == 1.0)
        row = stepped_rows(economy, policy, speeds)[1]
        assert written_again(p, policy, at_once, row) <= PLAIN
        for size in (1e-7, 1e-4, 1e-2):
            wrong = row * (1.0 + size * rng.uniform(-1.0, 1.0, row.size))
            mine, theirs = written_again(p, policy, at_once, wrong), residual(p, policy, at_once, wrong)[0]
            # ratios here, logs there, in some conditions: they differ by the square of the residual
            assert theirs == pytest.approx(mine, rel=2.0 * mine + 1e-6, abs=PLAIN)


class TestSolutionsPass:
    @pytest.mark.parametrize("endogenous", [True, False])
    @pytest.mark.parametrize("seed", range(12))
    def test_static_equilibria_with_every_instrument(self, seed, endogenous):
        economy, policy = drawn(seed)
        at_once = (endogenous, True, True)
        found = residual(economy.parameters, policy, at_once, static_row(economy, policy, endogenous))
        assert found[0] <= SOLVED, found

    @pytest.mark.parametrize("speeds", EIGHT)
    @pytest.mark.parametrize("seed", range(3))
    def test_paths_with_every_instrument(self, seed, speeds):
        economy, policy = drawn(seed, 0.3)
        p = economy.parameters
        at_once = tuple(speed == 1.0 for speed in speeds)
        first, *rest = stepped_rows(economy, policy, speeds)
        assert residual(p, no_policy(p), at_once, first)[0] <= SOLVED
        for row in rest:
            found = residual(p, policy, at_once, row)
            assert found[0] <= SOLVED, found

    @pytest.mark.parametrize("endogenous", [True, False])
    @pytest.mark.parametrize("limit", ["ree_limit", "mines", "no quota", "no exporter"])
    def test_each_regime_of_rare_earths(self, limit, endogenous):
        rng = np.random.default_rng(4)
        cal = with_taxes(rng, plain(rng, 3, 3, exporter="R0"))
        if limit == "no exporter":
            cal = cal.replace(exporter=None, ree_share_is=np.zeros((3, 3)))
        economy = Economy(cal)
        policy = every_instrument(rng, economy.parameters)
        views = Layout(POLICY, 3, 3).views(policy)
        if limit == "ree_limit":
            views["ree_limit"][...] = 0.7
        elif limit == "mines":  # region 2 has more mines than it needs at the supplier's price
            views["mine_supply"][1, 2] = 2.0 * economy.parameters.views()["ree_use0"][2] / cal.ree_value_i.sum()
        if limit in ("mines", "no quota"):
            views["quota"][...] = np.inf
            views["embargo"][...] = np.inf
        row = static_row(economy, policy, endogenous)
        at = Layout(ROW, 3, 3).views(row)
        found = residual(economy.parameters, policy, (endogenous, True, True), row)
        assert found[0] <= SOLVED, found
        if limit == "mines":  # the price falls short of that of imports, of which there are none
            assert at["ree_price"][2] < 0.999 * views["tax"][2] * at["ree_mine_price"]

    @pytest.mark.parametrize("endogenous", [True, False])
    def test_goods_that_are_not_made_or_not_bought(self, endogenous):
        rng = np.random.default_rng(7)
        economy = Economy(with_holes(with_taxes(rng, plain(rng, 3, 3))))
        policy = every_instrument(rng, economy.parameters)
        row = static_row(economy, policy, endogenous)
        at = Layout(ROW, 3, 3).views(row)
        assert at["revenue"][0, 2] == 0.0
        assert at["expenditure"][1, 2] == 0.0
        assert residual(economy.parameters, policy, (endogenous, True, True), row)[0] <= SOLVED
        for name, place in (
            ("revenue", (0, 2)),
            ("expenditure", (1, 2)),
            ("trade_share", (0, 1, 2)),
            ("spending", (0, 2)),
        ):
            wrong = row.copy()
            Layout(ROW, 3, 3).views(wrong)[name][place] += 1e-3
            assert residual(economy.parameters, policy, (endogenous, True, True), wrong)[0] > SEEN


def visible(economy: Economy, name: str) -> Array:
    """Where an array means something: elsewhere a part of nothing is nothing."""
    par = economy.parameters.views()
    shape = dict(ROW)[name]
    everywhere = np.ones(Layout(ROW, economy.parameters.regions, economy.parameters.sectors).shape(shape), dtype=bool)
    if name == "trade_share":
        return par["trade_share0"] > 0.0
    if name == "ree_share":
        return par["ree_share0"] > 0.0
    return everywhere


GUILTY = {
    "A_R": ("free entry", "value added"), "A_L": ("free entry", "value added"),
    "posted_price": ("price equals cost", "optimal trade shares", "composite price", "input spending"),
    "trade_share": ("trade shares add up", "optimal trade shares", "composite price", "revenue"),
    "wage": ("numeraire", "rare-earth market", "labour", "income", "value added", "free entry"),
    "ree_price": ("rare-earth", "value added"), "ree_mine_price": ("rare-earth", "income"),
    "ree_wedge_quota": ("rare-earth user price", "quota"), "ree_wedge_embargo": ("rare-earth user price", "embargo"),
    "final_demand": ("income", "Walras", "expenditure"), "price_consumption": ("consumption price", "free entry"),
    "price_index": ("composite price", "optimal trade", "unit cost", "consumption price"),
    "expenditure": ("expenditure", "revenue"), "revenue": ("revenue", "input spending", "Walras", "income"),
    "spending": ("input spending", "free entry", "labour", "Walras", "income"),
    "unit_cost": ("unit cost", "price equals cost", "input spending", "income"),
    "value_added_price": ("value added", "unit cost"), "ree_share": ("value added", "free entry", "rare-earth"),
}  # fmt: skip
"""What the certificate may say when all of an array is off by a part in a million."""


class TestErrorsAreSeen:
    @pytest.mark.parametrize("name", GUILTY)
    @pytest.mark.parametrize("seed", [1, 5])
    def test_an_array_that_is_off_is_blamed_on_its_own_equations(self, name, seed):
        economy, policy = drawn(seed)
        p = economy.parameters
        views = Layout(POLICY, p.regions, p.sectors).views(policy)
        views["mine_supply"][...], views["tax"][...] = 0.0, 1.0  # so that limits bind, or a part of a wedge is nothing
        views["quota"][...], views["embargo"][(p.supplier + 1) % p.regions] = (0.6, 0.3)
        row = static_row(economy, policy, True)
        Layout(ROW, p.regions, p.sectors).views(row)[name][...] *= 1.0 + PART
        found, equation, *_ = residual(p, policy, (True, True, True), row)
        assert found > SEEN
        assert any(word in equation for word in GUILTY[name]), equation

    @pytest.mark.parametrize("name", [name for name, _ in ROW])
    @pytest.mark.parametrize("speeds", [(1.0, 1.0, 1.0), (0.3, 0.2, 0.2)])
    @pytest.mark.parametrize("seed", [1, 5])
    def test_any_one_number_of_a_row(self, name, speeds, seed):
        economy, policy = drawn(seed)
        p = economy.parameters
        at_once = tuple(speed == 1.0 for speed in speeds)
        row = stepped_rows(economy, policy, speeds)[2]
        for place in np.argwhere(visible(economy, name)):
            wrong = row.copy()
            view = Layout(ROW, p.regions, p.sectors).views(wrong)[name]
            # wedges may be nothing, of which a part is nothing
            view[tuple(place)] += PART if name.startswith("ree_wedge") else PART * view[tuple(place)]
            found, equation, i, s = residual(p, policy, at_once, wrong)
            assert found > SEEN, (name, place)
            assert equation in EQUATIONS
            assert -1 <= i < p.regions
            assert -1 <= s < p.sectors

    @pytest.mark.parametrize("name", [name for name, _ in POLICY])
    @pytest.mark.parametrize("seed", [1, 5])
    def test_any_one_number_of_a_policy(self, name, seed):
        economy, policy = drawn(seed)
        p = economy.parameters
        views = Layout(POLICY, p.regions, p.sectors).views(policy)
        if name == "ree_limit":
            views["ree_limit"][...] = 0.7
        elif name in ("quota", "rent_share", "embargo"):  # tight enough to bind
            views["quota"][...] = 2.0 if name == "embargo" else 0.5
            views["embargo"][(p.supplier + 1) % p.regions] = 0.25 if name == "embargo" else np.inf
            views["mine_supply"][...] = 0.0
        row = static_row(economy, policy, True)
        par = p.views()
        matters = np.ones(views[name].shape, dtype=bool)
        if name in ("tariff", "export_tax", "iceberg"):
            matters = par["trade_share0"] > 0.0
        elif name == "tax":
            matters = np.arange(p.regions) != p.supplier
        elif name == "embargo":
            matters = np.isfinite(views["embargo"])
        elif name == "mine_supply":
            matters = views["mine_supply"] > 0.0
        elif name == "entry_subsidy_R":
            matters = par["research_R0"] > 0.0
        for place in np.argwhere(matters):
            changed = policy.copy()
            Layout(POLICY, p.regions, p.sectors).views(changed)[name][tuple(place)] *= 1.0 + PART
            assert residual(p, changed, (True, True, True), row)[0] > SEEN, (name, place)

    @pytest.mark.parametrize("name", [name for name, _ in ROW])
    def test_what_is_not_a_number_is_infinitely_wrong(self, name):
        economy, policy = drawn(1)
        p = economy.parameters
        row = static_row(economy, policy, True)
        for place in np.argwhere(visible(economy, name)):
            wrong = row.copy()
            Layout(ROW, p.regions, p.sectors).views(wrong)[name][tuple(place)] = np.nan
            assert residual(p, policy, (True, True, True), wrong)[0] == np.inf

    @pytest.mark.parametrize(
        ("name", "place", "equation"),
        [
            ("A_L", (1, 0), "free entry (7)"),
            ("unit_cost", (1, 0), "unit cost (6)"),
            ("posted_price", (1, 0), "price equals cost (10)"),
        ],
    )
    def test_a_false_place_is_named(self, name, place, equation):
        rng = np.random.default_rng(2)
        economy = Economy(plain(rng, 3, 2, sigma_s=np.array([1.5, 1.5]), theta=0.1))
        p = economy.parameters
        row = static_row(economy, no_policy(p), True)
        Layout(ROW, 3, 2).views(row)[name][place] *= 1.0 + 1e-4
        said = residual(p, no_policy(p), (True, True, True), row)
        # prices and costs may be blamed for each other: unit cost off by a part is (6) or (10), at the same place
        assert said[2:] == place
        assert said[1] == equation or {said[1], equation} <= {
            "unit cost (6)",
            "price equals cost (10)",
            "input spending (20)",
        }

    def test_a_block_of_another_size_is_refused(self):
        economy, policy = drawn(1)
        row = static_row(economy, policy, True)
        with pytest.raises(ValueError, match="do not fit"):
            residual(economy.parameters, policy[:-1], (True, True, True), row)
        with pytest.raises(ValueError, match="do not fit"):
            residual(economy.parameters, policy, (True, True, True), row[:-1])
