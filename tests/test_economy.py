"""Objects are names for places in shared arrays, and the graph is the arrays drawn."""

from __future__ import annotations

import dataclasses

import networkx as nx
import numpy as np
import pytest
from random_economies import random_calibration

from reesim import network
from reesim.economy import Economy, FirmVariety, Region, Sector
from reesim.errors import CalibrationError, LabelError
from reesim.network import FINAL, MARKET, MINE
from reesim.scenario import Scenario
from reesim.simulation import Simulation


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """In the middle of quotas, the embargo and taxes, prices and trade still moving."""
    return Simulation(Scenario.load("staged_quotas_2010_2015")).run_until("2011-03")


@pytest.fixture(scope="module")
def economy(simulation) -> Economy:
    return simulation.economy


class TestObjects:
    REGION = ("wage", "price_consumption", "income", "welfare", "real_gdp", "ree_price", "ree_use", "ree_wedge")
    SECTOR = ("unit_cost", "posted_price", "price_index", "revenue", "exports", "ree_share")

    @pytest.mark.parametrize("name", REGION)
    def test_regions_name_the_numbers_of_the_arrays(self, simulation, economy, name):
        column = simulation.path.array(name)[-1]
        assert [getattr(region, name) for region in economy] == column.tolist()
        # they have moved and differ, the exporter's at least, so that a wrong place would show
        assert len(set(column.tolist())) == (2 if name in ("ree_price", "ree_wedge") else 5)

    @pytest.mark.parametrize("name", SECTOR)
    def test_sectors_name_the_numbers_of_the_arrays(self, simulation, economy, name):
        table = simulation.path.array(name)[-1]
        for i, region in enumerate(economy.regions):
            assert [getattr(sector, name) for sector in economy.region(region).sectors.values()] == table[i].tolist()

    def test_varieties_name_the_numbers_of_the_arrays(self, simulation, economy):
        path = simulation.path
        for bundle in ("R", "L"):
            for i, s in ((0, 1), (2, 11), (4, 13)):
                firm = economy.sector(economy.regions.codes[i], economy.sectors.codes[s]).variety(bundle)
                assert firm.measure == path.array(f"A_{bundle}")[-1, i, s]
                assert firm.profit == path.array(f"profit_{bundle}")[-1, i, s]
                assert firm.price == path.array("ree_price" if bundle == "R" else "wage")[-1, i]
                assert firm.entry_cost == path.array("wage")[-1, i]
                assert firm.output == firm.profit / firm.price
        assert economy.sector("JPN", "TRA").variety("R").exists
        assert not economy.sector("JPN", "SER").variety("R").exists
        assert economy.sector("JPN", "SER").variety("L").exists

    def test_codes_and_names_are_the_same_place(self, economy):
        assert economy.sector("JPN", "Transport equipment") == economy.sector("japan", "TRA")
        assert economy.region("Japan").sectors["TRA"].region.code == "JPN"
        assert economy.sector("EU", "MET").name == "Basic and fabricated metal"
        assert economy.region("ROW").name == "Rest of the world"

    def test_no_number_lives_twice(self, economy):
        """Objects hold a place and nothing else; where the economy is put, they follow."""
        sector = economy.sector("JPN", "TRA")
        assert {field.name for field in dataclasses.fields(sector)} == {"economy", "position", "index"}
        assert not hasattr(sector, "__dict__")
        with pytest.raises(dataclasses.FrozenInstanceError):
            sector.index = 3
        twin = Economy(economy.calibration)
        handle = twin.sector("JPN", "TRA").variety("R")
        assert handle.measure == 1.0
        row = twin.baseline_row()
        row[2 * 14 + 11] = 1.25
        twin.place(row, economy._policy, 0.0)
        assert handle.measure == 1.25

    @pytest.mark.parametrize(("ask", "hint"), [
        (lambda e: e.region("JPM"), "JPN"), (lambda e: e.sector("JPN", "Transport equipmnt"), "Transport equipment"),
        (lambda e: e.sector("Japn", "TRA"), "Japan"),
    ])  # fmt: skip
    def test_a_misspelt_label_is_answered(self, economy, ask, hint):
        with pytest.raises(LabelError, match=f"did you mean '{hint}'"):
            ask(economy)

    def test_there_are_two_bundles(self, economy):
        with pytest.raises(LabelError, match=r"rare earths.*equipped labour"):
            economy.sector("JPN", "TRA").variety("X")

    def test_it_says_what_it_is(self, economy):
        assert "5 regions x 14 sectors" in repr(economy)
        assert "CHN" in repr(economy)

    def test_places_say_where_they_are_and_how_they_stand(self, economy):
        japan, sector = economy.region("JPN"), economy.sector("JPN", "TRA")
        firm = sector.variety("R")
        assert repr(japan) == (f"<Region JPN (Japan): wage {japan.wage:.5f}, welfare {100 * japan.welfare:.4f} %>")
        assert japan.welfare < 0.0
        assert repr(sector).startswith("<Sector JPN TRA (Transport equipment): ")
        assert f"unit cost {sector.unit_cost:.5f}, posted price {sector.posted_price:.5f}" in repr(sector)
        assert repr(firm).startswith(f"<FirmVariety JPN TRA, rare earths: measure {firm.measure:.5f}, ")
        assert f"profit {firm.profit:.5f}, entry cost {firm.entry_cost:.5f}>" in repr(firm)
        none = economy.sector("JPN", "SER").variety("R")
        assert repr(none) == "<FirmVariety JPN SER, rare earths: none, the sector does not use this bundle>"
        for place in (japan, sector, firm):
            assert "\n" not in repr(place)
            assert str(place) == repr(place)

    def test_a_prompt_never_breaks(self, economy):
        """Before anything is solved, where all numbers are lost, and past the last region."""
        twin = Economy(economy.calibration)
        assert repr(twin.region("JPN")) == "<Region JPN (Japan): wage 1.00000, welfare 0.0000 %>"
        for value in (0.0, np.nan):
            twin.place(np.full_like(economy._row, value), economy._policy, np.nan)
            assert "welfare nan" in repr(twin.region("JPN"))
            assert "JPN TRA" in repr(twin.sector("JPN", "TRA"))
            assert "JPN TRA, rare earths" in repr(twin.sector("JPN", "TRA").variety("R"))
        for place in (Region(twin, 5), Region(twin, -1), Sector(twin, 0, 14), FirmVariety(twin, 9, 0, "R")):
            assert "has nothing" in repr(place)

    @pytest.mark.parametrize("ask", [lambda e: e.region("nope"), lambda e: e.sector("JPN", "income")])
    def test_what_is_like_nothing_gets_no_suggestion(self, economy, ask):
        with pytest.raises(LabelError, match=r"^no (region|sector) '\w+'\. Known: \w+, ") as refused:
            ask(economy)
        assert "did you mean" not in str(refused.value)

    def test_one_slip_in_a_code_still_gets_one(self, economy):
        for labels in (economy.regions, economy.sectors):
            for code in labels.codes:
                if len(code) == 3:
                    assert labels.suggest(f"{code[:2]}#"), code

    def test_variables_are_answered_alike(self, simulation):
        with pytest.raises(LabelError, match=r"no variable 'nope'\. Known: wage, "):
            simulation.path.array("nope")
        with pytest.raises(LabelError, match=r"did you mean 'welfare'\? Known: wage, "):
            simulation.path.array("welfar")


