"""The extended input-output table: five rare earths as inputs, and REE sensitivity by industry.

>>> from reesim.empirics.iotable import Choices, Study, read, read_inputs, read_links, shipped
>>> shipped()["total_requirements"]
>>> study = Study.of(lambda variant: read("bea2012", variant), read_inputs(), read_links(), Choices())
>>> study.baseline.sensitivity()

Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "Choices": "choices",
    "ExtendedTable": "extension",
    "Inputs": "material",
    "Leontief": "requirements",
    "Measurement": "measurement",
    "MonteCarlo": "robustness",
    "Report": "outputs",
    "SicMap": "concordance",
    "Study": "study",
    "SupplyUse": "bea",
    "Tables": "outputs",
    "build": "outputs",
    "draw_all": "figures",
    "extend": "extension",
    "implied_sd": "sensitivity",
    "leontief": "requirements",
    "measure": "measurement",
    "moments": "sensitivity",
    "rank_correlations": "robustness",
    "read": "bea",
    "read_inputs": "inputs",
    "read_links": "concordance",
    "shipped": "outputs",
    "to_sectors": "concordance",
    "to_sic": "concordance",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.iotable.bea import SupplyUse as SupplyUse
    from reesim.empirics.iotable.bea import read as read
    from reesim.empirics.iotable.choices import Choices as Choices
    from reesim.empirics.iotable.concordance import SicMap as SicMap
    from reesim.empirics.iotable.concordance import read_links as read_links
    from reesim.empirics.iotable.concordance import to_sectors as to_sectors
    from reesim.empirics.iotable.concordance import to_sic as to_sic
    from reesim.empirics.iotable.extension import ExtendedTable as ExtendedTable
    from reesim.empirics.iotable.extension import extend as extend
    from reesim.empirics.iotable.figures import draw_all as draw_all
    from reesim.empirics.iotable.inputs import read_inputs as read_inputs
    from reesim.empirics.iotable.material import Inputs as Inputs
    from reesim.empirics.iotable.measurement import Measurement as Measurement
    from reesim.empirics.iotable.measurement import measure as measure
    from reesim.empirics.iotable.outputs import Report as Report
    from reesim.empirics.iotable.outputs import Tables as Tables
    from reesim.empirics.iotable.outputs import build as build
    from reesim.empirics.iotable.outputs import shipped as shipped
    from reesim.empirics.iotable.requirements import Leontief as Leontief
    from reesim.empirics.iotable.requirements import leontief as leontief
    from reesim.empirics.iotable.robustness import MonteCarlo as MonteCarlo
    from reesim.empirics.iotable.robustness import rank_correlations as rank_correlations
    from reesim.empirics.iotable.sensitivity import implied_sd as implied_sd
    from reesim.empirics.iotable.sensitivity import moments as moments
    from reesim.empirics.iotable.study import Study as Study

__getattr__, __dir__ = names(__name__, _HOME)
