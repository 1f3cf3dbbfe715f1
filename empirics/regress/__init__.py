"""Regressions of the exercises, (26): samples, fits with high-dimensional fixed effects, event studies, robustness.

>>> from reesim.empirics.regress import default_sensitivity, ppml, run_exports
>>> from reesim.empirics.regress.design import design

pyfixest is imported when a fit is computed, and not before.

Names are imported when they are first used; modules can be imported as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "Block": "report",
    "Correction": "records",
    "Design": "design",
    "EventStudy": "event",
    "Fit": "records",
    "Options": "records",
    "Report": "report",
    "Resampled": "resample",
    "Variant": "robustness",
    "default_sensitivity": "design",
    "event_study": "event",
    "ols": "fit",
    "permute_sensitivity": "resample",
    "ppml": "fit",
    "read_sensitivity": "robustness",
    "run_exports": "exercise",
    "run_patents": "exercise",
    "run_productivity": "exercise",
    "wild_bootstrap": "resample",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.regress.design import Design as Design
    from reesim.empirics.regress.design import default_sensitivity as default_sensitivity
    from reesim.empirics.regress.event import EventStudy as EventStudy
    from reesim.empirics.regress.event import event_study as event_study
    from reesim.empirics.regress.exercise import run_exports as run_exports
    from reesim.empirics.regress.exercise import run_patents as run_patents
    from reesim.empirics.regress.exercise import run_productivity as run_productivity
    from reesim.empirics.regress.fit import ols as ols
    from reesim.empirics.regress.fit import ppml as ppml
    from reesim.empirics.regress.records import Correction as Correction
    from reesim.empirics.regress.records import Fit as Fit
    from reesim.empirics.regress.records import Options as Options
    from reesim.empirics.regress.report import Block as Block
    from reesim.empirics.regress.report import Report as Report
    from reesim.empirics.regress.resample import Resampled as Resampled
    from reesim.empirics.regress.resample import permute_sensitivity as permute_sensitivity
    from reesim.empirics.regress.resample import wild_bootstrap as wild_bootstrap
    from reesim.empirics.regress.robustness import Variant as Variant
    from reesim.empirics.regress.robustness import read_sensitivity as read_sensitivity

__getattr__, __dir__ = names(__name__, _HOME)
