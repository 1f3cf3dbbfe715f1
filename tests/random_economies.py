"""Small random economies and policies, and short names for what the core takes: for the tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reesim._core import reference as ref
from reesim._core.layout import PARAMETERS, POLICY, ROW, STATE, Layout, Parameters, no_policy
from reesim._core.stepper import Stepper
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.equilibrium import solve_row
from reesim.labels import Labels

EIGHT = [(entry, price, trade) for entry in (0.3, 1.0) for price in (0.2, 1.0) for trade in (0.2, 1.0)]
"""Shares of the gap that entry, prices and trade close in a step: all combinations of lagged and at once.

Lagged ones are slow enough for explicit steps to be stable at sigma = 6 beside ones at once."""


def labels(kind: str, size: int) -> Labels:
    letter = kind[0].upper()
    return Labels(
        kind, tuple(f"{letter}{k}" for k in range(size)), tuple(f"{kind.title()} number {k}" for k in range(size))
    )


def random_shares(rng: np.random.Generator, n: int, s: int) -> np.ndarray:
    """Shares of exporters in spending, mostly at home, with zeros; in half of the economies a good is not made everywhere."""
    share = rng.uniform(0.02, 1.0, (n, n, s)) * (rng.random((n, n, s)) < 0.8)
    for i in range(n):
        share[i, i] = rng.uniform(1.0, 3.0, s) * n
    if s > 1 and rng.random() < 0.5:
        idle, good = int(rng.integers(n)), int(rng.integers(1, s))
        share[idle, :, good], share[(idle + 1) % n, idle, good] = 0.0, 1.0
    return share / share.sum(axis=0)


def random_rates(rng: np.random.Generator, n: int, s: int, highest: float) -> np.ndarray:
    """Ad-valorem rates between regions, in two thirds of the economies; none at home."""
    rates = rng.uniform(0.0, highest, (n, n, s)) * (rng.random((n, n, s)) < 0.7) * (rng.random() < 0.67)
    rates[np.arange(n), np.arange(n)] = 0.0
    return rates


def random_calibration(
    rng: np.random.Generator, n: int, s: int, local: Sequence[int] = (), **changes: object
) -> Calibration:
    """Balanced baseline with zeros in trade, output and demand, tariffs, epsilon and sigma on either side of and exactly at one.

    Gamma is zero in some sectors, never in the first, so that everybody uses rare earths. Variety effects stay well inside
    the region where equilibria are stable. ``local`` are sectors that are not traded.
    """
    share = random_shares(rng, n, s)
    share[:, :, list(local)] = np.eye(n)[:, :, None]
    uses = np.ones((n, s))
    uses[1:, 1:] = rng.random((n - 1, s - 1)) < 0.8  # some goods are not consumed, only used as materials
    wanted = uses * rng.uniform(10.0, 500.0, (n, s)) + 1e-3
    phi = rng.uniform(0.1, 1.0, (n, s, s)) * (rng.random((n, s, s)) < 0.7)
    phi *= rng.uniform(0.2, 0.6, (n, s, 1)) / np.maximum(phi.sum(axis=2, keepdims=True), 1e-9)
    phi[~share.any(axis=1)] = 0.0
    if s > 1 and rng.random() < 0.5:  # nobody buys this, at least not here
        shunning, good = int(rng.integers(n)), int(rng.integers(1, s))
        wanted[shunning, good], phi[shunning, :, good] = 0.0, 0.0
    tariff, export_tax = random_rates(rng, n, s, 0.4), random_rates(rng, n, s, 0.1)
    net = share / ((1.0 + tariff) * (1.0 + export_tax))
    flow = np.einsum("jis,iks->jsik", net, phi).reshape(n * s, n * s)
    revenue = np.linalg.solve(np.eye(n * s) - flow, np.einsum("jis,is->js", net, wanted).ravel()).reshape(n, s)
    materials = phi * revenue[:, :, None]
    trade = net * (wanted + materials.sum(axis=1))[None]
    spent = (trade * (1.0 + tariff) * (1.0 + export_tax)).sum(axis=0)
    final = np.where(wanted > 0.0, spent - materials.sum(axis=1), 0.0)
    gamma = np.where(rng.random(s) < 0.7, 0.01, 0.0)
    gamma[0] = 0.01
    exporter = int(rng.integers(n))
    ree_share = (gamma > 0.0) * rng.uniform(0.0005, 0.01, (n, s))
    ree_share[exporter] *= (
        n  # as in the world, about half of the use is at home: then limits abroad do not flood the exporter
    )
    fields: dict[str, object] = {
        "year": 2009, "regions": labels("region", n), "sectors": labels("sector", s), "exporter": f"R{exporter}",
        "trade_jis": trade, "materials_iks": materials, "final_is": final, "tariff_jis": tariff, "export_tax_jis": export_tax,
        "ree_share_is": ree_share, "gamma_s": gamma, "ree_elasticity_i": rng.choice([0.0, 0.3, 1.0], n),
        "sigma_s": rng.choice([1.0, 1.0 + 1e-4, 0.8, 2.5, 4.0, 6.0], s),
        "epsilon_s": rng.choice([0.6, 0.9, 1.0, 1.0 - 1e-5, 1.3], s),
        "rho": rng.choice([1.0, 0.9999, 1.36, 0.7]), "mu": rng.uniform(5.0, 8.0), "theta": rng.uniform(0.0, 0.2),
        "baseline_tax": rng.choice([0.0, 0.15]), "entry_cost": rng.choice(["labour", "final_good"]),
        "deficit": rng.choice(["world_labour_share", "own_income_share"]),
    }  # fmt: skip
    return Calibration(
        **{name: str(value) if isinstance(value, np.str_) else value for name, value in {**fields, **changes}.items()}
    )


def policy_block(
    parameters: Parameters,
    tax: object = 1.0,
    quota: float = np.inf,
    embargo: dict[int, float] | None = None,
    rent_share: float = 0.0,
    **fields: object,
) -> np.ndarray:
    """Policy of one regime; the tax is a multiplier on all destinations, or one for each region, ``fields`` are levels."""
    block = no_policy(parameters)
    views = Layout(POLICY, parameters.regions, parameters.sectors).views(block)
    views["tax"][...], views["quota"][...], views["rent_share"][...] = tax, quota, rent_share
    views["tax"][parameters.supplier] = 1.0
    for region, limit in (embargo or {}).items():
        views["embargo"][region] = limit
    for name, value in fields.items():
        views[name][...] = value
    return block


def random_policy(rng: np.random.Generator, parameters: Parameters) -> np.ndarray:
    """Every instrument at once; limits on rare earths each half of the times, so that they bind alone and together.

    Those on goods and factors move costs by a few per cent: under prices that lag, wages bear all of a larger shock.
    """
    n, s = parameters.regions, parameters.sectors
    tax = rng.uniform(0.8, 2.5, n)
    quota = rng.uniform(0.75, 0.95) if rng.random() < 0.5 else np.inf
    foreign = [i for i in range(n) if i != parameters.supplier]
    embargo = {int(rng.choice(foreign)): rng.uniform(0.4, 0.8)} if rng.random() < 0.5 else {}
    abroad = 1.0 - np.eye(n)[:, :, None]
    mines = rng.uniform(0.0, 0.05, (n, n)) * (rng.random((n, n)) < 1.0 / n) * (rng.random() < 0.67)
    mines[:, foreign[0]] *= rng.choice([1.0, 20.0])  # sometimes enough to leave no room for imports
    par = parameters.views()
    return policy_block(
        parameters, tax, quota, embargo, rng.uniform() if np.isfinite(quota) else 0.0,
        ree_supply=rng.uniform(0.9, 1.2), ree_limit=rng.choice([np.inf, 0.9]), mine_supply=mines,
        labour=rng.uniform(0.98, 1.02, n), productivity=rng.uniform(0.98, 1.02, (n, s)),
        output_subsidy=1.0 + rng.uniform(-0.01, 0.02, (n, s)), entry_subsidy_R=rng.uniform(0.0, 0.3, (n, s)),
        entry_subsidy_L=rng.uniform(0.0, 0.05, (n, s)),
        tariff=par["tariff0"] * (1.0 + abroad * rng.uniform(-0.02, 0.05, (n, n, s))),
        export_tax=par["export_tax0"] * (1.0 + abroad * rng.uniform(-0.02, 0.02, (n, n, s))),
        iceberg=1.0 + abroad * rng.uniform(-0.03, 0.03, (n, n, s)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Solved:
    """A row by name, with the economy and the policy it belongs to."""

    economy: Economy
    policy: np.ndarray
    row: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        return named(self.economy.parameters, self.row)[name]


def named(parameters: Parameters, rows: np.ndarray) -> dict[str, np.ndarray]:
    return Layout(ROW, parameters.regions, parameters.sectors).views(rows)


def solved(economy: Economy, policy: np.ndarray, endogenous: bool = True) -> Solved:
    """Static equilibrium."""
    return Solved(economy, policy, solve_row(economy, policy, endogenous)[0])


def stepped(
    parameters: Parameters, speeds: tuple[float, float, float], policies: np.ndarray, substeps: int = 1
) -> np.ndarray:
    """Rows of a whole run, one policy a period; it must succeed."""
    rows = np.empty((len(policies), Layout(ROW, parameters.regions, parameters.sectors).size))
    stepper = Stepper(parameters, speeds)
    regimes = np.arange(len(policies))
    done = stepper.run(np.ascontiguousarray(policies), regimes, substeps, 1e-10, rows, np.empty(len(policies)))
    assert done == len(policies), stepper.fault
    return rows


def rebuilt(parameters: Parameters, **changes: np.ndarray) -> Parameters:
    """Parameters with some arrays changed: endowments, mostly."""
    arrays = {name: np.array(view) for name, view in parameters.views().items()}
    assert set(changes) <= {name for name, _ in PARAMETERS}
    return Parameters.build(
        {**arrays, **changes}, supplier=parameters.supplier, entry_in_final_good=parameters.entry_in_final_good,
        deficit_follows_income=parameters.deficit_follows_income,
    )  # fmt: skip


def equations(parameters: Parameters, policy: np.ndarray) -> tuple[ref.Equations, ref.Equations]:
    """Parameters and policy as the reference takes them."""
    return ref.unpack(parameters), ref.name_policy(parameters, policy)


def twins(parameters: Parameters, policies: np.ndarray) -> list[ref.Equations]:
    """Policies of a run as the reference takes them: one object a regime."""
    regimes = {policy.tobytes(): ref.name_policy(parameters, policy) for policy in policies}
    return [regimes[policy.tobytes()] for policy in policies]


STATES = tuple(name for name, _ in STATE)


# --- the same economy, told otherwise ---------------------------------------------------------------------------------------

KINDS = ("endogenous", "fixed", "none")
"""Technology; none is pure trade: no varieties, no rare earths."""


def mild_calibration(rng: np.random.Generator, n: int, s: int, kind: str, **changes: object) -> Calibration:
    """A random baseline where every policy drawn by `random_policy` has an equilibrium, of one kind of technology.

    Every region sells to every other, if by way of third ones. Nobody gives away more than a fifth of what it earns, or is
    given more than it earns: a constant gift out of an income that falls leaves nothing to live on. Goods of different origin
    are no complements, since a tariff may then make a gift grow.
    """
    pure = {"mu": 1e15, "theta": 0.0, "ree_share_is": np.zeros((n, s))} if kind == "none" else {}
    while True:
        sigma = rng.choice([1.0, 1.0 + 1e-4, 1.5, 2.5, 4.0, 6.0], s)
        cal = random_calibration(rng, n, s, **{"sigma_s": sigma, **pure, **changes})
        share = cal.deficit_i / cal.own_income_i
        if share.min() > -0.2 and share.max() < 1.0 and everybody_trades(cal):
            return cal


def everybody_trades(cal: Calibration) -> bool:
    """Whether every region sells to every other, if by way of third ones; else trade cannot be balanced."""
    n = len(cal.regions)
    ways = np.linalg.matrix_power(np.eye(n) + (cal.trade_jis.sum(axis=2) > 0.0), n)
    return bool((ways > 0.0).all())


def _taken(array: np.ndarray, axes: str, region: np.ndarray, sector: np.ndarray) -> np.ndarray:
    return array[np.ix_(*(region if axis in "ij" else sector for axis in axes))] if axes else array


def retold_policy(
    parameters: Parameters, block: np.ndarray, region: np.ndarray, sector: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Policy on regions and sectors in another order, some of them perhaps a part (``weight``) of what they were."""
    old = Layout(POLICY, parameters.regions, parameters.sectors)
    layout = Layout(POLICY, len(region), len(sector))
    new, axes = np.empty(layout.size), dict(POLICY)
    for name, view in layout.views(new).items():
        view[...] = _taken(old.views(block)[name], axes[name], region, sector)
    layout.views(new)["mine_supply"][...] *= weight[:, None] * weight
    return new


