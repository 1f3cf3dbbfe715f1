"""The blocks of a scenario beside its policies: calendar, calibration, parameters, adjustment, output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, PlainSerializer, Tag, ValidationInfo, field_validator

from reesim.errors import InputError, LabelError
from reesim.labels import Labels
from reesim.scenario.checking import (
    AboveOne,
    Block,
    ByLabel,
    EndDate,
    ExporterCode,
    Found,
    HalfLife,
    Line,
    Positive,
    Refused,
    RegionCode,
    SectorCode,
    StartDate,
    World,
    nearest,
    report,
    shown,
    world_of,
)
from reesim.scenario.estimates import Draws, EstimatedElasticities, Fit
from reesim.scenario.worlds import DEFAULT_TABLE, NO_RARE_EARTHS, default_world
from reesim.variables import VARIABLES

DEFAULT_SIGMA = 6.0
DEFAULT_RHO = 1.36
DEFAULT_MU = 6.5


def _variable(name: str) -> str:
    if name not in VARIABLES:
        raise Refused(f"no variable {shown(name)}", nearest(name, VARIABLES) or f"known: {', '.join(VARIABLES)}")
    return name


def _branch(word: type, yes: str, no: str) -> Discriminator:
    """Choose a union's branch by type, so that an error speaks of one branch only."""
    return Discriminator(lambda value: yes if isinstance(value, word) else no)


Variable = Annotated[str, AfterValidator(_variable)]
Variables = Annotated[
    Annotated[Literal["all"], Tag("all")] | Annotated[tuple[Variable, ...], Tag("list"), Field(strict=False)],
    _branch(str, "all", "list"),
]
Substeps = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[int, Tag("count"), Field(ge=1, le=10_000)],
    _branch(str, "auto", "count"),
]
_as_dict = PlainSerializer(dict, return_type=dict[str, float])
_BySector = Annotated[dict[SectorCode, Positive], AfterValidator(ByLabel), _as_dict]
Weights = Annotated[dict[SectorCode, Annotated[float, Field(ge=0.0, lt=1.0)]], AfterValidator(ByLabel), _as_dict]
_NotNegative = Annotated[float, Field(ge=0.0)]
SupplyElasticity = Annotated[
    Annotated[_NotNegative, Tag("number")]
    | Annotated[Annotated[dict[RegionCode, _NotNegative], AfterValidator(ByLabel), _as_dict], Tag("by region")],
    _branch(Mapping, "by region", "number"),
]
Sigma = Annotated[
    Annotated[Positive, Tag("number")] | Annotated[_BySector, Tag("by sector")],
    _branch(Mapping, "by sector", "number"),
]


class CalendarBlock(Block):
    """When a run starts and ends, and how long its periods are."""

    start: StartDate
    end: EndDate
    step: Literal["day", "week", "month", "quarter", "year"] = "month"
    substeps: Substeps = "auto"

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: date, info: ValidationInfo) -> date:
        start = info.data.get("start")
        if start is not None and end < start:
            raise Refused(f"the end {end} comes before the start {start}")
        return end


class CalibrationBlock(Block):
    """The table of the baseline year, how rare earths are carved out of it, and what restricted them already."""

    table: Line = DEFAULT_TABLE
    trade_elasticity: Line | None = None
    exporter: ExporterCode | None = None
    negative_final_demand: Literal["as_is", "clip"] = "as_is"
    ree_shares: Literal["deck", "accounts", "io_table", "none"] = "deck"
    ree_requirements: Line | None = None
    baseline_tax: float = Field(default=0.0, gt=-1.0)
    baseline_exports_tonnes: Positive = 43_900.0


