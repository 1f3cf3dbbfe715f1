"""What the extended table gives, as files: computed from the benchmark tables, or as shipped."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from reesim.data.csvfiles import listed, parse_number, read_rows
from reesim.data.facts import DATA, UNVERIFIED
from reesim.empirics.files import FEWER_DIGITS, OWN_DATA, write_csv
from reesim.empirics.iotable.bea import LICENCE, SupplyUse, read, rounding
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.concordance import read_links
from reesim.empirics.iotable.inputs import RARE_EARTHS, read_inputs
from reesim.empirics.iotable.measurement import Measurement
from reesim.empirics.iotable.robustness import beside
from reesim.empirics.iotable.sensitivity import closest, deck_requirements, industry_samples, moments, sensitivity
from reesim.empirics.iotable.study import Study, with_sum
from reesim.errors import DataError
from reesim.results.whole import write_whole

Progress: TypeAlias = Callable[[int, int], None]

COMPUTED = OWN_DATA / "computed"
"""Tables shipped with the package."""

MODEL = DATA / "ree_requirements.csv"
"""The table that the model's calibration reads, which is one of what is written."""

COMMAND = "python -m reesim.empirics iotable --bea DIR --out DIR"
PER_THOUSAND = 1000.0
DECK_ORDER = ("Ce", "La", "Nd", "Pr", "Dy")
DRAWS, SEED = 500, 2010

TEXT = ("sic", "description", "industry", "commodity", "name", "sector", "choice", "value", "note", "prices", "us_share",
        "requirements", "complementarity", "sample", "trimming", "weighting", "application", "element", "reading", "unit",
        "table", "key", "status", "flag", "source", "variant")  # fmt: skip
"""Columns of words; all others hold numbers."""


ALWAYS = (
    "total_requirements",
    "sensitivity",
    "industries",
    "applications",
    "products",
    "sectors",
    "inputs",
    "rankings",
)
"""Tables that every material has."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """All that is written, by file name: tables, and the balance.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        ``total_requirements`` and so on.
    balance : mapping
        Choices, sums and what moved.
    """

    frames: Mapping[str, pd.DataFrame]
    balance: Mapping[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.frames[name]

    def __contains__(self, name: str) -> bool:
        return name in self.frames


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, for the screen."""

    tables: Tables
    files: tuple[Path, ...]
    computed: bool

    def lines(self) -> list[str]:
        """Sentences and a small table, without markup."""
        balance = self.tables.balance
        origin = (
            f"Computed from {balance['source']}" if self.computed else f"As shipped, computed from {balance['source']}"
        )
        choices = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in balance["choices"].items())
        worst = max(balance["gaps_usd"].values())
        return [
            f"{origin}.",
            f"Choices: {choices}.",
            f"Balance: rows, columns and remainders differ from the original by {worst:.0f} USD at most.",
            *(f"Moved: {text}" for text in self._moved()),
            f"Inputs: {balance['inputs']}.",
            "",
            *self._top(),
            "",
            *self._draws(),
            f"Written: {', '.join(file.name for file in self.files)}",
        ]

    def _moved(self) -> Iterator[str]:
        for move in self.tables.balance["transfers"]:
            amount, receiver, donor = (
                f"{move['amount_usd'] / 1e6:,.1f} million USD",
                move["receiver"],
                move["donor_industry"],
            )
            yield f"{amount} of purchases to {receiver} from {donor}, against {move['donor_commodity']}: {move['reason']}."

    def _top(self) -> Iterator[str]:
        frame = self.tables["total_requirements"].head(8)
        theirs = deck_requirements()["All"] * PER_THOUSAND if "beside_deck" in self.tables else pd.Series(dtype=float)
        yield "0.001 USD of the material per USD of final demand" + (", beside the slides'" if len(theirs) else "")
        for sic, name, value in zip(frame["sic"], frame["description"], frame["All"], strict=True):
            deck = f"{theirs[sic]:8.2f}" if sic in theirs.index else ("       –" if len(theirs) else "")
            yield f"  {sic}  {name[:44]:<44} {value:8.2f}{deck}"

    def _draws(self) -> Iterator[str]:
        balance = self.tables.balance
        if balance.get("draws"):
            yield (
                f"Over {balance['draws']} draws of {UNVERIFIED} inputs the ranking correlates with this one at "
                f"{balance['spearman_low']:.3f} or more in 95 of 100."
            )


