"""Behaviours can be replaced: the defaults rewritten in Python give the compiled path, and bad rules are refused."""

from __future__ import annotations

import copy
import math
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

import reesim
from reesim._core.layout import no_policy
from reesim.errors import ConvergenceError, InputError
from reesim.rules import (
    PARTS,
    CostPricing,
    EntryRule,
    GradualSwitching,
    Period,
    PricingRule,
    ProfitEntry,
    State,
    SwitchingRule,
    TemporaryEquilibrium,
    checked_rule,
    moved,
    share_of_gap,
)
from reesim.simulation import Simulation
from reesim.variables import VARIABLES


class Entry:
    """(22), written out."""

    name = "entry, by hand"

    def next(self, state, equilibrium, period):
        share = 1.0 - 2.0 ** (-period.years / 2.0)
        return (
            np.exp(np.log(state.A_R) + share * np.log(equilibrium.profit_gap_R)),
            np.exp(np.log(state.A_L) + share * np.log(equilibrium.profit_gap_L)),
        )


class Pricing:
    """(21), written out."""

    name = "prices, by hand"

    def next(self, state, equilibrium, period):
        share = 1.0 - 2.0 ** (-period.years / 0.5)
        return np.exp((1.0 - share) * np.log(state.posted_price) + share * np.log(equilibrium.unit_cost))


class Switching:
    """(21), written out."""

    name = "switching, by hand"

    def next(self, state, equilibrium, period):
        share = 1.0 - 2.0 ** (-period.years / 2.0)
        return (1.0 - share) * state.trade_share + share * equilibrium.optimal_trade_share


ALL = {"entry": Entry, "pricing": Pricing, "switching": Switching}


@pytest.fixture(scope="module")
def scenario():
    return reesim.Scenario.load("staged_quotas_2010_2015").replace({"calendar.end": "2011-12"})


@pytest.fixture(scope="module")
def compiled(scenario):
    return Simulation(scenario).run()


@pytest.mark.parametrize(
    "places", [("entry",), ("pricing",), ("switching",), ("entry", "pricing", "switching")], ids="+".join
)
def test_the_defaults_in_python_are_the_compiled_path(scenario, compiled, places):
    path = Simulation(scenario, **{place: ALL[place]() for place in places}).run()
    for name in compiled.variables:
        if name == "residual":
            continue
        here, there = path.array(name), compiled.array(name)
        # welfare is a change of order 1e-4 of income; what is counted in dollars is compared to the largest of its kind
        scale = (
            1.0
            if VARIABLES[name].unit.startswith(("baseline", "change", "share", "added"))
            else np.nanmax(np.abs(there))
        )
        if VARIABLES[name].unit == VARIABLES["income"].unit:  # some of that money may be nothing at all
            scale = np.abs(compiled.array("income")).max()
        if name == "ree_wedge_embargo":
            scale = np.abs(there).max()
        # two runs stop at 2e-12 in the unknowns, mostly within a tenth of that of each other; the law asks for 1e-12
        np.testing.assert_allclose(here / scale, there / scale, rtol=1e-12, atol=1e-12, err_msg=name)


def test_rules_in_python_take_the_same_substeps(scenario):
    short = scenario.replace({"calendar.substeps": 3, "calendar.end": "2010-12"})
    compiled, own = Simulation(short).run(), Simulation(short, pricing=Pricing()).run()
    for name in ("A_R", "posted_price", "trade_share", "wage"):
        np.testing.assert_allclose(own.array(name), compiled.array(name), rtol=1e-12, atol=1e-12, err_msg=name)


def test_files_say_which_rules_ran(scenario, compiled, tmp_path):
    own = Simulation(scenario.replace({"calendar.end": "2010-02"}), entry=Entry(), switching=Switching()).run()
    assert own.provenance.rules == {
        "entry": "entry, by hand", "pricing": "prices follow unit costs (half-life 0.5 years)", "switching": "switching, by hand",
    }  # fmt: skip
    assert reesim.Path.load(own.save(tmp_path / "own.h5")).provenance.rules == own.provenance.rules
    assert compiled.provenance.rules["entry"] == "entry follows profit (half-life 2 years)"
    assert "own rules for entry, switching" in repr(Simulation(scenario, entry=Entry(), switching=Switching()))


class Hopeful:
    """Entry that follows expected profits; expectations adapt and are this rule's own state."""

    name = "hopeful entry"

    def __init__(self) -> None:
        self.state = {"expected": np.ones((5, 14))}

    def next(self, state, equilibrium, period):
        share = 0.05
        self.state = {"expected": self.state["expected"] ** 0.9 * equilibrium.profit_gap_R**0.1}
        return state.A_R * self.state["expected"] ** share, state.A_L * equilibrium.profit_gap_L**share


