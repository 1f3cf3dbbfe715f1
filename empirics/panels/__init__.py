"""Panels to estimate on: the user's own, exports of the World Input-Output Database, and what a simulated path would show.

>>> from reesim.empirics.panels import exports_panel, read_panel
>>> exports_panel().frame

Names are imported when they are first used; modules can be imported as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "Observed": "simulated",
    "Panel": "schema",
    "ReeImports": "imports",
    "annual_growth": "growth",
    "bundle_exposure": "simulated",
    "exports_panel": "exports",
    "panel_from_path": "simulated",
    "read_imports": "imports",
    "read_panel": "schema",
    "read_products": "products",
    "template": "columns",
    "window_growth": "growth",
    "window_panel": "exports",
    "with_zeros": "schema",
    "write_template": "columns",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.panels.columns import template as template
    from reesim.empirics.panels.columns import write_template as write_template
    from reesim.empirics.panels.exports import exports_panel as exports_panel
    from reesim.empirics.panels.exports import window_panel as window_panel
    from reesim.empirics.panels.growth import annual_growth as annual_growth
    from reesim.empirics.panels.growth import window_growth as window_growth
    from reesim.empirics.panels.imports import ReeImports as ReeImports
    from reesim.empirics.panels.imports import read_imports as read_imports
    from reesim.empirics.panels.products import read_products as read_products
    from reesim.empirics.panels.schema import Panel as Panel
    from reesim.empirics.panels.schema import read_panel as read_panel
    from reesim.empirics.panels.schema import with_zeros as with_zeros
    from reesim.empirics.panels.simulated import Observed as Observed
    from reesim.empirics.panels.simulated import bundle_exposure as bundle_exposure
    from reesim.empirics.panels.simulated import panel_from_path as panel_from_path

__getattr__, __dir__ = names(__name__, _HOME)
