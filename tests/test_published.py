"""Numbers in print and closed forms of the literature: gains from trade, and NAFTA by Caliendo and Parro (2015).

Every expected number here was found without the package: by a formula, or by the authors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import independent_trade as levels
import numpy as np
import pytest

from reesim._core.layout import POLICY, ROW, Layout, no_policy
from reesim.calibration import LARGEST_MU, Calibration
from reesim.economy import Economy
from reesim.equilibrium import solve_row
from reesim.labels import Labels

FOLDER = os.environ.get("REESIM_SHARED_DATA", "")
needs_tables = pytest.mark.skipif(
    not Path(FOLDER, "cp2015").is_dir(), reason="REESIM_SHARED_DATA names no folder of raw tables"
)

# --- the closed forms ----------------------------------------------------------------------------------------------------


def one_sector_gains(home_share: np.ndarray, sigma: float) -> np.ndarray:
    """Real wage over that of autarky, lambda^(1 / (1 - sigma)) (Arkolakis, Costinot and Rodríguez-Clare 2012)."""
    gains: np.ndarray = home_share ** (1.0 / (1.0 - sigma))
    return gains


def real_wage_change(
    home_share_hat_is: np.ndarray, phi_iks: np.ndarray, alpha_is: np.ndarray, sigma_s: np.ndarray
) -> np.ndarray:
    """Change of real wages that any change of trade costs implies through the shares spent at home.

    Costinot and Rodríguez-Clare (2014), many sectors with input-output links, perfect competition, Cobb-Douglas demand.
    At home a composite costs P = c (lambda-hat)^(1 / (sigma - 1)); with unit costs c = w^phi_va prod P^phi,
    log (P / w) = (I - Phi)^-1 log (lambda-hat) / (sigma - 1): the Leontief inverse. Exact, whatever the deficits.

    Parameters
    ----------
    home_share_hat_is : (N, S) ndarray
        Share spent at home, after over before; 1 where nothing is bought.
    phi_iks : (N, S, S) ndarray
        Share of input s in the cost of k.
    alpha_is : (N, S) ndarray
        Shares in final demand.
    sigma_s : (S,) ndarray

    Returns
    -------
    (N,) ndarray
        Real wage, after over before.
    """
    direct = np.log(home_share_hat_is) / (sigma_s - 1.0)
    relative = np.array(
        [np.linalg.solve(np.eye(len(sigma_s)) - phi, cost) for phi, cost in zip(phi_iks, direct, strict=True)]
    )
    change: np.ndarray = np.exp(-(alpha_is * relative).sum(axis=1))
    return change


class TestClosedForms:
    """The formulas against cases worked by hand, before anything is compared with them."""

    def test_one_sector_without_inputs_is_the_one_sector_formula(self):
        home = np.array([[0.8], [0.5]])
        hat = real_wage_change(1.0 / home, np.zeros((2, 1, 1)), np.ones((2, 1)), np.array([5.0]))
        np.testing.assert_allclose(1.0 / hat, one_sector_gains(home[:, 0], 5.0), rtol=1e-15)

    def test_inputs_raise_the_power_by_the_multiplier(self):
        """One sector that spends half of its cost on itself: the multiplier is two."""
        home = np.array([[0.8]])
        hat = real_wage_change(1.0 / home, np.full((1, 1, 1), 0.5), np.ones((1, 1)), np.array([5.0]))
        assert hat[0] == pytest.approx(0.8 ** (2.0 / 4.0), rel=1e-15)


# --- the package on the same ground -----------------------------------------------------------------------------------------

Arrays = dict[str, np.ndarray]


def calibration_of(
    table: levels.Table, sigma_s: np.ndarray, rho: float = 1.0, closure: str = "world_labour_share"
) -> Calibration:
    """Pure trade model of a table: no research, no rare earths."""
    n, s = table.final_is.shape
    regions, sectors = (
        Labels(kind, tuple(f"{kind[0].upper()}{k}" for k in range(size)), tuple(f"{kind} {k}" for k in range(size)))
        for kind, size in (("region", n), ("sector", s))
    )
    return Calibration(
        year=2000, regions=regions, sectors=sectors, exporter=None, trade_jis=table.trade_jis,
        materials_iks=table.materials_iks, final_is=table.final_is, ree_share_is=np.zeros((n, s)), sigma_s=sigma_s,
        epsilon_s=np.ones(s), gamma_s=np.zeros(s), rho=rho, mu=LARGEST_MU, theta=0.0, tariff_jis=table.tariff_jis,
        export_tax_jis=table.export_tax_jis, deficit=closure,
    )  # fmt: skip


def solved(economy: Economy, changes: Arrays) -> Arrays:
    """Equilibrium under a policy given by the names of the core's policy block."""
    par = economy.parameters
    policy = no_policy(par)
    views = Layout(POLICY, par.regions, par.sectors).views(policy)
    for name, value in changes.items():
        views[name][...] = value
    row, certificate = solve_row(economy, policy, False)
    assert certificate.residual <= 1e-10
    return Layout(ROW, par.regions, par.sectors).views(row)