class TestStateOfARule:
    def test_is_saved_with_the_path(self, scenario, tmp_path):
        path = Simulation(scenario, entry=Hopeful()).run()
        expected = path.rule_state["entry.expected"]
        assert expected.shape == (len(path), 5, 14)
        assert (expected[0] == 1.0).all()
        assert np.abs(expected[-1] - 1.0).max() > 1e-6
        again = reesim.Path.load(path.save(tmp_path / "hope.h5"))
        np.testing.assert_array_equal(again.rule_state["entry.expected"], expected)

    def test_a_state_is_dated_as_the_measures_it_moves(self, scenario):
        """Rows hold states at the opening: next row's measures follow from this row's measures and next row's expectations."""
        path = Simulation(scenario, entry=Hopeful()).run()
        A, expected = path.array("A_R"), path.rule_state["entry.expected"]
        np.testing.assert_allclose(A[1:], A[:-1] * expected[1:] ** 0.05, rtol=1e-14)

    def test_thinned_rows_keep_their_states(self, scenario):
        path = Simulation(scenario.replace({"output.every": 5}), entry=Hopeful()).run()
        assert len(path.rule_state["entry.expected"]) == len(path)

    def test_a_branch_has_its_own(self, scenario):
        trunk = Simulation(scenario, entry=Hopeful()).step(12)
        branch = trunk.branch()
        branch.step(6)
        ahead = trunk.run()
        after = branch.run()
        np.testing.assert_array_equal(after.rule_state["entry.expected"], ahead.rule_state["entry.expected"])
        for name in ahead.variables:
            np.testing.assert_array_equal(after.array(name), ahead.array(name), err_msg=name)


class Bad:
    name = "a bad rule"

    def __init__(self, change):
        self.change = change

    def next(self, state, equilibrium, period):
        return self.change(state)


class TestRefused:
    @pytest.mark.parametrize(("place", "change", "why"), [
        ("pricing", lambda state: np.ones(3), "shape"),
        ("pricing", lambda state: np.full((5, 14), np.nan), "finite"),
        ("pricing", lambda state: np.zeros((5, 14)), "positive"),
        ("entry", lambda state: (state.A_R, np.full((5, 14), np.inf)), "A_L.*finite"),
        ("entry", lambda state: (-state.A_R, state.A_L), "A_R.*positive"),
        ("switching", lambda state: 1.01 * state.trade_share, "add to one"),
        ("switching", lambda state: -state.trade_share, "positive"),
    ])  # fmt: skip
    def test_what_no_state_can_be(self, scenario, place, change, why):
        with pytest.raises(InputError, match=f"a bad rule.*{why}"):
            Simulation(scenario, **{place: Bad(change)})

    def test_it_says_when(self, scenario):
        with pytest.raises(InputError, match="posted_price after the period from 2009-12-01"):
            Simulation(scenario, pricing=Bad(lambda state: np.ones(3)))

    def test_a_rule_cannot_write_over_what_it_sees(self, scenario):
        def meddle(state):
            state.posted_price[...] = 2.0
            return state.posted_price

        with pytest.raises(InputError, match=r"a bad rule.*2009-12-01: ValueError: .*read-only"):
            Simulation(scenario, pricing=Bad(meddle))

    def test_a_simulation_asks_before_it_runs(self, scenario):
        with pytest.raises(InputError, match="entry: Entry is a class"):
            Simulation(scenario, entry=Entry)
        with pytest.raises(InputError, match="pricing: ProfitEntry is a rule for entry"):
            Simulation(scenario, pricing=ProfitEntry(1.0))
        with pytest.raises(InputError, match=r"two arrays; it returned None"):
            Simulation(scenario, entry=Bad(lambda state: None))

    def test_a_failure_leaves_the_simulation_where_it_was(self, scenario):
        """Three rows on, the rule goes wrong: nothing of the failed call may stay behind, in states or in the record."""

        class Later(Pricing):
            name = "goes wrong"
            left = 6

            def next(self, state, equilibrium, period):
                self.left -= 1
                return np.full((5, 14), np.nan) if self.left < 0 else super().next(state, equilibrium, period)

        simulation = Simulation(scenario, pricing=Later(), entry=Hopeful()).step(2)
        time, state = simulation.time, simulation._stepper.state.copy()
        with pytest.raises(InputError, match="goes wrong"):
            simulation.step(6)
        assert simulation.time == time
        assert len(simulation.path) == 3
        assert len(simulation.path.rule_state["entry.expected"]) == 3
        np.testing.assert_array_equal(simulation._stepper.state, state)

    def test_a_step_that_is_not_solved_leaves_it_where_it_was_too(self, scenario):
        class Cliff(Entry):
            name = "cliff"
            left = 5

            def next(self, state, equilibrium, period):
                self.left -= 1
                A_R, A_L = super().next(state, equilibrium, period)
                return (
                    (A_R, 1e9 * A_L) if self.left < 0 else (A_R, A_L)
                )  # research would need more labour than there is

        simulation = Simulation(scenario, entry=Cliff()).step(2)
        state = simulation._stepper.state.copy()
        with np.errstate(all="ignore"), pytest.raises(ConvergenceError, match="no temporary equilibrium"):
            simulation.step(6)
        assert len(simulation.path) == 3
        np.testing.assert_array_equal(simulation._stepper.state, state)