def retold_row(
    parameters: Parameters, row: np.ndarray, region: np.ndarray, sector: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """What a row says of the same economy told otherwise: values are split, prices and measures are not."""
    axes = dict(ROW)
    told = {name: _taken(view, axes[name], region, sector) for name, view in named(parameters, row).items()}
    for name in ("final_demand", "expenditure", "revenue", "spending"):
        told[name] = told[name] * weight.reshape(-1, *[1] * (told[name].ndim - 1))
    told["trade_share"] = told["trade_share"] * weight[:, None, None]
    return told


def retold(cal: Calibration, region: np.ndarray, sector: np.ndarray, weight: np.ndarray) -> Calibration:
    """Baseline with regions and sectors in another order; a region named twice is split by ``weight``.

    Halves trade with each other as a whole trades with itself: without tariffs or trade costs.
    """
    codes = [f"{cal.regions.codes[old]}{'' if old not in region[:new] else 'b'}" for new, old in enumerate(region)]
    both, one = weight[:, None, None] * weight[:, None], weight[:, None]
    return cal.replace(
        regions=Labels("region", tuple(codes), tuple(f"Region {code}" for code in codes)),
        sectors=Labels("sector", *(tuple(names[s] for s in sector) for names in (cal.sectors.codes, cal.sectors.names))),
        trade_jis=_taken(cal.trade_jis, "jis", region, sector) * both,
        materials_iks=_taken(cal.materials_iks, "iks", region, sector) * one[:, :, None],
        final_is=_taken(cal.final_is, "is", region, sector) * one,
        ree_share_is=_taken(cal.ree_share_is, "is", region, sector),
        tariff_jis=_taken(cal.tariff_jis, "jis", region, sector),
        export_tax_jis=_taken(cal.export_tax_jis, "jis", region, sector),
        ree_elasticity_i=cal.ree_elasticity_i[region],
        sigma_s=cal.sigma_s[sector], epsilon_s=cal.epsilon_s[sector], gamma_s=cal.gamma_s[sector],
    )  # fmt: skip