INSTRUMENTS = ("tariff", "export_tax", "iceberg", "productivity", "labour", "output_subsidy")


def drawn(world: levels.World, names: tuple[str, ...], seed: int) -> tuple[levels.World, Arrays]:
    """Change some primitives at random: the world in levels, and the same as the core's policy."""
    draw = np.random.default_rng(seed)
    n, s = world.phi_va_is.shape
    abroad = 1.0 - np.eye(n)[:, :, None]
    tariff, tax = draw.uniform(0.0, 0.4, (n, n, s)) * abroad, draw.uniform(-0.1, 0.2, (n, n, s)) * abroad
    iceberg = 1.0 + draw.uniform(-0.2, 0.2, (n, n, s)) * abroad
    factor, labour, subsidy = draw.uniform(0.8, 1.2, (n, s)), draw.uniform(0.8, 1.2, n), draw.uniform(-0.1, 0.1, (n, s))
    here = {
        "tariff": ({"tariff_jis": tariff}, 1.0 + tariff),
        "export_tax": ({"export_tax_jis": tax}, 1.0 + tax),
        "iceberg": ({"iceberg_jis": world.iceberg_jis * iceberg}, iceberg),
        "productivity": ({"productivity_is": world.productivity_is * factor}, factor),
        "labour": ({"labour_i": world.labour_i * labour, "numeraire_labour_i": world.labour_i * labour}, labour),
        "output_subsidy": ({"subsidy_is": subsidy}, 1.0 + subsidy),
    }
    changed = {key: value for name in names for key, value in here[name][0].items()}
    return world.change(**changed), {name: here[name][1] for name in names}


ALL = {"export_taxes": True, "holes": True}
CASES = [
    *(((name,), {"regions": 2, "sectors": 2, "export_taxes": name == "export_tax"}) for name in INSTRUMENTS),
    (INSTRUMENTS, {"rho": 1.36, **ALL}),
    (INSTRUMENTS, {"rho": 0.7, "deficit_follows_income": True, **ALL}),
    (("tariff", "iceberg"), {"regions": 4, "sectors": 1, "deficits": False}),
]


