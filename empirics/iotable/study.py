"""The measurement under other choices: what moves the level, what moves the ranking, and what the slides' table implies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reesim.empirics.iotable.bea import SupplyUse
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.concordance import SicMap
from reesim.empirics.iotable.material import KG_PER_TONNE, Inputs
from reesim.empirics.iotable.measurement import Measurement, measure
from reesim.empirics.iotable.requirements import leontief
from reesim.empirics.iotable.robustness import MonteCarlo, gaps, monte_carlo, rank_correlations
from reesim.empirics.iotable.sensitivity import deck_requirements, sensitivity
from reesim.empirics.iotable.uncertainty import read_uncertainty
from reesim.errors import DataError


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read spending in the United States off a row of the slides' table.

    The row is the mean over ``codes`` codes of the North American classification, of which one is the industry; the others need
    next to nothing. ``part`` is the share of the industry's output that belongs to the row.
    """

    sic: str
    industry: str
    application: str
    elements: tuple[str, ...]
    codes: int
    part: float
    words: str


READINGS = (
    Reading("3691", "335911", "batteries", ("La",), 1, 1.0, "SIC 3691 is industry 335911"),
    Reading(
        "3499", "332999", "magnets", ("Nd", "Pr", "Dy"), 7, 0.0,
        "all magnets are SIC 3499, the mean of seven codes, with its part of the rest of 332999",
    ),
    Reading("3499", "332999", "magnets", ("Nd", "Pr", "Dy"), 1, 1.0, "SIC 3499 is industry 332999 alone, magnets and all"),
    Reading("3585", "336390", "automobile catalysts", ("Ce",), 2, 1.0, "SIC 3585 is the mean of 336390 and of 333415"),
)  # fmt: skip
"""With a part of 0, the product and its SIC industry's part of the rest, as we measure them."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A baseline and whatever is measured beside it.

    Parameters
    ----------
    read : callable
        Gives the benchmark tables of a variant, after or before redefinitions.
    inputs : Inputs
    links : SicMap
    choices : Choices
        Of the baseline.
    baseline : Measurement
    """

    read: Callable[[str], SupplyUse]
    inputs: Inputs
    links: SicMap
    choices: Choices
    baseline: Measurement

    @classmethod
    def of(cls, read: Callable[[str], SupplyUse], inputs: Inputs, links: SicMap, choices: Choices) -> Study:
        """Measure the baseline."""
        table = read(choices.redefinitions)
        return cls(read, inputs, links, choices, measure(table, inputs.choose(choices), choices, links))

    @property
    def beside_the_deck(self) -> bool:
        """Whether the material is the one of the slides' table."""
        return set(deck_requirements().columns) - {"All"} <= set(self.inputs.elements)

    def under(self, choices: Choices) -> Measurement:
        """Measure with other choices."""
        return measure(self.read(choices.redefinitions), self.inputs.choose(choices), choices, self.links)

    def variants(self) -> Iterator[tuple[str, str, Choices]]:
        """One choice changed at a time: what it is, its value, and the choices."""
        base = self.choices
        others: dict[str, tuple[str, ...]] = {
            "prices": self.inputs.vintages, "us_share": self.inputs.variants, "sic_weights": ("equal", "output"),
            "by": ("industry", "commodity"), "scrap": ("adjusted", "commodity"), "redefinitions": ("after", "before"),
            "applications": ("default", "all"),
        }  # fmt: skip
        if all(self.inputs.applications.values()):
            del others["applications"]
        for name, values in others.items():
            for value in values:
                if value != getattr(base, name):
                    yield name, value, base.changed(**{name: value})
        if base.origin == "total":
            yield "origin", "domestic, before redefinitions", replace(base, origin="domestic", redefinitions="before")

    def rankings(self) -> pd.DataFrame:
        """Rank correlations of sensitivity with the baseline's, by variant.

        Returns
        -------
        pandas.DataFrame
            Columns choice, value, spearman, kendall, top_8, top_25, units, note; a variant that cannot be built has its reason
            in note and no numbers.
        """
        found: dict[str, pd.Series[float]] = {"baseline": self.baseline.sensitivity()}
        rows: dict[str, tuple[str, str, str]] = {"baseline": ("", "", "")}
        for name, value, choices in self.variants():
            label = f"{name}: {value}"
            try:
                found[label] = self.under(choices).sensitivity()
            except DataError as error:
                rows[label] = (name, value, str(error))
                continue
            rows[label] = (name, value, "")
        equal = pd.Series(1.0, index=self.baseline.scores.index) * 50.0
        found["scores: all 50"] = sensitivity(self.baseline.sic(), equal)
        rows["scores: all 50"] = ("scores", "all 50", "")
        table = rank_correlations(found).reindex(list(rows))
        table.insert(0, "value", [value for _, value, _ in rows.values()])
        table.insert(0, "choice", [name for name, _, _ in rows.values()])
        table["note"] = [note for _, _, note in rows.values()]
        return table

    def knobs(self) -> pd.DataFrame:
        """Level and spread of our requirements over the slides', for every price vintage and share.

        Returns
        -------
        pandas.DataFrame
            Columns prices, us_share, level (geometric mean of ours over theirs), spread (standard deviation of its logarithm),
            smallest, largest, units, zeros, note: why a variant cannot be built.
        """
        theirs, rows = deck_requirements(), []
        for vintage in self.inputs.vintages:
            for share in self.inputs.variants:
                row: dict[str, object] = {"prices": vintage, "us_share": share, "note": ""}
                try:
                    ours = with_sum(self.under(replace(self.choices, prices=vintage, us_share=share)).sic())
                except DataError as error:
                    rows.append(row | {"note": str(error)})
                    continue
                rows.append(row | {str(name): value for name, value in gaps({vintage: ours}, theirs).iloc[0].items()})
        columns = ["prices", "us_share", "level", "spread", "smallest", "largest", "units", "zeros", "note"]
        return pd.DataFrame(rows, columns=columns)

    def implied(self) -> pd.DataFrame:
        """What the slides' table implies for spending in the United States, and which share of world use that is.

        Returns
        -------
        pandas.DataFrame
            Columns sic, industry, application, element, deck (USD per USD), spending_usd, usd_per_kg (of world tonnes), one
            column a price vintage with the share of the United States that it implies, and reading.
        """
        theirs, table = deck_requirements(), self.baseline.extended.original
        inverse = leontief(table, "total", self.choices.scrap).industry_by_industry()
        rows: list[dict[str, object]] = []
        for reading in READINGS:
            place = table.industry(reading.industry)
            output = reading.part * table.industry_output_i[place] if reading.part else self._output_of(reading)
            for element in reading.elements:
                deck = float(theirs[element][reading.sic])
                spending = deck * reading.codes * output / float(inverse[place, place])
                per_kg = spending / (self.inputs.tonnes[reading.application, element].value * KG_PER_TONNE)
                shares = {name: per_kg / self.inputs.prices[name, element].value for name in self.inputs.vintages}
                head = {
                    "sic": reading.sic, "industry": reading.industry, "application": reading.application,
                    "element": element, "deck": deck, "spending_usd": spending, "usd_per_kg": per_kg,
                }  # fmt: skip
                rows.append({**head, **shares, "reading": reading.words})
        return pd.DataFrame(rows)

    def _output_of(self, reading: Reading) -> float:
        """Output of the products split off an industry, and of the SIC industry's part of what is left, USD."""
        table, links = self.baseline.extended.table, self.links.links
        codes = [item.code for item in self.inputs.products if item.industry == reading.industry]
        made = sum(float(table.industry_output_i[table.industry(code)]) for code in codes)
        link = links[(links["sic"] == reading.sic) & (links["bea"] == reading.industry)]
        return made + float(
            link["output_share"].to_numpy()[0] * table.industry_output_i[table.industry(reading.industry)]
        )

    def draws(self, count: int, seed: int, progress: Callable[[int, int], None] | None = None) -> MonteCarlo:
        """Sensitivity by SIC industry under draws of the uncertain inputs; `progress` as in `monte_carlo`."""
        rules = read_uncertainty(self.inputs.folder)
        base = self.baseline.extended
        weights = self.baseline.sic_weights()

        def draw(rng: np.random.Generator) -> pd.Series[float]:
            found = measure(base.original, rules.draw(base.selection, rng), self.choices, self.links)
            # Weights hang on outputs alone, which the draws leave as they are.
            same = np.array_equal(found.extended.table.make_ic.sum(axis=1), base.table.make_ic.sum(axis=1))
            return found.sensitivity(weights if same else None)

        return monte_carlo(draw, count, seed, self.baseline.sensitivity(), progress)


def with_sum(requirements: pd.DataFrame) -> pd.DataFrame:
    """Requirements with the sum over elements as the first column, All."""
    frame = requirements.copy()
    frame.insert(0, "All", requirements.sum(axis=1))
    return frame
