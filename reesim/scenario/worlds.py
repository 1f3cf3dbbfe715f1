"""The world that a scenario speaks of: its table's labels, the exporter of rare earths, the files it names."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reesim.data.csvfiles import read_labels
from reesim.data.facts import REQUIREMENTS
from reesim.errors import DataError, LabelError
from reesim.labels import Labels
from reesim.scenario.checking import NO_EXPORTER, Found, World, nearest, shown
from reesim.scenario.estimate_files import read_estimates
from reesim.scenario.estimates import EstimatedElasticities
from reesim.scenario.rate_files import KINDS, Requirements, read_requirements, read_trade_elasticities

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
IO_TABLE = "io_table"
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
    trade_elasticity, ree_requirements : Path or None
        Files of the trade elasticities and of the scenario's own rare-earth requirements.
    estimates : Path or None
        File of the estimated elasticities.
    estimated : EstimatedElasticities or None
        What it says.
    sigma_s : tuple of float or None
        What it says, by sector of the table.
    found : tuple of Found
        What is wrong with any of it.
    """

    world: World | None
    table: Path | str = DEFAULT_TABLE
    trade_elasticity: Path | None = None
    ree_requirements: Path | None = None
    estimates: Path | None = None
    estimated: EstimatedElasticities | None = None
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
    estimates, estimated = _estimates(_mapping(data, "parameters").get("from"), folder, world, found)
    if world is not None and estimated is not None:
        world = replace(world, elasticities=dict(world.elasticities) | estimated.by_sector)
    own, requirements = _requirements(block, folder, world, found)
    if world is not None:
        world = _with_rare_earths(world, requirements, block, _mapping(data, "parameters").get("gamma"), found)
    file, sigma_s = _sigma(block.get("trade_elasticity"), folder, world, found)
    shares = block.get("ree_shares")
    if shares in ("accounts", IO_TABLE) and world is not None and set(world.regions) - set(DEFAULT_REGIONS):
        message = f"the accounts know the regions {', '.join(DEFAULT_REGIONS)} only, not those of this table"
        found.append(Found(("calibration", "ree_shares"), message, "take deck, or none"))
    if sigma_s is not None and _mapping(data, "parameters").get("sigma", 6.0) != 6.0:
        message = "calibration.trade_elasticity gives the trade elasticities already"
        found.append(Found(("parameters", "sigma"), message, "leave one of the two out"))
    return Setting(world, table, file, own, estimates, estimated, sigma_s, tuple(found))


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


def _with_rare_earths(
    world: World, requirements: Requirements | None, block: Mapping[str, Any], gamma: object, found: list[Found]
) -> World:
    """World with the exporter and the requirements that a scenario gives it, or with neither."""
    exporter = _exporter(block, gamma, replace(world, requirements=requirements), found)
    if exporter is not None and requirements is not None and gamma:
        hint = "leave them out, or name a file with your own requirements in calibration.ree_requirements"
        found.append(Found(("parameters", "gamma"), f"where ree_shares is {IO_TABLE}, (23) implies the weights", hint))
    told = replace(world, exporter=exporter, requirements=None if exporter is None else requirements)
    return world if told == world else told


def _exporter(block: Mapping[str, Any], gamma: object, world: World, found: list[Found]) -> str | None:
    """Region whose rare earths the world uses; None if it uses none."""
    named = block.get("exporter")
    users = world.users(_by_code(gamma, world))
    # Then nobody knows the users, and why not is said already.
    unread = block.get("ree_shares") == IO_TABLE and world.requirements is None
    path = ("calibration", "exporter")
    if named == NO_EXPORTER or block.get("ree_shares") == "none":
        if isinstance(named, str) and named != NO_EXPORTER:
            found.append(Found(path, "there is nothing to export where ree_shares is none", "leave one of the two out"))
        return None
    if isinstance(named, str):
        if not users and not unread:
            message = "no sector of this table uses rare earths"
            found.append(Found(path, message, "give parameters.gamma by sector, or leave the exporter out"))
        try:
            return world.regions.codes[world.regions.index(named[:60])]
        except LabelError:
            return world.exporter  # the block's own check says so, at the same address
    if users and world.exporter is None and not unread:
        message = f"{', '.join(users[:3])} use rare earths, and no region is named that exports them"
        hint = f"name one of {', '.join(world.regions)}; or none, for a world without rare earths"
        found.append(Found(path, message, hint))
    return world.exporter if users or unread else None


def _by_code(gamma: object, world: World) -> dict[str, object]:
    """Weights as the parameters give them, by sector code; labels that are not known are left to the validation."""
    weights: dict[str, object] = {}
    for label, weight in gamma.items() if isinstance(gamma, Mapping) else ():
        try:
            weights[world.sectors.codes[world.sectors.index(str(label)[:60])]] = weight
        except LabelError:
            continue
    return weights


def _requirements(
    block: Mapping[str, Any], folder: Path, world: World | None, found: list[Found]
) -> tuple[Path | None, Requirements | None]:
    """File of the scenario's own requirements, if it names one, and the requirements that it asks for, if it does."""
    path = ("calibration", "ree_requirements")
    named, shares = block.get(path[1]), block.get("ree_shares", "deck")
    if shares != IO_TABLE:
        # What is no choice at all is said by the block's own check, and may be a slip for this one.
        if named is not None and shares in ("deck", "accounts", "none"):
            hint = f"set calibration.ree_shares: {IO_TABLE}, or leave this key out"
            found.append(Found(path, f"requirements are read where ree_shares is {IO_TABLE}, not {shares}", hint))
        return None, None
    if named is None or named in KINDS:
        return None, _shipped(named or KINDS[0], world, found)
    if not isinstance(named, str):
        return None, None
    file = folder / named
    if not file.is_file():
        hint = nearest(named, KINDS) or f"shipped: {', '.join(KINDS)}"
        message = f"no requirements {shown(named)}: {file} is not a file, and none of this name are shipped"
        found.append(Found(path, message, hint))
        return file, None
    try:
        return file, read_requirements(file, named, world.sectors) if world is not None else None
    except DataError as error:
        found.append(Found(path, str(error)))
        return file, None


def _shipped(kind: str, world: World | None, found: list[Found]) -> Requirements | None:
    if world is None:
        return None
    missing = [code for code in world.sectors if code not in DEFAULT_SECTORS.codes]
    if not missing:
        table = read_requirements(REQUIREMENTS, "the extended input-output table", DEFAULT_SECTORS, kind)
        return table.of(world.sectors)
    message = f"the shipped requirements know nothing of {', '.join(missing[:3])}{' and others' if missing[3:] else ''}"
    hint = "name a file with those of your sectors in calibration.ree_requirements, or take deck, or none"
    found.append(Found(("calibration", "ree_shares"), message, hint))
    return None


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


def _estimates(
    name: object, folder: Path, world: World | None, found: list[Found]
) -> tuple[Path | None, EstimatedElasticities | None]:
    """File of estimated elasticities and what it says, by the codes of the table's sectors."""
    if not isinstance(name, str):
        return None, None
    file = folder / name
    try:
        return file, read_estimates(file).named(world.sectors) if world is not None else None
    except DataError as error:
        found.append(Found(("parameters", "from"), str(error)))
        return file, None
