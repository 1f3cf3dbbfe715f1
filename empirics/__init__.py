"""Empirical exercises on top of the engine: the extended input-output table, and what is estimated with it.

>>> from reesim.empirics import iotable

The engine never imports this package. ``python -m reesim.empirics`` is its command line; rooms are imported when they
are first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["iotable"]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)
