"""Instruments on rare earths, eq. (15): export tax and quota, embargo, deposits, mines abroad, production quota."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from reesim.scenario.calendar import years_between
from reesim.scenario.checking import Importer, Positive, Refused, RegionCode, Share, shown, world_of
from reesim.scenario.instruments import Day, Instrument

DEFAULT_LEAKAGE = 0.05
_ESSENTIAL = (
    "rare earths are essential where epsilon is below 1, so a limit of zero has no equilibrium: "
    "give a small positive one"
)


class ExportTax(Instrument):
    """Ad-valorem tax on exports of rare earths, eq. (15), in place of the baseline year's; overlapping taxes add up.

    tau_tax = (1 + rate) / (1 + baseline_tax), so that tau_X = 3 without a baseline tax is rate 2.0.
    """

    on_rare_earths: ClassVar[bool] = True

    type: Literal["export_tax"] = "export_tax"
    rate: float = Field(gt=-1.0)
    destinations: tuple[Importer, ...] | None = Field(default=None, strict=False)

    @field_validator("destinations")
    @classmethod
    def _once(cls, destinations: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if destinations is not None and not destinations:
            raise Refused("should name at least one destination", "leave it out for all")
        if destinations and len(set(destinations)) < len(destinations):
            raise Refused(f"a destination stands twice in {', '.join(destinations)}")
        return destinations

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        to = f" to {', '.join(self.destinations)}" if self.destinations else ""
        return f"export tax {self.rate:.1%}{to}"

    def contribute(self, day: Day) -> None:
        """Add the rate for each destination, and mark it as taxed."""
        where = day.importers(self.destinations)
        day.tax_rate_i[where] += self.rate
        day.taxed_i[where] = True


class Quota(Instrument):
    """A limit on rare earths: `tonnes` over the window, or a `share` of the baseline's volume.

    Tonnes are a constant flow over the window, not bankable.
    """

    on_rare_earths: ClassVar[bool] = True
    volume: ClassVar[str] = "exports"

    tonnes: float | None = None
    share: Annotated[float | None, Field(validate_default=True)] = None

    @field_validator("tonnes", "share")
    @classmethod
    def _positive(cls, limit: float | None) -> float | None:
        if limit is not None and limit <= 0.0:
            raise Refused(f"should be above 0, not {shown(limit)}", _ESSENTIAL)
        return limit

    @field_validator("tonnes")
    @classmethod
    def _over_a_window(cls, tonnes: float | None, info: ValidationInfo) -> float | None:
        if tonnes is not None and "end" in info.data and info.data["end"] is None:
            raise Refused("tonnes are spread over the window, which has no end", "give an end, or a share")
        return tonnes

    @field_validator("share")
    @classmethod
    def _one_limit(cls, share: float | None, info: ValidationInfo) -> float | None:
        if "tonnes" in info.data and (share is None) == (info.data["tonnes"] is None):
            message = f"a quota has either tonnes or a share of baseline {cls.volume}, exactly one of the two"
            raise Refused(message, "give tonnes or share" if share is None else "", whole=share is None)
        return share

    @property
    def tonnes_a_year(self) -> float:
        """Limit as a flow; 0 for a limit given as a share."""
        if self.tonnes is None or self.end is None:
            return 0.0
        return self.tonnes / years_between(self.start, self.end)

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        size = f"{self.share or 0.0:.1%} of baseline {self.volume}" if self.tonnes is None else f"{self.tonnes:,.0f} t"
        return f"{self.volume.removesuffix('s')} quota {size}"


class ExportQuota(Quota):
    """Cap on all exports of rare earths, eq. (15): `tonnes` over the window, or a `share` of baseline exports.

    `rent_to_importers` is the share of the quota's rent that the importers keep; the exporter's licence holders have
    the rest.
    """

    type: Literal["export_quota"] = "export_quota"
    rent_to_importers: Share = 0.0

    def flow(self, baseline_exports_tonnes: float) -> float:
        """Limit as a flow, in shares of baseline exports."""
        return float(self.share or 0.0) if self.tonnes is None else self.tonnes_a_year / baseline_exports_tonnes

    def contribute(self, day: Day) -> None:
        """Set the limit and the importers' share of its rent."""
        day.quota, day.rent_share = self.flow(day.baseline_exports_tonnes), self.rent_to_importers


