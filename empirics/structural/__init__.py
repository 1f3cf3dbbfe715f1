"""Structural estimation of epsilon and gamma by sector from the direction of innovation, (24), and what follows from it.

>>> from reesim.empirics.structural import Specification, estimate, read_factor_panel

Names are imported when they are first used; modules can be imported as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "Bands": "bands",
    "Bootstrap": "resample",
    "Design": "simulate",
    "FactorPanel": "panel",
    "MonteCarlo": "montecarlo",
    "Report": "exercise",
    "Specification": "fit",
    "StructuralFit": "fit",
    "Technology": "inversion",
    "attenuation": "exercise",
    "bands_of": "bands",
    "bootstrap": "resample",
    "estimate": "fit",
    "monte_carlo": "montecarlo",
    "panel_from_equilibria": "panel",
    "panel_from_path": "panel",
    "read_factor_panel": "panel",
    "run": "exercise",
    "stocks": "panel",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.structural.bands import Bands as Bands
    from reesim.empirics.structural.bands import bands_of as bands_of
    from reesim.empirics.structural.exercise import Report as Report
    from reesim.empirics.structural.exercise import attenuation as attenuation
    from reesim.empirics.structural.exercise import run as run
    from reesim.empirics.structural.fit import Specification as Specification
    from reesim.empirics.structural.fit import StructuralFit as StructuralFit
    from reesim.empirics.structural.fit import estimate as estimate
    from reesim.empirics.structural.inversion import Technology as Technology
    from reesim.empirics.structural.montecarlo import MonteCarlo as MonteCarlo
    from reesim.empirics.structural.montecarlo import monte_carlo as monte_carlo
    from reesim.empirics.structural.panel import FactorPanel as FactorPanel
    from reesim.empirics.structural.panel import panel_from_equilibria as panel_from_equilibria
    from reesim.empirics.structural.panel import panel_from_path as panel_from_path
    from reesim.empirics.structural.panel import read_factor_panel as read_factor_panel
    from reesim.empirics.structural.panel import stocks as stocks
    from reesim.empirics.structural.resample import Bootstrap as Bootstrap
    from reesim.empirics.structural.resample import bootstrap as bootstrap
    from reesim.empirics.structural.simulate import Design as Design

__getattr__, __dir__ = names(__name__, _HOME)
