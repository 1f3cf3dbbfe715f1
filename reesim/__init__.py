"""reesim: how the world economy adjusts to trade policy, restrictions of rare earths above all.

>>> import reesim
>>> path = reesim.Simulation("deck_tax").run()
>>> path["welfare"]

Names are imported when they are first used, so that ``import reesim`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names as _names

__version__ = "0.1.0"

_HOME = {
    "Calibration": "calibration",
    "Comparison": "results.compare",
    "ConvergenceError": "errors",
    "CostPricing": "rules",
    "Economy": "economy",
    "Equilibrium": "equilibrium",
    "GradualSwitching": "rules",
    "Path": "results.path",
    "ProfitEntry": "rules",
    "ReesimError": "errors",
    "Scenario": "scenario",
    "ScenarioError": "errors",
    "Simulation": "simulation",
    "TradeDecomposition": "decomposition",
    "TradeTable": "data.composite",
    "WelfareDecomposition": "decomposition",
    "WorldTable": "data.tables",
    "baseline": "equilibrium",
    "bundled": "scenario",
    "compare": "results.compare",
    "from_frames": "data.plain",
    "read_plain": "data.plaincsv",
    "solve": "equilibrium",
    "trade_decomposition": "decomposition",
    "treat": "data.treatments",
    "welfare_decomposition": "decomposition",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from reesim.calibration import Calibration as Calibration
    from reesim.data.composite import TradeTable as TradeTable
    from reesim.data.plain import from_frames as from_frames
    from reesim.data.plaincsv import read_plain as read_plain
    from reesim.data.tables import WorldTable as WorldTable
    from reesim.data.treatments import treat as treat
    from reesim.decomposition import TradeDecomposition as TradeDecomposition
    from reesim.decomposition import WelfareDecomposition as WelfareDecomposition
    from reesim.decomposition import trade_decomposition as trade_decomposition
    from reesim.decomposition import welfare_decomposition as welfare_decomposition
    from reesim.economy import Economy as Economy
    from reesim.equilibrium import Equilibrium as Equilibrium
    from reesim.equilibrium import baseline as baseline
    from reesim.equilibrium import solve as solve
    from reesim.errors import ConvergenceError as ConvergenceError
    from reesim.errors import ReesimError as ReesimError
    from reesim.errors import ScenarioError as ScenarioError
    from reesim.results.compare import Comparison as Comparison
    from reesim.results.compare import compare as compare
    from reesim.results.path import Path as Path
    from reesim.rules import CostPricing as CostPricing
    from reesim.rules import GradualSwitching as GradualSwitching
    from reesim.rules import ProfitEntry as ProfitEntry
    from reesim.scenario import Scenario as Scenario
    from reesim.scenario import bundled as bundled
    from reesim.simulation import Simulation as Simulation

__getattr__, __dir__ = _names(__name__, _HOME)
