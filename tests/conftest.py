"""Fixtures of the engine's tests: calibrated economies of the embedded table, each built once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from reesim.economy import Economy
from reesim.equilibrium import baseline
from reesim.scenario import Scenario

DRAWS_OR_PRINTS = ("test_plot", "test_cli", "test_report")
"""Tests of modules whose libraries divide by zero on purpose."""


@pytest.fixture(autouse=True)
def _floating_point_faults_are_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Overflow, division by zero and invalid operations raise; numbers too small to hold are zero, as they should be."""
    if request.module.__name__.startswith(DRAWS_OR_PRINTS):
        yield
        return
    with np.errstate(all="raise", under="ignore"):
        yield


@cache
def _economy(changes: tuple[tuple[str, object], ...]) -> Economy:
    return baseline(Scenario.load("deck_tax_permanent").replace(dict(changes)))


@pytest.fixture(scope="session")
def economy_of() -> Callable[..., Economy]:
    """Economy of the permanent tax's scenario with fields replaced by dotted path; nobody may step or place it."""
    return lambda changes=None: _economy(tuple((changes or {}).items()))


@pytest.fixture(scope="session")
def deck(economy_of: Callable[..., Economy]) -> Economy:
    return economy_of()


@pytest.fixture(scope="session")
def accounts(economy_of: Callable[..., Economy]) -> Economy:
    return economy_of({"calibration.ree_shares": "accounts"})


@pytest.fixture(scope="session")
def tax_scenario() -> Scenario:
    """Permanent tax from July 2010."""
    return Scenario.load("deck_tax_permanent")