class TestShares:
    def test_of_a_gap(self):
        assert share_of_gap(2.0, 2.0) == 0.5
        assert share_of_gap(0.0, 0.1) == 1.0
        assert share_of_gap(math.inf, 0.1) == 0.0
        # two half steps close what a whole one does
        half, whole = share_of_gap(1.3, 0.25), share_of_gap(1.3, 0.5)
        assert 1.0 - (1.0 - half) ** 2 == pytest.approx(whole, rel=1e-15)

    def test_defaults_are_rules(self):
        assert isinstance(ProfitEntry(2.0), EntryRule)
        assert isinstance(CostPricing(0.5), PricingRule)
        assert isinstance(GradualSwitching(2.0), SwitchingRule)
        assert not isinstance(object(), EntryRule)


def test_what_a_rule_sees(scenario):
    """Profit gaps are profits over entry costs, as variables of the path; periods follow the calendar."""
    seen = []

    class Watching(Pricing):
        def next(self, state, equilibrium, period):
            seen.append(
                (period, equilibrium.profit_gap_R.copy(), equilibrium.entry_cost.copy(), equilibrium.wage.copy())
            )
            with pytest.raises(AttributeError, match=r"no 'nonsense'.*it has"):
                _ = equilibrium.nonsense
            return super().next(state, equilibrium, period)

    simulation = Simulation(scenario.replace({"calendar.end": "2010-09"}), pricing=Watching())
    path = simulation.run()
    assert len(seen) == len(path)
    for row, (period, gap, cost, wage) in enumerate(seen):
        assert (str(period.start), period.index, period.substep) == (f"{path.times[row]:%Y-%m-%d}", row, 0)
        assert period.years == 1 / 12
        np.testing.assert_array_equal(cost, wage)
        np.testing.assert_allclose(gap, path.array("profit_R")[row] / cost[:, None] ** (gap != 1.0), rtol=1e-12)


DEFAULTS = {"entry": ProfitEntry, "pricing": CostPricing, "switching": GradualSwitching}


class TestHalfLives:
    @pytest.mark.parametrize("rule", DEFAULTS.values())
    @pytest.mark.parametrize(
        "years", ["2", True, np.True_, -1, -1e-300, math.nan, -math.inf, None, 2j, [2.0]], ids=repr
    )
    def test_only_years_from_nought_to_never(self, rule, years):
        with pytest.raises(InputError, match=rf"{rule.__name__}: half_life .* cannot be used: give a number of years"):
            rule(years)

    @pytest.mark.parametrize("rule", DEFAULTS.values())
    @pytest.mark.parametrize(
        "years", [0, 0.0, 2, 0.25, np.float64(2), np.int64(3), np.float32(0.5), math.inf], ids=repr
    )
    def test_any_kind_of_number_will_do(self, rule, years):
        made = rule(years)
        assert type(made.half_life) is float
        assert made == rule(float(years))


class TestGivenForARule:
    @pytest.mark.parametrize("place", DEFAULTS)
    def test_defaults_and_rules_of_ones_own_pass(self, place):
        for rule in (DEFAULTS[place](2.0), ALL[place](), SimpleNamespace(name="loose", next=lambda *_: None)):
            checked_rule(place, rule)

    @pytest.mark.parametrize(("place", "rule", "why"), [
        ("entry", Entry, r"entry: Entry is a class .* make one of it: Entry\(\)"),
        ("entry", ProfitEntry, r"make one of it: ProfitEntry\(half_life\)"),
        ("pricing", 0.5, r"pricing: 0.5 is not a rule, .* no method next.* give reesim.CostPricing\(half_life\)"),
        ("switching", np.ones((9, 9)), r"no method next"),
        ("entry", SimpleNamespace(name="n", next=3), "no method next"),
        ("entry", CostPricing(0.5), r"CostPricing is a rule for pricing; give it as pricing=, or ProfitEntry"),
        ("switching", ProfitEntry(0.5), r"ProfitEntry is a rule for entry"),
        ("entry", SimpleNamespace(next=print), "SimpleNamespace has no name; give its class a line name ="),
        ("entry", SimpleNamespace(next=print, name=7), "has the name 7"),
        ("entry", SimpleNamespace(next=print, name=" "), "has the name ' '"),
    ])  # fmt: skip
    def test_what_is_no_rule_is_refused_with_what_to_do(self, place, rule, why):
        with pytest.raises(InputError, match=why) as refused:
            checked_rule(place, rule)
        assert len(str(refused.value)) < 250


