"""Where each array stands in the contiguous blocks of the core.

The core works on four flat blocks of doubles: parameters, one row (state and temporary equilibrium), policy and speeds.
A block is copied, branched or handed to a thread by copying memory; the views below only name its parts, so that each number
lives once. Axes: ``j`` exporter, ``i`` importer or region, ``s`` sector, ``k`` using sector.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PARAMETERS: tuple[tuple[str, str], ...] = (
    ("trade_share0", "jis"),  # b, baseline shares of exporters in spending
    ("tariff0", "jis"),  # 1 + tariff of the baseline
    ("export_tax0", "jis"),  # 1 + tax of the baseline on exports of goods
    ("phi_va", "is"),  # share of value added in cost
    ("phi", "iks"),  # share of input s in the cost of sector k
    ("alpha", "is"),  # baseline shares in final demand
    ("ree_share0", "is"),  # baseline share of the R bundle in value added
    ("revenue0", "is"),  # baseline sales
    ("expenditure0", "is"),  # baseline spending on a composite, at user prices
    ("research_R0", "is"),  # baseline payments f A of the R bundle
    ("research_L0", "is"),
    ("labour0", "i"),  # baseline labour income, research labour included when entry is paid in labour
    ("deficit0", "i"),  # baseline deficit
    ("deficit_share", "i"),  # baseline deficit over own income
    ("ree_use0", "i"),  # baseline use at mine prices
    ("ree_supply", "i"),  # supply at baseline mine prices
    ("ree_elasticity", "i"),  # of the supply of mines owned in i, by price over local wage
    ("tax0", "i"),  # 1 + tax of the baseline year
    ("sigma", "s"),
    ("epsilon", "s"),
    ("rho", ""),
    ("mu", ""),
    ("theta", ""),
)

STATE: tuple[tuple[str, str], ...] = (
    ("A_R", "is"),
    ("A_L", "is"),
    ("posted_price", "is"),
    ("trade_share", "jis"),
)

EQUILIBRIUM: tuple[tuple[str, str], ...] = (
    ("wage", "i"),
    ("ree_price", "i"),
    ("ree_mine_price", ""),
    ("ree_wedge_quota", ""),
    ("ree_wedge_embargo", "i"),
    ("final_demand", "i"),
    ("price_consumption", "i"),
    ("price_index", "is"),
    ("expenditure", "is"),
    ("revenue", "is"),
    ("spending", "is"),  # what a sector spends on inputs, c Y / p
    ("unit_cost", "is"),
    ("value_added_price", "is"),
    ("ree_share", "is"),
)

ROW = STATE + EQUILIBRIUM

POLICY: tuple[tuple[str, str], ...] = (
    ("tax", "i"),  # tau_tax, relative to the baseline's
    ("embargo", "i"),  # limit on use, share of baseline use; inf: none
    ("quota", ""),  # limit on foreign imports, share of baseline foreign use; inf: none
    ("rent_share", ""),  # share of quota rents kept by importers
    ("ree_supply", ""),  # factor on the supplier's deposits
    ("ree_limit", ""),  # limit on the supplier's output, share of baseline supply; inf: none
    ("mine_supply", "ji"),  # capacity of mines of j that sell in i, share of the world's baseline supply
    ("labour", "i"),  # factor on the endowment
    ("productivity", "is"),  # Psi over its baseline
    ("output_subsidy", "is"),  # 1 + rate: what producers get over what buyers pay them
    ("entry_subsidy_R", "is"),  # share of the entry cost that households pay
    ("entry_subsidy_L", "is"),
    ("tariff", "jis"),  # 1 + rate in force
    ("export_tax", "jis"),  # 1 + rate in force on goods
    ("iceberg", "jis"),  # factor on trade costs
)
"""What is in force in a period. Periods with the same policy share one block, a regime."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets and shapes of the named arrays of one block.

    Parameters
    ----------
    fields : sequence of (name, axes)
        Axes are letters out of ``j``, ``i`` (regions), ``k``, ``s`` (sectors).
    regions, sectors : int
        Sizes.
    """

    fields: Sequence[tuple[str, str]]
    regions: int
    sectors: int

    def shape(self, axes: str) -> tuple[int, ...]:
        """Shape of an array with these axes."""
        return tuple(self.regions if axis in "ij" else self.sectors for axis in axes)

    def __iter__(self) -> Iterator[tuple[str, slice, tuple[int, ...]]]:
        return iter(_places(tuple(self.fields), self.regions, self.sectors))

    @property
    def size(self) -> int:
        """Length of the block."""
        *_, (_, last, _) = self
        return int(last.stop)

    def offsets(self) -> dict[str, int]:
        """First position of each array."""
        return {name: where.start for name, where, _ in self}

    def views(self, block: Array) -> dict[str, Array]:
        """Name the parts of a block.

        Parameters
        ----------
        block : (..., size)
            One block, or several along leading axes (the rows of a path).

        Returns
        -------
        dict of str to ndarray
            Views, not copies, of shape (..., *axes).
        """
        lead = block.shape[:-1]
        return {name: block[..., where].reshape(lead + shape) for name, where, shape in self}


@functools.lru_cache(maxsize=64)
def _places(
    fields: tuple[tuple[str, str], ...], regions: int, sectors: int
) -> tuple[tuple[str, slice, tuple[int, ...]], ...]:
    layout, places, start = Layout(fields, regions, sectors), [], 0
    for name, axes in fields:
        shape = layout.shape(axes)
        places.append((name, slice(start, start + math.prod(shape)), shape))
        start += math.prod(shape)
    return tuple(places)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameter block of an economy with its integer facts. Read-only once built.

    Parameters
    ----------
    regions, sectors : int
        Sizes.
    supplier : int
        Region whose mines supply the world; its own users pay the mine price.
    entry_in_final_good : bool
        Unit W of the entry cost in (7): the final good if true, labour if not.
    deficit_follows_income : bool
        Closure of (16): a share of own income, the world total rebalanced, if true; a constant value if not.
    block : (size,) ndarray
        Laid out by `PARAMETERS`.
    """

    regions: int
    sectors: int
    supplier: int
    entry_in_final_good: bool
    deficit_follows_income: bool
    block: Array

    @classmethod
    def build(
        cls,
        arrays: Mapping[str, npt.ArrayLike],
        *,
        supplier: int,
        entry_in_final_good: bool,
        deficit_follows_income: bool,
    ) -> Parameters:
        """Copy named arrays into one block."""
        regions, sectors = np.asarray(arrays["alpha"]).shape
        layout = Layout(PARAMETERS, regions, sectors)
        block = np.empty(layout.size)
        for name, view in layout.views(block).items():
            view[...] = arrays[name]
        block.setflags(write=False)
        return cls(regions, sectors, supplier, entry_in_final_good, deficit_follows_income, block)

    def views(self) -> dict[str, Array]:
        """Name the parameter arrays."""
        return Layout(PARAMETERS, self.regions, self.sectors).views(self.block)


def no_policy(parameters: Parameters) -> Array:
    """Policy block with the baseline's own policy: its tariffs and export taxes, and nothing else."""
    layout = Layout(POLICY, parameters.regions, parameters.sectors)
    block = np.ones(layout.size)
    views, par = layout.views(block), parameters.views()
    for name in ("embargo", "quota", "ree_limit"):
        views[name][...] = np.inf
    for name in ("rent_share", "mine_supply", "entry_subsidy_R", "entry_subsidy_L"):
        views[name][...] = 0.0
    views["tariff"][...], views["export_tax"][...] = par["tariff0"], par["export_tax0"]
    return block