@pytest.mark.parametrize(("names", "economy"), CASES, ids=lambda value: "-".join(value))
def test_every_instrument_agrees_with_the_model_in_levels(names, economy):
    world = levels.random_world(len(names) + 1, **economy)
    before = levels.solve(world)
    changed, policy = drawn(world, names, seed=7)
    after = levels.solve(changed)
    closure = "own_income_share" if world.deficit_follows_income else "world_labour_share"
    row = solved(Economy(calibration_of(levels.table(world, before), world.sigma_s, world.rho, closure)), policy)
    assert np.abs(np.log(row["wage"])).max() > 1e-3
    # two solutions, each good to 1e-11 or so, times conditioning
    np.testing.assert_allclose(row["wage"], after.wage_i / before.wage_i, rtol=1e-9)
    np.testing.assert_allclose(row["price_index"], after.price_is / before.price_is, rtol=1e-9)
    np.testing.assert_allclose(
        row["price_consumption"], after.consumption_price_i / before.consumption_price_i, rtol=1e-9
    )
    np.testing.assert_allclose(row["trade_share"], after.share_jis, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(row["revenue"], after.sales_is, rtol=1e-9)
    np.testing.assert_allclose(row["final_demand"], after.income_i, rtol=1e-9)


# --- gains from trade -------------------------------------------------------------------------------------------------------

AUTARKY = 1e4
"""Iceberg factor: with sigma of 6 foreign goods keep 1e-20 of spending, below rounding; autarky for every purpose."""


def closed(n: int) -> np.ndarray:
    """Iceberg factors that leave every region alone."""
    return np.where(np.eye(n, dtype=bool), 1.0, AUTARKY)[:, :, None]


def home(row: Arrays) -> np.ndarray:
    """Shares spent at home, (N, S)."""
    here = np.arange(len(row["wage"]))
    share: np.ndarray = row["trade_share"][here, here]
    return share


def world_without_tariffs(seed: int, **size: int) -> tuple[levels.World, Economy]:
    world = levels.random_world(seed, tariffs=False, deficits=False, **size).change(
        sigma_s=np.full(size["sectors"], 6.0)
    )
    return world, Economy(calibration_of(levels.table(world, levels.solve(world)), world.sigma_s))


def test_gains_from_trade_in_one_sector():
    """lambda^(1 / (1 - sigma)), inputs of the sector from itself raising the power to 1 / phi_va."""
    world, economy = world_without_tariffs(11, regions=4, sectors=1)
    open_share = home(solved(economy, {}))[:, 0]
    alone = solved(economy, {"iceberg": closed(4)})
    gains = (alone["price_consumption"] / alone["wage"]) ** world.phi_va_is[:, 0]
    assert gains.min() > 1.01
    np.testing.assert_allclose(gains, one_sector_gains(open_share, 6.0), rtol=1e-10)  # what the certificate allows


def test_any_change_of_trade_costs_is_seen_in_home_shares():
    world, economy = world_without_tariffs(12, regions=3, sectors=4)
    before = home(solved(economy, {}))
    for policy in (drawn(world, ("iceberg",), 3)[1], {"iceberg": closed(3)}):
        row = solved(economy, policy)
        expected = real_wage_change(
            home(row) / before, world.phi_iks, economy.parameters.views()["alpha"], world.sigma_s
        )
        np.testing.assert_allclose(
            row["wage"] / row["price_consumption"], expected, rtol=1e-9
        )  # 1e-10 times multipliers


GROUPS = (
    "c1", "c2 c8", "c3", "c4 c5", "c6", "c7", "c9", "c10", "c11", "c12", "c13 c14 c15", "c16", "c17", "c18",
    "c19 c20 c21", "c22", "c23 c24 c25 c26", "c27", "c28", "c29", "c30", "c31", "c32", "c33", "c34 c35",
)  # fmt: skip
"""Industries of the world table summed so that every country makes and sells at home some of everything."""

LOSSES = {
    "AUS": 6.125, "AUT": 16.191, "BEL": 27.142, "BGR": 24.374, "BRA": 3.106, "CAN": 9.886, "CHN": 6.140, "CYP": 16.346,
    "CZE": 18.289, "DEU": 11.420, "DNK": 15.294, "ESP": 8.161, "EST": 21.661, "FIN": 10.727, "FRA": 7.415, "GBR": 8.538,
    "GRC": 7.957, "HUN": 23.461, "IDN": 6.917, "IND": 6.121, "IRL": 20.209, "ITA": 7.286, "JPN": 4.626, "KOR": 15.124,
    "LTU": 17.991, "LUX": 38.921, "LVA": 18.128, "MEX": 7.265, "MLT": 28.913, "NLD": 16.894, "POL": 12.083, "PRT": 12.140,
    "ROM": 10.975, "RUS": 7.466, "SVK": 23.337, "SVN": 20.981, "SWE": 13.174, "TUR": 5.980, "TWN": 20.499, "USA": 3.420,
    "RoW": 11.829,
}  # fmt: skip
"""Fall of real wages in autarky, per cent of those of 2008 without deficits, sigma 6: by the formula, home shares from an
independent solution of the baseline without deficits."""


def world_of_2008() -> tuple[tuple[str, ...], levels.Table]:
    from reesim.data import wiod

    raw = wiod.read(Path(FOLDER, "wiod2013"), 2008)
    add = np.array([[float(code in group.split()) for group in GROUPS] for code in raw.industries])
    flows, final = np.maximum(raw.intermediate_jsik, 0.0), np.maximum(raw.final_jsic, 0.0).sum(axis=3)
    trade = (flows.sum(axis=3) + final).transpose(0, 2, 1) @ add
    materials = np.einsum("iks,ka,sb->iab", flows.sum(axis=0).transpose(1, 2, 0), add, add)
    none = np.zeros_like(trade)
    return raw.regions, levels.Table(trade, materials, final.sum(axis=0).T @ add, none, none)


@pytest.mark.shared
@needs_tables
def test_gains_from_trade_of_41_countries():
    """The multi-sector formula with input-output links, for a move to autarky in 2008."""
    codes, table = world_of_2008()
    sigma = np.full(len(GROUPS), 6.0)
    cal = calibration_of(table, sigma)
    economy = Economy(cal, deficits=False)  # the table's deficits could not be paid in autarky
    before, alone = (solved(economy, policy) for policy in ({}, {"iceberg": closed(41)}))
    par = economy.parameters.views()
    expected = real_wage_change(1.0 / home(before), par["phi"], par["alpha"], sigma)
    real = [row["wage"] / row["price_consumption"] for row in (before, alone)]
    np.testing.assert_allclose(real[1] / real[0], expected, rtol=1e-9)  # 1e-10 times multipliers of a few
    fall = dict(zip(codes, 100.0 * (1.0 - real[1] / real[0]), strict=True))
    assert fall == pytest.approx(LOSSES, abs=5.1e-4)  # the list has three decimals


# --- NAFTA ------------------------------------------------------------------------------------------------------------------

PUBLISHED = {  # Table 2, per cent: terms of trade, volume of trade, welfare, real wage
    "Canada": ("-0.11", "0.04", "-0.06", "0.32"),
    "Mexico": ("-0.41", "1.72", "1.31", "1.72"),
    "USA": ("0.04", "0.04", "0.08", "0.11"),
}
"""As printed by Caliendo and Parro (2015), deficits removed."""

REMOVED = {  # terms of trade, volume of trade, welfare, real wage, real income
    "Canada": (-0.1081022, 0.0442859, -0.0638163, 0.3228290, -0.1101045),
    "Mexico": (-0.4117712, 1.7238849, 1.3121137, 1.7153229, 0.0073232),
    "USA": (0.0435315, 0.0412218, 0.0847533, 0.1124428, 0.0741463),
}
"""The same exercise solved to 1e-10 by an independent program, per cent."""

KEPT = {
    "Canada": (-0.0801417, 0.0396264, -0.0405153, 0.3340756, -0.0821069),
    "Mexico": (-0.4145264, 1.5887909, 1.1742645, 1.6404933, -0.0450603),
    "USA": (0.0462002, 0.0387570, 0.0849573, 0.1178363, 0.0758310),
}
"""Deficits kept at their values of 1993, the baseline solved for at the tariffs of 1993; an independent program, per cent."""

LISTED = 0.6e-7
"""Half a unit of the last listed digit, in per cent, and a little for both solvers."""

COLUMNS = ("terms_of_trade", "volume_of_trade", "welfare", "real_wage", "real_income")


def test_the_listed_numbers_round_to_the_published_ones():
    for region, digits in PUBLISHED.items():
        assert tuple(f"{number:.2f}" for number in REMOVED[region][:4]) == digits


@pytest.mark.shared
@needs_tables
@pytest.mark.parametrize(("deficits", "expected"), [("removed", REMOVED), ("kept", KEPT)])
def test_nafta(deficits, expected):
    """The example as a user runs it."""
    example = Path(__file__).parents[1] / "examples" / "nafta.py"
    command = [sys.executable, str(example), "--data", str(Path(FOLDER, "cp2015")), "--deficits", deficits, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["region"]: row for row in json.loads(done.stdout)}
    assert len(rows) == 31
    assert [row["region"] for row in json.loads(done.stdout)][:3] == list(expected)
    for region, numbers in expected.items():
        assert [rows[region][name] for name in COLUMNS] == pytest.approx(numbers, abs=LISTED)
        if deficits == "removed":
            assert tuple(f"{rows[region][name]:.2f}" for name in COLUMNS[:4]) == PUBLISHED[region]


@pytest.mark.shared
@needs_tables
def test_nafta_for_a_reader_who_has_seen_enough():
    """As with ``| head``: nobody reads on, and there is nothing to tell."""
    example = Path(__file__).parents[1] / "examples" / "nafta.py"
    command = [sys.executable, str(example), "--data", str(Path(FOLDER, "cp2015"))]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