class ParameterBlock(Block):
    """Elasticities; those by sector override a file's and the defaults of the calibration one by one."""

    from_: Line | None = Field(default=None, alias="from")
    sigma: Sigma = DEFAULT_SIGMA
    rho: Positive = DEFAULT_RHO
    mu: AboveOne = DEFAULT_MU
    delta: float = 0.0
    gamma: Weights = Field(default_factory=dict, validate_default=True)
    epsilon: _BySector = Field(default_factory=dict, validate_default=True)
    ree_supply_elasticity: SupplyElasticity = 0.0

    @field_validator("sigma", "gamma", "epsilon", "ree_supply_elasticity", mode="before")
    @classmethod
    def _each_label_once(cls, value: object, info: ValidationInfo) -> object:
        world = world_of(info)
        if isinstance(value, Mapping) and world is not None:
            name = str(info.field_name)
            report(info, _twice(value, labels_of(name, world), name))
        return value

    @field_validator("delta")
    @classmethod
    def _no_diseconomies(cls, delta: float, info: ValidationInfo) -> float:
        if "mu" in info.data and theta(delta, info.data["mu"]) < 0.0:
            least = -1.0 / (info.data["mu"] - 1.0)
            raise Refused(
                f"should be at least -1/(mu - 1) = {least:.6g}, where variety effects vanish, not {shown(delta)}"
            )
        return delta

    @field_validator("epsilon")
    @classmethod
    def _replaceable(cls, epsilon: Mapping[str, float], info: ValidationInfo) -> Mapping[str, float]:
        world, known = world_of(info), info.data
        # In a world without rare earths nothing is replaced.
        if world is not None and world.exporter is not None and {"mu", "delta", "gamma"} <= set(known):
            origin = ", by the file of estimates or the default," if known.get("from_") else ", the default,"
            exponent = theta(known["delta"], known["mu"])
            report(info, _too_substitutable(world, known["gamma"], epsilon, exponent, origin))
        return epsilon

    @property
    def theta(self) -> float:
        """Elasticity of a bundle's productivity with respect to its varieties, eq. (4)."""
        return theta(self.delta, self.mu)

    def sigma_of(self, sectors: Labels) -> tuple[float, ...]:
        """Trade elasticity of each sector; sectors that a mapping leaves out keep the default."""
        if isinstance(self.sigma, Mapping):
            return tuple(self.sigma.get(code, DEFAULT_SIGMA) for code in sectors)
        return (self.sigma,) * len(sectors)

    def ree_supply_elasticity_of(self, regions: Labels) -> tuple[float, ...]:
        """Elasticity of each region's own supply; regions that a mapping leaves out have fixed supply."""
        if isinstance(self.ree_supply_elasticity, Mapping):
            return tuple(self.ree_supply_elasticity.get(code, 0.0) for code in regions)
        return (self.ree_supply_elasticity,) * len(regions)


def labels_of(parameter: str, world: World) -> Labels:
    """Labels by which a parameter is given."""
    return world.regions if parameter == "ree_supply_elasticity" else world.sectors


def theta(delta: float, mu: float) -> float:
    """Return delta + 1/(mu - 1), eq. (4), exactly zero at its lower bound."""
    if math.isinf(mu):
        return delta
    # Compared with the bound as a user would write it: delta = -1/(mu - 1) must give zero, not a rounding error.
    return 0.0 if delta == -1.0 / (mu - 1.0) else delta + 1.0 / (mu - 1.0)


def _twice(numbers: Mapping[object, object], labels: Labels, name: str) -> Iterator[Found]:
    seen: dict[str, object] = {}
    for label in numbers:
        try:
            code = labels.codes[labels.index(str(label)[:60])]
        except LabelError:
            continue
        if code in seen:
            path = ("parameters", name, str(label))
            yield Found(path, f"the {labels.kind} {code} stands twice, as {seen[code]!r} and as {label!r}", at_key=True)
        seen[code] = label