class ProductionQuota(Quota):
    """Cap on what the exporter mines, eq. (15): `tonnes` over the window, or a `share` of baseline production."""

    volume: ClassVar[str] = "production"

    type: Literal["production_quota"] = "production_quota"

    def contribute(self, day: Day) -> None:
        """Set the limit; what share of the baseline its tonnes are only the calibration knows."""
        day.ree_limit_share, day.ree_limit_tonnes = float(self.share or 0.0), self.tonnes_a_year


class Embargo(Instrument):
    """Halt of exports to one destination, eq. (15): its imports stay below `leakage` times their baseline."""

    on_rare_earths: ClassVar[bool] = True

    type: Literal["embargo"] = "embargo"
    destination: Importer
    leakage: float = DEFAULT_LEAKAGE

    @field_validator("leakage")
    @classmethod
    def _positive(cls, leakage: float) -> float:
        if leakage <= 0.0:
            raise Refused(f"should be above 0, not {shown(leakage)}", _ESSENTIAL)
        if leakage > 1.0:
            raise Refused(f"should be at most 1, the baseline's imports, not {shown(leakage)}")
        return leakage

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return f"embargo on {self.destination}, {self.leakage:.1%} leaks"

    def contribute(self, day: Day) -> None:
        """Limit the destination."""
        day.embargo_i[day.importers((self.destination,))] = self.leakage


class ReeSupply(Instrument):
    """Factor on the exporter's deposits of rare earths, eq. (15); overlapping factors multiply."""

    on_rare_earths: ClassVar[bool] = True

    type: Literal["ree_supply"] = "ree_supply"
    factor: Positive

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return f"deposits times {self.factor:g}"

    def contribute(self, day: Day) -> None:
        """Multiply the deposits."""
        day.ree_supply *= self.factor


class Mine(Instrument):
    """Mines owned in `region` that sell into the market of another, its own by default, eq. (15); mines add up.

    Their capacity at the baseline's prices is `tonnes` a year, or a `share` of the world's baseline supply.
    """

    on_rare_earths: ClassVar[bool] = True

    type: Literal["mine"] = "mine"
    region: RegionCode
    market: Annotated[Importer | None, Field(validate_default=True)] = None
    tonnes: Positive | None = None
    share: Annotated[Positive | None, Field(validate_default=True)] = None

    @field_validator("market")
    @classmethod
    def _abroad(cls, market: str | None, info: ValidationInfo) -> str | None:
        world = world_of(info)
        if market is None and world is not None and info.data.get("region") == world.exporter is not None:
            raise Refused(
                f"{world.exporter} is the exporter; a mine of its own abroad names the market it sells into",
                "ree_supply changes the exporter's deposits",
            )
        return market

    @field_validator("share")
    @classmethod
    def _one_capacity(cls, share: float | None, info: ValidationInfo) -> float | None:
        if "tonnes" in info.data and (share is None) == (info.data["tonnes"] is None):
            message = "a mine has either tonnes a year or a share of the world's baseline supply, exactly one"
            raise Refused(message, "give tonnes or share" if share is None else "", whole=share is None)
        return share

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        size = f"{self.share or 0.0:.1%} of world supply" if self.tonnes is None else f"{self.tonnes:,.0f} t a year"
        return f"mines of {self.region} for {self.market or self.region}, {size}"

    def contribute(self, day: Day) -> None:
        """Add the capacity; what share of the world's supply its tonnes are only the calibration knows."""
        where = day.regions.index(self.region), day.regions.index(self.market or self.region)
        day.mine_share_ji[where] += self.share or 0.0
        day.mine_tonnes_ji[where] += self.tonnes or 0.0