class TestGraph:
    def test_size(self, economy):
        graph = economy.graph
        cal = economy.calibration
        n, s = 5, 14
        assert graph.number_of_nodes() == 2 * n * s + n + 1
        kinds = [data["kind"] for _, _, data in graph.edges(data=True)]
        flows = (
            (cal.trade_jis > 0.0).sum(),
            (cal.materials_iks > 0.0).sum(),
            (cal.final_is > 0.0).sum(),
            (cal.ree_share_is > 0.0).sum(),
        )
        assert [kinds.count(kind) for kind in ("trade", "materials", "final", "rare earths")] == list(flows)
        assert graph.number_of_edges() <= n * n * s + n * s * s + 2 * n * s

    def test_every_account_balances(self, economy):
        graph = economy.graph
        cal = economy.calibration
        into = {node: 0.0 for node in graph}
        out = dict(into)
        for tail, head, data in graph.edges(data=True):
            out[tail] += data["flow"]
            into[head] += data["flow"]
        for node, data in graph.nodes(data=True):
            if data["kind"] == "market":
                # certificates hold goods markets to 1e-10
                assert into[node] == pytest.approx(out[node], rel=1e-10)
            elif data["kind"] == "final demand":
                region = economy.region(data["region"])
                assert into[node] == pytest.approx(region.income, rel=1e-10)
            elif data["kind"] == "producer":
                sector = economy.sector(data["region"], data["sector"])
                assert out[node] == pytest.approx(sector.revenue, rel=1e-10)
                # what is bought, and value added less its rare earths, is the cost c Y / p of what is sold
                i, s = economy.regions.index(data["region"]), economy.sectors.index(data["sector"])
                bought = sum(d["flow"] for t, _, d in graph.in_edges(node, data=True) if t[0] == MARKET)
                cost = sector.unit_cost * sector.revenue / sector.posted_price
                added = cal.value_added_is[i, s] / cal.revenue_is[i, s] * cost
                assert bought + added == pytest.approx(cost, rel=1e-10)
                assert into[node] - bought <= added
        paid = (cal.mu - 1.0) / cal.mu * cal.ree_value_i.sum()
        assert out[(MINE, "CHN")] > 0.1 * paid

    def test_lowering_gives_back_every_bit(self, economy):
        graph = economy.graph
        flows = network.lower(graph, economy.regions, economy.sectors)
        again = network.lower(
            network.build(flows, economy.regions, economy.sectors, "CHN"), economy.regions, economy.sectors
        )
        for name in ("trade_jis", "materials_iks", "final_is", "ree_is"):
            np.testing.assert_array_equal(getattr(again, name), getattr(flows, name))

    @pytest.mark.parametrize("seed", [None, 0, 1])
    def test_through_the_graph_or_directly_the_parameters_are_the_same(self, deck, seed, monkeypatch):
        rng = np.random.default_rng(seed or 0)
        cal = deck.calibration if seed is None else random_calibration(rng, 4, 3)
        by_graph = Economy(cal).parameters.block
        monkeypatch.setattr("reesim.economy.GRAPH_LIMIT", 0)
        np.testing.assert_array_equal(Economy(cal).parameters.block, by_graph)

    def test_an_economy_can_be_assembled_from_a_graph(self, deck):
        graph = Economy(deck.calibration).graph
        again = Economy.from_graph(graph, deck.calibration)
        np.testing.assert_allclose(again.parameters.block, deck.parameters.block, rtol=1e-14, atol=1e-14)
        for _, _, data in graph.edges(data=True):
            data["flow"] *= 2.0
        doubled = Economy.from_graph(graph, deck.calibration)
        np.testing.assert_allclose(doubled.calibration.revenue_is, 2.0 * deck.calibration.revenue_is, rtol=1e-14)

    def test_the_order_of_edges_does_not_matter(self, deck):
        graph = Economy(deck.calibration).graph
        other = nx.DiGraph()
        edges = list(graph.edges(data=True))
        np.random.default_rng(0).shuffle(edges)
        other.add_edges_from(edges)
        for name in ("trade_jis", "materials_iks", "final_is"):
            a, b = (getattr(network.lower(g, deck.regions, deck.sectors), name) for g in (graph, other))
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(("tail", "head", "flow", "why"), [
        (("JPN", "TRA"), (MARKET, "USA", "MET"), 1.0, "no good can flow"),
        (("JPN", "TRA"), ("USA", "TRA"), 1.0, "no good can flow"),
        (("JPN", "TRA"), (MARKET, "USA", "TRA"), -1.0, "from 0 up"),
        (("JPN", "TRA"), (MARKET, "USA", "TRA"), np.nan, "from 0 up"),
        (("JPN", "TRA"), (MARKET, "USA", "TRA"), "1", "from 0 up"), (("XXX", "TRA"), (MARKET, "USA", "TRA"), 1.0, "not a region"),
        ((MARKET, "USA", "TRA"), (FINAL, "JPN"), 1.0, "no good can flow|not a region"),
    ])  # fmt: skip
    def test_what_cannot_flow_is_refused(self, deck, tail, head, flow, why):
        graph = Economy(deck.calibration).graph
        graph.add_edge(tail, head, flow=flow)
        with pytest.raises(CalibrationError, match=why):
            network.lower(graph, deck.regions, deck.sectors)

    def test_a_graph_that_does_not_balance_is_refused(self, deck):
        graph = Economy(deck.calibration).graph
        graph.edges[("JPN", "TRA"), (MARKET, "USA", "TRA")]["flow"] *= 2.0
        with pytest.raises(CalibrationError, match="differ"):
            Economy.from_graph(graph, deck.calibration)


def test_a_snapshot_does_not_move(simulation):
    economy = simulation.economy
    before = economy.graph
    flow = before.edges[("JPN", "TRA"), (MARKET, "USA", "TRA")]["flow"]
    branch = simulation.branch().step(3)
    assert before.edges[("JPN", "TRA"), (MARKET, "USA", "TRA")]["flow"] == flow
    assert branch.economy.graph.edges[("JPN", "TRA"), (MARKET, "USA", "TRA")]["flow"] != flow


def test_a_good_that_nobody_buys_is_refused(deck):
    cal = deck.calibration
    trade, materials, final = np.array(cal.trade_jis), np.array(cal.materials_iks), np.array(cal.final_is)
    trade[:, 2, 3], materials[2, :, 3], final[2, 3] = 0.0, 0.0, 0.0
    with pytest.raises(CalibrationError, match=r"(?i)aggregate"):
        Economy(cal.replace(trade_jis=trade, materials_iks=materials, final_is=final))
