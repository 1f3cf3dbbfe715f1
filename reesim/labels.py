"""Labels of regions and sectors: a short code and a full name, either of which is accepted everywhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from reesim.errors import LabelError

LIKENESS = 0.65
"""Likeness from which a word is suggested for another: one slip in a code of three letters (2/3) still counts."""


@dataclass(frozen=True, slots=True)
class Labels:
    """An ordered set of codes with their full names.

    Parameters
    ----------
    kind : str
        What the labels name: ``"region"``, ``"sector"``.
    codes, names : tuple of str
        Short codes and full names, in the order of the arrays.
    """

    kind: str
    codes: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.names):
            raise LabelError(f"{len(self.codes)} {self.kind} codes but {len(self.names)} names")
        folded = [{code.casefold(), name.casefold()} for code, name in zip(self.codes, self.names, strict=True)]
        seen: set[str] = set()
        for position, forms in enumerate(folded):
            if seen & forms:
                raise LabelError(f"{self.kind} {self.codes[position]!r} stands twice, as a code or as a name")
            seen |= forms

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    def index(self, label: str) -> int:
        """Position of a code or full name (letter case does not matter).

        Raises
        ------
        LabelError
            If there is no such label; the message suggests the nearest.
        """
        wanted = str(label).casefold()
        for position, (code, name) in enumerate(zip(self.codes, self.names, strict=True)):
            if wanted in (code.casefold(), name.casefold()):
                return position
        hint = self.suggest(str(label))
        known = ", ".join(self.codes)
        raise LabelError(f"no {self.kind} {label!r}{f', did you mean {hint!r}?' if hint else '.'} Known: {known}.")

    def suggest(self, label: str) -> str:
        """Return the nearest code or name to a misspelt label, or an empty string."""
        forms = {form.casefold(): form for form in (*self.names, *self.codes)}
        near = difflib.get_close_matches(label.casefold(), list(forms), n=1, cutoff=LIKENESS)
        return forms[near[0]] if near else ""
