"""Every error that reesim raises for a user, and the exit code that the command line gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ReesimError(Exception):
    """Base of all errors that reesim raises on purpose; its text says what, where, and what to do."""

    exit_code = 1


class InputError(ReesimError):
    """Something the user gave cannot be used: a scenario, a table, a label, a date."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input file, with its address."""

    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line or "", self.column or "") if part != "")
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        return f"{text} ({self.hint})" if self.hint else text


class ScenarioError(InputError):
    """A scenario is not valid. All its problems are reported together.

    Parameters
    ----------
    problems : iterable of Problem
        Each prints as ``file:line:column: path: message (hint)``.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CalibrationError(InputError):
    """A table and parameters do not give a balanced baseline."""


class DataError(InputError):
    """A public data file cannot be read or is not what it should be."""


class LabelError(InputError, LookupError):
    """A region, sector, variable or bundle is not known by that name."""


class ConvergenceError(ReesimError):
    """An equilibrium was not found to tolerance. Nothing uncertified is returned.

    Attributes
    ----------
    residual : float
        Largest relative residual reached.
    equation, region, sector, date : str
        Where the worst residual sits; empty where it does not apply.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        residual: float = float("nan"),
        equation: str = "",
        region: str = "",
        sector: str = "",
        date: str = "",
    ) -> None:
        self.residual = residual
        self.equation = equation
        self.region = region
        self.sector = sector
        self.date = date
        super().__init__(message)


class StoreError(ReesimError):
    """A result file cannot be written, or is damaged, foreign or too new to be read."""

    exit_code = 4
