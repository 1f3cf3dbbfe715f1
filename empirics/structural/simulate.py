"""Panels that (24) holds for by construction: what estimators are tried on before they are believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.empirics.structural.inversion import Technology
from reesim.empirics.structural.panel import FactorPanel
from reesim.errors import InputError
from reesim.scenario import default_world

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

REGIONS = ("EUR", "USA", "CHN", "RUS", "KOR", "JPN", "AUS", "ROW")
"""Those of the slides' patents."""

WEDGE, ABROAD, AT_HOME = np.log(3.0), 0.254, -0.844
"""Log of the tax of three, and of what it does to the price of rare earths over the wage abroad and inside the exporter in
the model's static equilibrium under `deck` shares."""

BURN = 40
"""Years before the first by which price shocks have reached their stationary spread: 0.7 to the power 40 is 1e-6."""


def deck_sectors() -> tuple[tuple[str, ...], Array, Array]:
    """Codes, epsilon and gamma of the sectors in the slides' table."""
    rows = {code: pair for code, pair in default_world().elasticities.items() if pair[1] > 0.0}
    epsilon, gamma = (np.array(column) for column in zip(*rows.values(), strict=True))
    return tuple(rows), epsilon, gamma


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """What a simulated panel is like.

    Parameters
    ----------
    sectors : tuple of str, (S,)
    epsilon_s, gamma_s : ndarray, (S,)
        The truth; by default the slides' table.
    technology : Technology
    regions : tuple of str, (G,)
    exporter : str
        Region in which the policy lowers the price instead of raising it.
    years, policy_years : tuple of int
        All, and those with the tax.
    price_sd, price_memory : float
        Shocks to log(w_R/w_L) by region and year: spread of the innovation, autocorrelation.
    region_sd, noise_sd : float
        Of u: lasting differences of log(f_L/f_R) by region and sector, and what is left by year.
    endogeneity : float
        What a price shock of one adds to u: where it is not zero prices answer to what also moves research.
    """

    sectors: tuple[str, ...] = field(default_factory=lambda: deck_sectors()[0])
    epsilon_s: Array = field(default_factory=lambda: deck_sectors()[1])
    gamma_s: Array = field(default_factory=lambda: deck_sectors()[2])
    technology: Technology = field(default_factory=Technology)
    regions: tuple[str, ...] = REGIONS
    exporter: str = "CHN"
    years: tuple[int, ...] = tuple(range(2002, 2019))
    policy_years: tuple[int, ...] = tuple(range(2010, 2015))
    price_sd: float = 0.15
    price_memory: float = 0.7
    region_sd: float = 0.05
    noise_sd: float = 0.05
    endogeneity: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.sectors) == len(self.epsilon_s) == len(self.gamma_s) > 0:
            raise InputError("a design needs one epsilon and one gamma a sector, and at least one sector")
        if min(self.price_sd, self.region_sd, self.noise_sd) < 0.0 or not 0.0 <= self.price_memory < 1.0:
            raise InputError("spreads should be 0 or more, and the memory of prices at least 0 and below 1")

    @property
    def slope_s(self) -> Array:
        """Beta, (S,)."""
        return self.technology.slope(self.epsilon_s)

    @property
    def constant_s(self) -> Array:
        """Alpha, (S,), where f_R = f_L on average."""
        return self.technology.constant(self.epsilon_s, self.gamma_s)

    def policy(self) -> tuple[Array, Array]:
        """Instrument, log of the wedge between user and mine price, and what it does to log(w_R/w_L); (G, T) each."""
        on = np.isin(self.years, self.policy_years).astype(float)
        home = np.array([code == self.exporter for code in self.regions])
        return np.outer(~home, on) * WEDGE, np.outer(np.where(home, AT_HOME, ABROAD), on)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Simulated panels.

    Parameters
    ----------
    log_price, instrument : ndarray, (P, G, T)
        log(w_R/w_L) and the instrument.
    direction : ndarray, (P, S, G, T)
        log(A_R/A_L).
    """

    log_price: Array
    instrument: Array
    direction: Array


def draw(design: Design, rng: np.random.Generator, panels: int = 1) -> Drawn:
    """Draw panels at once."""
    instrument, moved = design.policy()
    shape = (panels, len(design.regions), len(design.years))
    shocks = _remembered(rng, design, shape)
    error = design.noise_sd * rng.standard_normal((panels, len(design.sectors), *shape[1:]))
    error += design.region_sd * rng.standard_normal((panels, len(design.sectors), shape[1], 1))
    error += design.endogeneity * shocks[:, None]
    log_price = moved + shocks
    slope, constant = design.slope_s[:, None, None], design.constant_s[:, None, None]
    direction = slope * log_price[:, None] + constant + error
    return Drawn(log_price, np.broadcast_to(instrument, shape), direction)


def simulate(design: Design | None = None, seed: int = 0, *, patents: float | None = None) -> FactorPanel:
    """Simulate one panel.

    Parameters
    ----------
    design : Design, optional
    seed : int
    patents : float, optional
        Mean of the R bundle's patents in a cell: technology is then seen through Poisson counts, ten times as many of
        them in the L bundle, and the constant of (24) no longer says anything of gamma. By default it is seen as it is.
    """
    design = design or Design()
    rng = np.random.default_rng(seed)
    drawn = draw(design, rng)
    how = "technology as it is" if patents is None else f"technology seen through counts, {patents:g} in the mean"
    frame = as_frame(design.sectors, design.regions, design.years, drawn.direction[0], drawn.log_price[0])
    frame["policy"] = np.tile(drawn.instrument[0].ravel(), len(design.sectors))
    if patents is not None:
        frame = counted(frame, rng, patents)
    return FactorPanel(frame, f"SIMULATED from (24), seed {seed}, {how}", ("policy",))


def disturbed(panel: FactorPanel, design: Design, seed: int) -> FactorPanel:
    """Add shocks to a panel's prices, what technology does about them by (24), and errors u.

    Parameters
    ----------
    panel : FactorPanel
        Every sector one of the design's, every region and year there for each.
    design : Design
        Its spreads and slopes are used, not its regions, years and policy.
    seed : int

    Raises
    ------
    InputError
        If a cell is missing or a sector is not the design's.
    """
    frame, rng = panel.frame.copy(), np.random.default_rng(seed)
    regions, years = (tuple(frame[name].unique()) for name in ("region", "year"))
    unknown = [code for code in panel.sectors if code not in design.sectors]
    if unknown or len(frame) != len(panel.sectors) * len(regions) * len(years):
        raise InputError(f"{panel.source}: shocks need every region, sector and year, and sectors of the design")
    shocks = _remembered(rng, design, (1, len(regions), len(years)))[0]
    region, year = (frame[name].map({label: k for k, label in enumerate(seen)}).to_numpy(int)
                    for name, seen in (("region", regions), ("year", years)))  # fmt: skip
    sector = frame["sector"].map({code: k for k, code in enumerate(design.sectors)}).to_numpy(int)
    lasting = design.region_sd * rng.standard_normal((len(design.sectors), len(regions)))
    shock = shocks[region, year]
    error = lasting[sector, region] + design.noise_sd * rng.standard_normal(len(frame)) + design.endogeneity * shock
    frame["w_r"] *= np.exp(shock)
    frame["a_r"] *= np.exp(design.slope_s[sector] * shock + error)
    return FactorPanel(frame, f"{panel.source}, with shocks to prices and errors, seed {seed}", panel.instruments)


def counted(frame: pd.DataFrame, rng: np.random.Generator, patents: float) -> pd.DataFrame:
    """Replace measures of technology by Poisson counts: by sector as many as given in the mean, ten times that for L."""
    ratio = frame["a_r"] / frame["a_l"]
    relative = ratio / ratio.groupby(frame["sector"]).transform("mean")
    counts = {"a_r": rng.poisson(patents * relative), "a_l": rng.poisson(10.0 * patents, len(frame))}
    return frame.assign(**{name: value.astype(float) for name, value in counts.items()})


def as_frame(
    sectors: tuple[str, ...], regions: tuple[str, ...], years: tuple[int, ...], direction: Array, log_price: Array
) -> pd.DataFrame:
    """Tidy rows of log(A_R/A_L), (S, G, T), and log(w_R/w_L), (G, T), with A_L and w_L at one."""
    import pandas as pd

    index = pd.MultiIndex.from_product([sectors, regions, years], names=["sector", "region", "year"])
    frame = index.to_frame(index=False)
    frame["a_r"], frame["a_l"] = np.exp(direction).ravel(), 1.0
    frame["w_r"], frame["w_l"] = np.tile(np.exp(log_price).ravel(), len(sectors)), 1.0
    return frame


def _remembered(rng: np.random.Generator, design: Design, shape: tuple[int, int, int]) -> Array:
    """Price shocks with memory, (P, G, T), from their stationary distribution."""
    now = np.zeros(shape[:2])
    path = np.empty(shape)
    for year in range(-BURN, shape[2]):
        now = design.price_memory * now + design.price_sd * rng.standard_normal(shape[:2])
        if year >= 0:
            path[..., year] = now
    return path