def _too_substitutable(
    world: World, gamma: Mapping[str, float], epsilon: Mapping[str, float], theta_value: float, elsewhere: str
) -> Iterator[Found]:
    """Sectors where eq. (9) fails: 1 + theta (1 - epsilon) must be positive wherever rare earths are used."""
    users = world.users(gamma)
    for code, (default_epsilon, _) in world.elasticities.items():
        value = epsilon.get(code, default_epsilon)
        if code in users and 1.0 + theta_value * (1.0 - value) <= 0.0:
            origin = "" if code in epsilon else elsewhere
            message = (
                f"epsilon {value:g}{origin} is too high for theta = delta + 1/(mu - 1) = {theta_value:.6g}: "
                "1 + theta (1 - epsilon) must be positive, eq. (9)"
            )
            path = ("parameters", "epsilon", code)
            yield Found(path, message, f"keep it below {1.0 + 1.0 / theta_value:.6g}, or lower delta, or raise mu")


@dataclass(frozen=True, slots=True)
class Elasticities:
    """What a scenario says of the elasticities, by sector of its table and by region.

    Attributes
    ----------
    sigma_s, epsilon_s, gamma_s : tuple of float, (S,)
        Elasticity of trade, of substitution between the bundles, weight of the R bundle; the weights are 0 in a world
        without rare earths, and None where requirements of an input-output table imply them, (23).
    rho, mu, theta : float
        Of final demand, between varieties, and (4)'s exponent; without technology mu is inf and theta 0.
    ree_supply_i : tuple of float, (N,)
        Of the supply of rare earths from mines that a region owns.
    estimated : EstimatedElasticities or None
        Estimates behind epsilon and gamma, with their covariance, where there are any.
    """

    sigma_s: tuple[float, ...]
    epsilon_s: tuple[float, ...]
    gamma_s: tuple[float, ...] | None
    rho: float
    mu: float
    theta: float
    ree_supply_i: tuple[float, ...]
    estimated: EstimatedElasticities | None = None

    @classmethod
    def from_fit(cls, fit: Fit | EstimatedElasticities, world: World | None = None) -> Elasticities:
        """Take over what was estimated, with its covariance; the rest has the values of a scenario that says nothing.

        Parameters
        ----------
        fit : Fit or EstimatedElasticities
            Anything whose method ``estimated()`` gives estimates and their covariance.
        world : World, optional
            Of the table that is to be simulated; by default the embedded one. Its sectors keep their own elasticities
            where none were estimated.

        Raises
        ------
        DataError
            If a sector is none of the world's.
        """
        world = world or default_world()
        told = (fit if isinstance(fit, EstimatedElasticities) else fit.estimated()).named(world.sectors)
        known = dict(world.elasticities) | told.by_sector
        epsilon, gamma = zip(*(known.get(code, NO_RARE_EARTHS) for code in world.sectors), strict=True)
        return cls(
            sigma_s=(DEFAULT_SIGMA,) * len(world.sectors), epsilon_s=epsilon, gamma_s=gamma, rho=DEFAULT_RHO,
            mu=told.mu, theta=theta(told.delta, told.mu), ree_supply_i=(0.0,) * len(world.regions), estimated=told,
        )  # fmt: skip

    def sample(self, n: int, seed: int) -> Draws:
        """Draw epsilon and gamma of the estimated sectors at this theta, as `EstimatedElasticities.sample` does.

        Raises
        ------
        InputError
            If nothing was estimated, or the covariance is too wide to draw from.
        """
        if self.estimated is None:
            raise InputError("these elasticities were not estimated: give parameters.from a file of estimates")
        return self.estimated.sample(n, seed, theta=self.theta)


class AdjustmentBlock(Block):
    """Half-lives in years: 0 adjusts at once, inf never."""

    entry: HalfLife = 2.0
    prices: HalfLife = 0.5
    trade: HalfLife = 2.0


class OutputBlock(Block):
    """What a path keeps."""

    variables: Variables = "all"
    every: int = Field(default=1, ge=1)

    @field_validator("variables")
    @classmethod
    def _once(cls, variables: object) -> object:
        if isinstance(variables, tuple) and not variables:
            raise Refused("should name at least one variable", "write all for all of them")
        if isinstance(variables, tuple) and len(set(variables)) < len(variables):
            twice = next(name for name in variables if variables.count(name) > 1)
            raise Refused(f"the variable {twice!r} stands twice")
        return variables
