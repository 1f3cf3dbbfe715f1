"""Instruments on trade in goods, eqs. (10) and (14): tariffs, export taxes, iceberg costs. Own trade is never touched."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo, field_validator

from reesim.errors import DataError
from reesim.scenario.checking import Line, Positive, Refused, RegionCodes, SectorCodes, folder_of, world_of
from reesim.scenario.instruments import Day, Instrument, Rates, listed
from reesim.scenario.rate_files import MAX_RATE, RateFile, read_rates, too_high


def _read(name: str, info: ValidationInfo) -> RateFile:
    world = world_of(info)
    regions, sectors = (world.regions, world.sectors) if world else (None, None)
    try:
        return read_rates(folder_of(info) / name, name, regions, sectors)
    except DataError as error:
        raise Refused(str(error)) from None


# A file's name where it is written, its rates where it is used.
_RateFile = Annotated[Line, AfterValidator(_read), PlainSerializer(str, return_type=str)]


def _not_per_cent(rate: float) -> float:
    if rate > MAX_RATE:
        raise Refused(too_high(rate), f"write {rate / 100.0:g} for {rate:g} %")
    return rate


# The bound is checked by hand, for the sake of its message; editors know it from the schema.
_BOUND = Field(json_schema_extra={"maximum": MAX_RATE})
_Addition = Annotated[float, _BOUND, AfterValidator(_not_per_cent)]
_Rate = Annotated[float, Field(gt=-1.0), _BOUND, AfterValidator(_not_per_cent)]


def _between_two(partners: tuple[str, ...] | None, others: tuple[str, ...] | None, what: str) -> None:
    if partners is not None and others is not None and len({*partners, *others}) == 1:
        raise Refused(f"{partners[0]} to {partners[0]} is own trade, on which there {what}", "name another region")


class Tariff(Instrument):
    """Ad-valorem import tariff, eq. (10), whose revenue is the importer's.

    `rate` replaces the baseline's tariff; `add` adds to it (0.1 is ten percentage points), and so to a rate; `file` is a
    csv table of rates by flow. Only one rate at a time may hold on a flow.
    """

    type: Literal["tariff"] = "tariff"
    rate: _Rate | None = None
    add: _Addition | None = None
    file: Annotated[_RateFile | None, Field(validate_default=True)] = None
    exporters: RegionCodes = None
    importers: RegionCodes = None
    sectors: SectorCodes = None

    @field_validator("file")
    @classmethod
    def _one_rate(cls, file: object, info: ValidationInfo) -> object:
        given = [info.data["rate"], info.data["add"], file] if {"rate", "add"} <= set(info.data) else []
        number = sum(value is not None for value in given)
        if given and number != 1:
            message = "a tariff has a rate, an addition (add) or a file, exactly one of the three"
            # Of what is not there no line could be named but that of the tariff itself.
            raise Refused(message, "" if number else "give rate, add or file", whole=file is None)
        return file

    @field_validator("exporters", "importers", "sectors")
    @classmethod
    def _not_beside_a_file(cls, labels: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if labels is not None and info.data.get("file") is not None:
            raise Refused("the file says on which flows its rates are levied", "leave this key out")
        if info.field_name == "importers":
            _between_two(info.data.get("exporters"), labels, "is no tariff")
        return labels

    @property
    def rates(self) -> RateFile | None:
        """Rates by flow, of a tariff that names a file."""
        return cast(RateFile | None, self.file)

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        if self.rates is not None:
            return f"tariffs of {self.rates.name} on {len(self.rates.rates):,} flows"
        size = f"{self.rate:.1%}" if self.rate is not None else f"{self.add or 0.0:+.1%}"
        return f"tariff {size} {_flows_in_words(self.exporters, self.importers, self.sectors)}".strip()

    def contribute(self, day: Day) -> None:
        """Set or add to the rates of its flows."""
        day.tariff = day.tariff or Rates(day.shape)
        if self.rates is not None:
            day.tariff.put(*self.rates.positions(day.regions, day.sectors))
        elif self.rate is not None:
            day.tariff.put(day.flows(self.exporters, self.importers, self.sectors), self.rate)
        else:
            day.tariff.add(day.flows(self.exporters, self.importers, self.sectors), self.add or 0.0)


class GoodsExportTax(Instrument):
    """Ad-valorem tax on exports of goods, eq. (10), whose revenue is the exporter's; below 0 a subsidy.

    `rate` replaces the baseline's tax; `add` adds to it, and so to a rate. Only one rate at a time may hold on a flow.
    """

    type: Literal["goods_export_tax"] = "goods_export_tax"
    rate: _Rate | None = None
    add: Annotated[_Addition | None, Field(validate_default=True)] = None
    exporters: RegionCodes = None
    destinations: RegionCodes = None
    sectors: SectorCodes = None

    @field_validator("add")
    @classmethod
    def _one_rate(cls, add: float | None, info: ValidationInfo) -> float | None:
        if "rate" in info.data and (add is None) == (info.data["rate"] is None):
            message = "an export tax has a rate or an addition (add), exactly one of the two"
            raise Refused(message, "give rate or add" if add is None else "", whole=add is None)
        return add

    @field_validator("destinations")
    @classmethod
    def _crosses_a_border(cls, labels: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        _between_two(info.data.get("exporters"), labels, "is no export tax")
        return labels

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        size = f"{self.rate:.1%}" if self.rate is not None else f"{self.add or 0.0:+.1%}"
        return f"export tax on goods {size} {_flows_in_words(self.exporters, self.destinations, self.sectors)}".strip()

    def contribute(self, day: Day) -> None:
        """Set or add to the rates of its flows."""
        day.export_tax = day.export_tax or Rates(day.shape)
        where = day.flows(self.exporters, self.destinations, self.sectors)
        if self.rate is not None:
            day.export_tax.put(where, self.rate)
        else:
            day.export_tax.add(where, self.add or 0.0)


class Iceberg(Instrument):
    """Factor on iceberg trade costs d, eq. (10); overlapping factors multiply."""

    type: Literal["iceberg"] = "iceberg"
    factor: Positive
    exporters: RegionCodes = None
    importers: RegionCodes = None
    sectors: SectorCodes = None

    @field_validator("importers")
    @classmethod
    def _crosses_a_border(cls, labels: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        _between_two(info.data.get("exporters"), labels, "are no trade costs")
        return labels

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return (
            f"trade costs times {self.factor:g} {_flows_in_words(self.exporters, self.importers, self.sectors)}".strip()
        )

    def contribute(self, day: Day) -> None:
        """Multiply trade costs."""
        if day.iceberg_jis is None:
            day.iceberg_jis = Rates(day.shape).value_jis + 1.0
        day.iceberg_jis[day.flows(self.exporters, self.importers, self.sectors)] *= self.factor


def _flows_in_words(
    exporters: tuple[str, ...] | None, importers: tuple[str, ...] | None, sectors: tuple[str, ...] | None
) -> str:
    parts = (("from", exporters), ("to", importers), ("in", sectors))
    return " ".join(f"{word} {listed(labels)}" for word, labels in parts if labels)