@pytest.fixture(scope="module")
def seen(scenario):
    """State, equilibrium and period as a rule is given them, at the baseline."""
    economy = reesim.Simulation(scenario).economy
    parameters, row = economy.parameters, economy._row
    market = TemporaryEquilibrium(parameters, row, no_policy(parameters))
    state = State(*(getattr(market, name) for name in ("A_R", "A_L", "posted_price", "trade_share")))
    return state, market, Period(date(2010, 7, 1), date(2010, 8, 1), 1 / 12, 6, 0)


class TestMoved:
    @pytest.mark.parametrize("place", DEFAULTS)
    def test_arrays_come_as_a_tuple_in_order(self, place, seen):
        rule = DEFAULTS[place](1.0)
        plain = rule.next(*seen)
        arrays = moved(place, rule, *seen)
        assert len(arrays) == len(PARTS[place])
        for array, name, due in zip(arrays, PARTS[place], plain if place == "entry" else (plain,), strict=True):
            np.testing.assert_array_equal(array, due)
            assert array.shape == getattr(seen[0], name).shape

    def test_lists_and_whole_numbers_become_arrays(self, seen):
        arrays = moved("entry", Bad(lambda state: [[[1, 2]], np.ones((5, 14), dtype=int)]), *seen)
        assert [array.dtype for array in arrays] == [np.float64, np.float64]
        assert arrays[0].tolist() == [[1.0, 2.0]]

    @pytest.mark.parametrize("place", DEFAULTS)
    def test_a_failure_has_an_address_and_a_cause(self, place, seen):
        def fails(state):
            raise KeyError("x")

        with pytest.raises(InputError) as failed:
            moved(place, Bad(fails), *seen)
        assert str(failed.value) == (
            f"rule 'a bad rule' ({place}) failed after the period from 2010-07-01: KeyError: 'x'"
        )
        assert isinstance(failed.value.__cause__, KeyError)

    def test_a_next_of_the_wrong_arity_is_a_failure_of_the_rule(self, seen):
        with pytest.raises(InputError, match=r"'short' \(pricing\) failed .* TypeError: .*argument"):
            moved("pricing", SimpleNamespace(name="short", next=lambda state: state.posted_price), *seen)

    def test_an_interrupt_is_not_a_failure_of_the_rule(self, seen):
        def stop(state):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            moved("entry", Bad(stop), *seen)

    @pytest.mark.parametrize(("place", "change", "why"), [
        ("entry", lambda state: None, r"A_R and A_L as two arrays; it returned None \(is a return missing\?\)"),
        ("entry", lambda state: state.A_R, r"two arrays; it returned one array of shape \(5, 14\)"),
        ("entry", lambda state: np.ones((2, 5, 14)), r"two arrays; it returned one array of shape \(2, 5, 14\)"),
        ("entry", lambda state: (state.A_R,) * 3, "two arrays; it returned a tuple of 3"),
        ("entry", lambda state: {"A_R": 1, "A_L": 2}, "two arrays; it returned a dict"),
        ("entry", lambda state: (state.A_R, None), "two arrays, of real numbers; it returned None"),
        ("pricing", lambda state: None, "posted_price as one array, of real numbers; it returned None"),
        ("pricing", lambda state: "high", "of real numbers; it returned a str"),
        ("pricing", lambda state: state.posted_price * 1j, "of real numbers; it returned one array .*complex"),
        ("pricing", lambda state: [[1.0], [1.0, 2.0]], "posted_price as one array; it returned a list of 2"),
        ("switching", lambda state: state, "trade_share as one array, of real numbers; it returned a State"),
    ])  # fmt: skip
    def test_what_next_should_return_is_said(self, place, change, why, seen):
        with pytest.raises(InputError, match=rf"'a bad rule' \({place}\), after the period from 2010-07-01: .*{why}"):
            moved(place, Bad(change), *seen)


class TestAtThePrompt:
    def test_an_equilibrium_names_all_that_it_holds(self, seen):
        market = seen[1]
        text = repr(market)
        assert text.startswith("<TemporaryEquilibrium of 5 regions x 14 sectors: ")
        assert "\n" not in text
        for name in text.removesuffix(">").partition(": ")[2].split(", "):
            assert name in dir(market)
            assert getattr(market, name) is not None
        assert {"wage", "profit_gap_R", "policy", "entry_cost"} <= set(dir(market))

    def test_an_equilibrium_can_be_kept_by_a_rule_that_is_copied(self, seen):
        twin = copy.deepcopy(seen[1])
        np.testing.assert_array_equal(twin.profit_gap_R, seen[1].profit_gap_R)
