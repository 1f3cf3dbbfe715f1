"""The world that a scenario speaks of: its table's labels, the exporter of rare earths, the files it names."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reesim.data.csvfiles import read_labels
from reesim.errors import DataError, LabelError
from reesim.labels import Labels
from reesim.scenario.checking import NO_EXPORTER, Found, World, nearest, shown
from reesim.scenario.rate_files import read_trade_elasticities

DATA = Path(__file__).parents[1] / "data"
DEFAULT_TABLE = "world_2009_5x14"
DEFAULT_EXPORTER = "CHN"
DEFAULT_REGIONS = Labels(
    "region",
    ("CHN", "EU", "JPN", "USA", "ROW"),
    ("China", "European Union", "Japan", "United States", "Rest of the world"),
)
DEFAULT_SECTORS = Labels(
    "sector",
    ("AGR", "MIN", "FOO", "TEX", "WOO", "CHE", "RUB", "NMM", "MET", "MAC", "ELE", "TRA", "FUR", "SER"),
    (
        "Agriculture",
        "Mining, petroleum and coal",
        "Food, beverages and tobacco",
        "Textiles",
        "Wood and paper",
        "Chemicals",
        "Rubber and plastics",
        "Other non-metallic mineral",
        "Basic and fabricated metal",
        "Machinery",
        "Computer and electronic",
        "Transport equipment",
        "Furniture and misc.",
        "Services",
    ),
)
NO_RARE_EARTHS = (1.0, 0.0)
"""Epsilon and gamma of a sector about which nothing is known: it uses no rare earths."""


@functools.cache
def default_world() -> World:
    """Regions, sectors and elasticities of the embedded calibration."""
    text = (DATA / "elasticities.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    elasticities = {row["sector"]: (float(row["epsilon"]), float(row["gamma"])) for row in rows}
    return World(DEFAULT_REGIONS, DEFAULT_SECTORS, DEFAULT_EXPORTER, elasticities)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario's `calibration` block brings in from outside.

    Parameters
    ----------
    world : World or None
        None if the table's labels could not be read; labels are then not checked.
    table : Path or str
        Folder of the table, or the name of a shipped one.
    trade_elasticity : Path or None
        File of the trade elasticities.
    sigma_s : tuple of float or None
        What it says, by sector of the table.
    found : tuple of Found
        What is wrong with any of it.
    """

    world: World | None
    table: Path | str = DEFAULT_TABLE
    trade_elasticity: Path | None = None
    sigma_s: tuple[float, ...] | None = None
    found: tuple[Found, ...] = ()


def setting_of(data: object, folder: Path, given: World | None) -> Setting:
    """Read what a scenario's data name, relative to its folder; what is malformed is left to the validation.

    Parameters
    ----------
    data : object
        Of a whole scenario, as read.
    folder : Path
        Of the scenario's file.
    given : World, optional
        Stands in for that of the table.
    """
    block = _mapping(data, "calibration")
    found: list[Found] = []
    table, world = _table(block.get("table"), folder, given, found)
    if world is not None:
        exporter = _exporter(block, _mapping(data, "parameters").get("gamma"), world, found)
        world = replace(world, exporter=exporter) if exporter != world.exporter else world
    file, sigma_s = _sigma(block.get("trade_elasticity"), folder, world, found)
    if block.get("ree_shares") == "accounts" and world is not None and set(world.regions) - set(DEFAULT_REGIONS):
        message = f"the accounts know the regions {', '.join(DEFAULT_REGIONS)} only, not those of this table"
        found.append(Found(("calibration", "ree_shares"), message, "take deck, or none"))
    if sigma_s is not None and _mapping(data, "parameters").get("sigma", 6.0) != 6.0:
        message = "calibration.trade_elasticity gives the trade elasticities already"
        found.append(Found(("parameters", "sigma"), message, "leave one of the two out"))
    return Setting(world, table, file, sigma_s, tuple(found))


def _mapping(data: object, key: str) -> Mapping[str, Any]:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _table(name: object, folder: Path, given: World | None, found: list[Found]) -> tuple[Path | str, World | None]:
    if name is None or name == DEFAULT_TABLE:
        return DEFAULT_TABLE, given or default_world()
    if not isinstance(name, str):
        return DEFAULT_TABLE, given
    shipped = sorted(file.name.removesuffix("_about.csv") for file in DATA.glob("*_about.csv"))
    place = folder / name
    if name not in shipped and not place.is_dir():
        hint = nearest(name, shipped) or f"shipped: {', '.join(shipped)}"
        message = f"no table {shown(name)}: {place} is not a folder, and no table of this name is shipped"
        found.append(Found(("calibration", "table"), message, hint))
        return place, given
    try:
        regions, sectors = (
            read_labels(DATA / f"{name}_{part}s.csv" if name in shipped else place / f"{part}s.csv", part)
            for part in ("region", "sector")
        )
    except DataError as error:
        found.append(Found(("calibration", "table"), str(error)))
        return place, given
    return name if name in shipped else place, given or _world(regions, sectors)


def _world(regions: Labels, sectors: Labels) -> World:
    """World of a table: the deck's elasticities where every sector is one of the deck's, otherwise no rare earths."""
    known = default_world().elasticities
    ours = all(code in known for code in sectors)
    elasticities = {code: known[code] if ours else NO_RARE_EARTHS for code in sectors}
    exporter = DEFAULT_EXPORTER if DEFAULT_EXPORTER in regions.codes else None
    return World(regions, sectors, exporter, elasticities)


def _exporter(block: Mapping[str, Any], gamma: object, world: World, found: list[Found]) -> str | None:
    """Region whose rare earths the world uses; None if it uses none."""
    named = block.get("exporter")
    users = list(_users(gamma, world))
    path = ("calibration", "exporter")
    if named == NO_EXPORTER or block.get("ree_shares") == "none":
        if isinstance(named, str) and named != NO_EXPORTER:
            found.append(Found(path, "there is nothing to export where ree_shares is none", "leave one of the two out"))
        return None
    if isinstance(named, str):
        if not users:
            message = "no sector of this table uses rare earths"
            found.append(Found(path, message, "give parameters.gamma by sector, or leave the exporter out"))
        try:
            return world.regions.codes[world.regions.index(named[:60])]
        except LabelError:
            return world.exporter  # the block's own check says so, at the same address
    if users and world.exporter is None:
        message = f"{', '.join(users[:3])} use rare earths, and no region is named that exports them"
        hint = f"name one of {', '.join(world.regions)}; or none, for a world without rare earths"
        found.append(Found(path, message, hint))
    return world.exporter if users else None


def _users(gamma: object, world: World) -> Iterator[str]:
    """Sectors that use rare earths, by default or as the parameters say."""
    weights: dict[str, object] = {code: weight for code, (_, weight) in world.elasticities.items()}
    for label, weight in gamma.items() if isinstance(gamma, Mapping) else ():
        try:
            weights[world.sectors.codes[world.sectors.index(str(label)[:60])]] = weight
        except LabelError:
            continue
    for code, weight in weights.items():
        if isinstance(weight, int | float) and weight > 0.0:
            yield code


def _sigma(
    name: object, folder: Path, world: World | None, found: list[Found]
) -> tuple[Path | None, tuple[float, ...] | None]:
    if not isinstance(name, str):
        return None, None
    file = folder / name
    try:
        return file, read_trade_elasticities(file, world.sectors) if world is not None else None
    except DataError as error:
        found.append(Found(("calibration", "trade_elasticity"), str(error)))
        return file, None
