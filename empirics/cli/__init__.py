"""The command line of the empirical exercises: ``python -m reesim.empirics exports --out DIR`` and its companions.

A command reads what the user gave, calls the library and shows its report. Everything heavy is imported inside the
commands, so that ``--help`` is immediate.
"""

from __future__ import annotations

from reesim.cli.program import start

# Importing a module registers its commands.
from reesim.empirics.cli import exercises, iotable, records
from reesim.empirics.cli.program import NAME, app

__all__ = ["NAME", "app", "exercises", "iotable", "main", "records"]


def main() -> None:
    """Entry point of ``python -m reesim.empirics``."""
    start(app, NAME)
