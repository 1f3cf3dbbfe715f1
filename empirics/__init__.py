"""Empirical exercises on top of the engine: what is measured, and what is estimated with it.

``iotable``, the extended input-output table and sensitivity (25); ``panels`` and ``patents``, the data; ``regress``,
differences in differences (26); ``structural``, elasticities by sector (24); ``delta``, the externality by indirect
inference (27).

The engine never imports this package. ``python -m reesim.empirics`` is its command line; rooms are imported when they
are first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["delta", "estimates", "iotable", "panels", "patents", "regress", "structural", "tables"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)
