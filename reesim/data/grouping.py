"""Maps from fine labels to coarse ones, and sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reesim.data.csvfiles import make_labels, read_table
from reesim.errors import DataError
from reesim.labels import Labels

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which group every label of a finer list belongs to.

    Parameters
    ----------
    members : tuple of str
        Codes of the finer list, each once.
    groups : tuple of int
        For each member, its position in `labels`.
    labels : Labels
        The groups, in the order in which the file first names them.
    """

    members: tuple[str, ...]
    groups: tuple[int, ...]
    labels: Labels

    @classmethod
    def read(cls, file: Path, kind: str) -> Grouping:
        """Read a csv file with columns ``code_from,code,name``.

        Raises
        ------
        DataError
            If the file cannot be read, a member stands twice, or a group has two names.
        """
        groups: dict[str, str] = {}
        members: dict[str, str] = {}
        for row, (member, code, name) in enumerate(read_table(file, ("code_from", "code", "name")), start=2):
            if member in members:
                raise DataError(f"{file}: row {row}, column 'code_from': {member!r} stands twice; keep one of the rows")
            if groups.setdefault(code, name) != name:
                raise DataError(
                    f"{file}: row {row}, column 'name': {code!r} is {name!r} here and {groups[code]!r} above; use one"
                )
            members[member] = code
        order = list(groups)
        labels = make_labels(kind, order, [groups[code] for code in order], file)
        return cls(tuple(members), tuple(order.index(code) for code in members.values()), labels)

    @classmethod
    def identity(cls, labels: Labels) -> Grouping:
        """Every label its own group."""
        return cls(labels.codes, tuple(range(len(labels))), labels)

    def positions(self, codes: Sequence[str]) -> NDArray[np.intp]:
        """Group of each of `codes` (letter case does not matter).

        Raises
        ------
        DataError
            If a code has no group, or the grouping names one that is not there.
        """
        known = {member.casefold(): group for member, group in zip(self.members, self.groups, strict=True)}
        kind = self.labels.kind
        missing = [code for code in codes if code.casefold() not in known]
        present = {code.casefold() for code in codes}
        foreign = [member for member in self.members if member.casefold() not in present]
        if missing or foreign:
            parts = []
            if missing:
                parts.append(f"no group for {kind} {', '.join(missing)}")
            if foreign:
                parts.append(f"the table has no {kind} {', '.join(foreign)}")
            raise DataError(f"{kind} map: {'; '.join(parts)}. Give every {kind} of the table one row of the map.")
        return np.array([known[code.casefold()] for code in codes], dtype=np.intp)


def sum_groups(array: Array, positions: NDArray[np.intp], size: int, axis: int) -> Array:
    """Sum an array over groups along one axis.

    Parameters
    ----------
    array : ndarray
        Any shape.
    positions : ndarray of int
        Group of each entry along `axis`.
    size : int
        Number of groups.
    axis : int
        Axis to sum over.

    Returns
    -------
    ndarray
        As `array`, with length `size` along `axis`; added in index order, so the result does not depend on the machine.
    """
    moved = np.moveaxis(array, axis, 0)
    total = np.zeros((size, *moved.shape[1:]))
    np.add.at(total, positions, moved)
    return np.ascontiguousarray(np.moveaxis(total, 0, axis))
