"""The input-output graph of the world economy: producers, markets, final demand and mines, with money on the edges.

Nodes are ``(region, sector)`` for producers, ``("market", region, sector)`` for the composite good where it is used,
``("final demand", region)`` and ``("mine", region)``. A market stands between the producers of a good and its buyers, so the
graph has about N²S + NS² edges and never the N²S² of producer to producer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reesim.errors import CalibrationError
from reesim.labels import Labels

if TYPE_CHECKING:
    import networkx as nx

Array = npt.NDArray[np.float64]

MARKET = "market"
FINAL = "final demand"
MINE = "mine"


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """The money that flows through the graph, as arrays (million USD a year).

    Parameters
    ----------
    trade_jis : (N, N, S)
        From producers to markets, at producer prices: taxes on the way are not part of it.
    materials_iks : (N, S, S)
        From the market for s in region i to its sector k.
    final_is : (N, S)
        From markets to final demand.
    ree_is : (N, S)
        From mines to users, at user prices.
    """

    trade_jis: Array
    materials_iks: Array
    final_is: Array
    ree_is: Array


def build(flows: Flows, regions: Labels, sectors: Labels, exporter: str | None, *, title: str = "") -> nx.DiGraph[Any]:
    """Draw the graph of some flows.

    Returns
    -------
    networkx.DiGraph
        Nodes carry ``kind``, ``region`` and, where they have one, ``sector``; edges carry ``flow`` and ``kind``.
        Flows of zero are left out.
    """
    import networkx as nx

    graph: nx.DiGraph[Any] = nx.DiGraph(title=title, unit="million USD a year")
    codes, goods = regions.codes, sectors.codes
    if exporter is not None:
        graph.add_node((MINE, exporter), kind="mine", region=exporter)
    for region in codes:
        graph.add_node((FINAL, region), kind="final demand", region=region)
        for good in goods:
            graph.add_node((region, good), kind="producer", region=region, sector=good)
            graph.add_node((MARKET, region, good), kind="market", region=region, sector=good)
    graph.add_edges_from(
        ((codes[j], goods[s]), (MARKET, codes[i], goods[s]), {"flow": float(flows.trade_jis[j, i, s]), "kind": "trade"})
        for j, i, s in zip(*np.nonzero(flows.trade_jis), strict=True)
    )
    graph.add_edges_from(
        (
            (MARKET, codes[i], goods[s]),
            (codes[i], goods[k]),
            {"flow": float(flows.materials_iks[i, k, s]), "kind": "materials"},
        )
        for i, k, s in zip(*np.nonzero(flows.materials_iks), strict=True)
    )
    graph.add_edges_from(
        ((MARKET, codes[i], goods[s]), (FINAL, codes[i]), {"flow": float(flows.final_is[i, s]), "kind": "final"})
        for i, s in zip(*np.nonzero(flows.final_is), strict=True)
    )
    graph.add_edges_from(
        ((MINE, exporter), (codes[i], goods[s]), {"flow": float(flows.ree_is[i, s]), "kind": "rare earths"})
        for i, s in zip(*np.nonzero(flows.ree_is), strict=True)
    )
    return graph


def lower(graph: nx.DiGraph[Any], regions: Labels, sectors: Labels) -> Flows:
    """Read the flows back off a graph, once, as arrays for the core.

    Raises
    ------
    CalibrationError
        If an edge has no usable flow, or joins nodes that no producer, market, final demand or mine can join.
    """
    n, s = len(regions), len(sectors)
    at = {code: position for position, code in enumerate(regions.codes)}
    of = {code: position for position, code in enumerate(sectors.codes)}
    flows = Flows(np.zeros((n, n, s)), np.zeros((n, s, s)), np.zeros((n, s)), np.zeros((n, s)))
    for tail, head, data in graph.edges(data=True):
        amount = data.get("flow")
        if not isinstance(amount, int | float) or not np.isfinite(amount) or amount < 0.0:
            raise CalibrationError(f"edge {tail} to {head}: flow should be a number from 0 up, not {amount!r}")
        try:
            if tail[0] == MINE:
                flows.ree_is[at[head[0]], of[head[1]]] = amount
            elif tail[0] == MARKET and head[0] == FINAL and head[1] == tail[1]:
                flows.final_is[at[tail[1]], of[tail[2]]] = amount
            elif tail[0] == MARKET and head[0] == tail[1]:
                flows.materials_iks[at[tail[1]], of[head[1]], of[tail[2]]] = amount
            elif head[0] == MARKET and head[2] == tail[1]:
                flows.trade_jis[at[tail[0]], at[head[1]], of[tail[1]]] = amount
            else:
                raise CalibrationError(f"edge {tail} to {head}: no good can flow there")
        except (KeyError, IndexError):
            raise CalibrationError(f"edge {tail} to {head}: not a region or sector of this economy") from None
    return flows