def build(
    bea: Path | None, out: Path, choices: Choices | None = None, inputs: Path | None = None,
    draws: int = DRAWS, seed: int = SEED, figures: bool = True, progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Compute or fetch all tables, write them, and draw them.

    Parameters
    ----------
    bea : path or None
        Folder of the benchmark tables; None serves the shipped ones.
    out : path
        Folder that exists.
    choices : Choices, optional
    inputs : path, optional
        Folder of the input tables of another material.
    draws, seed : int
        Of the Monte Carlo over unverified inputs; 0 draws leave it out.
    figures : bool
        Whether to draw.
    progress : callable, optional
        Told after every draw how many of how many are done.

    Raises
    ------
    DataError
        If a table cannot be read or cannot be extended with these inputs.
    StoreError
        If a file cannot be written.
    """
    tables = (
        shipped()
        if bea is None
        else compute(bea, choices or Choices(), RARE_EARTHS if inputs is None else inputs, draws, seed, progress)
    )
    files = [write_csv(frame, out / f"{name}.csv", FEWER_DIGITS) for name, frame in tables.frames.items()]
    files.append(write_csv(sector_requirements(tables), out / "ree_requirements.csv", FEWER_DIGITS))
    files.append(write_whole(out / "balance.json", as_json(tables.balance)))
    if figures:
        from reesim.empirics.iotable.figures import draw_all

        files += draw_all(tables, out)
    return Report(tables, tuple(files), bea is not None)


def compute(
    bea: Path, choices: Choices, inputs: Path, draws: int, seed: int, progress: Progress | None = None
) -> Tables:
    """Build the extended table and everything that is told about it."""

    @functools.cache
    def table(redefinitions: str) -> SupplyUse:
        return read(bea, redefinitions)  # type: ignore[arg-type]

    study = Study.of(table, read_inputs(inputs), read_links(), choices)
    frames = _measured(study.baseline)
    frames["rankings"] = study.rankings().reset_index()
    balance = _balance(study.baseline)
    if draws:
        drawn = study.draws(draws, seed, progress)
        frames["sensitivity"] = frames["sensitivity"].merge(
            drawn.summary().drop(columns=["baseline", "rank"]).rename_axis("sic").reset_index(),
            on="sic",
            validate="1:1",
        )
        balance |= {"draws": draws, "seed": seed, "spearman_low": float(drawn.correlations().quantile(0.05))}
    if study.beside_the_deck:
        found = study.baseline.sensitivity()
        output = study.links.output(study.baseline.industry_output)
        frames["moments"] = moments(found, industry_samples(found, study.links), output)
        frames["beside_deck"] = beside(with_sum(study.baseline.sic()), deck_requirements()).rename(
            columns={"unit": "sic"}
        )
        frames["knobs"] = study.knobs()
        frames["implied_by_deck"] = study.implied()
        balance["closest_to_the_implied_sd"] = closest(frames["moments"], 3).to_dict("records")
    return Tables(frames, balance)


def shipped() -> Tables:
    """Tables as they come with the package.

    Raises
    ------
    DataError
        If they are missing or damaged.
    """
    frames = {file.stem: _frame(file) for file in sorted(COMPUTED.glob("*.csv"))}
    try:
        balance = json.loads((COMPUTED / "balance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{COMPUTED / 'balance.json'}: it cannot be read: {error}") from error
    missing = [name for name in ALWAYS if name not in frames]
    if missing:
        raise DataError(f"{COMPUTED}: no table {listed(missing)}: the package is not whole; install it again")
    return Tables(frames, balance)


def sector_requirements(tables: Tables) -> pd.DataFrame:
    """What the model's calibration reads, by its sectors: columns sector, total, direct, status, source, note."""
    frame = tables["sectors"][["sector", "total", "direct"]].copy()
    idle = frame["sector"].isin(["AGR", "SER"])
    frame.loc[idle, ["total", "direct"]] = 0.0
    frame["status"] = ["A" if none else "M" for none in idle]
    frame["source"] = ["our choice" if none else f"{COMMAND}: sectors.csv" for none in idle]
    none_here = "not used here, as in the slides"
    frame["note"] = [none_here if none else tables.balance["inputs"] for none in idle]
    return frame


def as_json(balance: Mapping[str, Any]) -> bytes:
    """Keys in order, a line each, numbers to the digits of the tables; whole dollars stay whole."""
    return (json.dumps(_rounded(balance), indent=1, ensure_ascii=False) + "\n").encode()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(FEWER_DIGITS % value)
    return value


def _measured(found: Measurement) -> dict[str, pd.DataFrame]:
    names = found.extended.original.names
    elements = _order(found.extended.selection.elements)
    sic, industries, direct = found.sic(), found.industries(), found.direct()
    score = found.sensitivity().sort_values(ascending=False, kind="stable")
    total = with_sum(sic[elements]) * PER_THOUSAND
    total.insert(0, "description", found.links.descriptions.reindex(total.index))
    units = with_sum(industries[elements])
    units.insert(0, "direct", direct.sum(axis=1).reindex(units.index))
    units.insert(0, "sensitivity", sensitivity(industries, found.scores))
    units.insert(0, "output_usd", found.output)
    units.insert(0, "name", [names.get(code, code) for code in units.index])
    applications = found.applications()
    applications.insert(0, "name", [names.get(code, code) for code in applications.index])
    kind = found.choices.by
    return {
        "total_requirements": _keyed(total.sort_values("All", ascending=False, kind="stable"), "sic"),
        "sensitivity": pd.DataFrame(
            {"sic": score.index, "description": found.links.descriptions.reindex(score.index).to_numpy(),
             "sensitivity": score.to_numpy(), "rank": score.rank(ascending=False).to_numpy()}
        ),
        "industries": _keyed(units, kind),
        "applications": _keyed(applications, kind),
        "products": _keyed(with_sum(found.products()[elements]), "product"),
        "sectors": _keyed(found.sectors(), "sector"),
        "inputs": pd.DataFrame(
            [(cell.table, ", ".join(cell.key), cell.value, cell.status, "" if cell.verified else UNVERIFIED, cell.source)
             for cell in found.extended.selection.cells],
            columns=["table", "key", "number", "status", "flag", "source"],
        ),
    }  # fmt: skip


def _balance(found: Measurement) -> dict[str, Any]:
    extended = found.extended
    selection, table = extended.selection, extended.table
    value = extended.purchases_eai
    products = {}
    for product in selection.inputs.products:
        place = table.industry(product.code)
        output = float(table.industry_output_i[place])
        held = float(value[:, :, place].sum())
        products[product.code] = {"output_usd": output, "elements_usd": held, "share_of_elements": held / output}
    return {
        "source": extended.original.title, "licence": LICENCE, "command": _command(found), "choices": found.choices.as_dict(),
        "inputs": selection.summary(),
        "gaps_usd": extended.gaps(),
        "rounding_of_the_original_usd": rounding(extended.original),
        "transfers": [
            {"receiver": move.receiver, "donor_industry": move.donor_industry, "donor_commodity": move.donor_commodity,
             "amount_usd": move.amount, "reason": move.reason}
            for move in extended.transfers
        ],
        "elements_usd": dict(zip(selection.elements, value.sum(axis=(1, 2)).tolist(), strict=True)),
        "applications_usd": dict(zip(selection.applications, value.sum(axis=(0, 2)).tolist(), strict=True)),
        "products": products,
        "without_a_link": list(found.links.unlinked),
    }  # fmt: skip


def _command(found: Measurement) -> str:
    """The command that computes this: defaults are left out."""
    chosen, inputs = found.choices, found.extended.selection.inputs.folder
    options = [
        f"--{item.name.replace('_', '-')} {getattr(chosen, item.name)}"
        for item in fields(Choices)
        if getattr(chosen, item.name) != item.default
    ]
    other = [] if inputs == RARE_EARTHS else [f"--inputs {inputs.name}"]
    return " ".join([COMMAND, *other, *options])


def _order(elements: tuple[str, ...]) -> list[str]:
    """Elements in the order of the slides where they are the slides' five."""
    return list(DECK_ORDER) if set(elements) == set(DECK_ORDER) else list(elements)


def _keyed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame.rename_axis(name).reset_index()


def _frame(file: Path) -> pd.DataFrame:
    header, *rows = read_rows(file)
    columns: dict[str, list[str] | list[float]] = {}
    for position, name in enumerate(header):
        cells = [row[position] for row in rows]
        columns[name] = (
            cells
            if name in (*TEXT, "product")
            else [
                parse_number(cell, file, row, name) if cell else float("nan") for row, cell in enumerate(cells, start=2)
            ]
        )
    return pd.DataFrame(columns)
