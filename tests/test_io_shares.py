"""Rare-earth shares from requirements of an input-output table: laws of the calibration, files, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reesim import cli
from reesim.calibration import calibrate
from reesim.data import tables
from reesim.data.tables import Grouping, WorldTable
from reesim.equilibrium import baseline, solve
from reesim.errors import CalibrationError
from reesim.labels import Labels
from reesim.results.provenance import input_digests
from reesim.scenario import DEFAULT_SECTORS, Scenario, check
from reesim.shares import bundle_share, bundle_weight, requirement_pattern

HEAD = "schema: reesim.scenario/1\nname: x\ncalendar: {start: 2010-01, end: 2010-12, step: year}\n"
TAX = "policies: [{type: export_tax, rate: 2, start: 2010}]\n"
KINDS = ("total", "direct")

ROUNDING = 1e-12
"""Sums of a few dozen products, and roots of them."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def cal(kind, economy_of):
    return economy_of({"calibration.ree_shares": "io_table", "calibration.ree_requirements": kind}).calibration


@pytest.fixture(scope="module")
def needed(kind):
    return tables.load_ree_requirements().set_index("sector").loc[list(DEFAULT_SECTORS), kind].to_numpy(float)


def scenario_file(folder, calibration, rest=TAX):
    file = folder / "mine.yaml"
    file.write_text(f"{HEAD}calibration: {{ree_shares: io_table, {calibration}}}\n{rest}", encoding="utf-8")
    return file


def requirements_file(folder, values, column="total", name="need.csv"):
    lines = [f"sector,{column}", *(f"{code},{value!r}" for code, value in values.items())]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def by_sector(**values):
    return {code: values.get(code, 0.0) for code in DEFAULT_SECTORS}


class TestWeights:
    @settings(max_examples=200, deadline=None)
    @given(gamma=st.floats(1e-8, 0.9), epsilon=st.floats(0.3, 3.0))
    def test_the_inverse_of_the_share(self, gamma, epsilon):
        share = bundle_share(np.array([gamma]), np.array([epsilon]))
        # At the upper ends one less the share is 1e-3, so that rounding of the share counts a thousandfold.
        assert bundle_weight(share, np.array([epsilon]))[0] == pytest.approx(gamma, rel=1e-11)

    @settings(max_examples=200, deadline=None)
    @given(share=st.floats(1e-8, 0.9), epsilon=st.floats(0.3, 3.0))
    def test_and_the_share_its_own(self, share, epsilon):
        weight = bundle_weight(np.array([share]), np.array([epsilon]))
        # As above: odds of 9 to the power 3.3 leave 1e-3 of one.
        assert bundle_share(weight, np.array([epsilon]))[0] == pytest.approx(share, rel=1e-11)

    def test_by_hand_and_nothing_for_nothing(self):
        # a share of one fifth has odds of one quarter, whose root is one half: one third
        assert bundle_weight(np.array([0.2, 0.0]), np.array([2.0, 0.7])).tolist() == pytest.approx([1 / 3, 0.0])


class TestTheShippedTable:
    def test_is_one_of_the_embedded_sectors(self):
        frame = tables.load_ree_requirements()
        assert tuple(frame["sector"]) == tables.embedded().sectors.codes
        assert set(frame["status"]) <= set("VDMA")
        assert (frame["flag"] == tables.UNVERIFIED).tolist() == (frame["status"] == "M").tolist()
        # What a sector buys itself is part of all that stands behind its product.
        assert (frame["direct"] >= 0.0).all()
        assert (frame["direct"] <= frame["total"]).all()

    def test_leaves_agriculture_and_services_without(self):
        frame = tables.load_ree_requirements().set_index("sector")
        assert (frame.loc[["AGR", "SER"], list(KINDS)] == 0.0).all(axis=None)
        assert (frame[list(KINDS)].sum() > 0.0).all()


class TestShares:
    def test_totals_by_region_are_those_of_the_accounts(self, cal, accounts):
        np.testing.assert_allclose(cal.ree_value_i, accounts.calibration.ree_value_i, rtol=ROUNDING)
        tonnes = accounts.calibration.baseline_supply_tonnes
        assert cal.baseline_supply_tonnes == pytest.approx(tonnes, rel=ROUNDING)

    def test_sectors_use_them_as_they_need_them(self, cal, needed):
        used = cal.ree_share_is * cal.value_added_is
        wanted = needed * cal.revenue_is
        shares = [amount / amount.sum(axis=1, keepdims=True) for amount in (used, wanted)]
        np.testing.assert_allclose(*shares, rtol=ROUNDING)

    def test_in_proportion_to_output_over_value_added(self, cal, needed):
        uses = needed > 0.0
        factor = cal.ree_share_is[:, uses] / (needed * cal.revenue_is / cal.value_added_is)[:, uses]
        np.testing.assert_allclose(factor, np.tile(factor[:, :1], uses.sum()), rtol=ROUNDING)

    def test_no_requirement_no_share(self, cal, needed):
        assert not cal.ree_share_is[:, needed == 0.0].any()
        assert (cal.ree_share_is[:, needed > 0.0] > 0.0).all()
        np.testing.assert_array_equal(cal.gamma_s > 0.0, needed > 0.0)

    def test_the_weights_give_back_the_world_shares(self, cal):
        """(23) at a relative price of one."""
        world = (cal.ree_share_is * cal.value_added_is).sum(axis=0) / cal.value_added_is.sum(axis=0)
        np.testing.assert_allclose(bundle_share(cal.gamma_s, cal.epsilon_s), world, rtol=ROUNDING)

    def test_elasticities_stay(self, cal, deck):
        np.testing.assert_array_equal(cal.epsilon_s, deck.calibration.epsilon_s)

    def test_accounts_keep_their_weights(self, accounts, deck):
        np.testing.assert_array_equal(accounts.calibration.gamma_s, deck.calibration.gamma_s)

    def test_total_and_direct_differ(self, economy_of):
        both = [
            economy_of({"calibration.ree_shares": "io_table", "calibration.ree_requirements": kind}) for kind in KINDS
        ]
        assert len({economy.calibration.hash() for economy in both}) == 2
        # left out, they are the total ones
        assert economy_of({"calibration.ree_shares": "io_table"}).calibration.hash() == both[0].calibration.hash()

    def test_by_hand(self):
        made, added = np.array([[10.0, 0.0], [4.0, 2.0]]), np.array([[5.0, 0.0], [2.0, 0.5]])
        # scaled to the largest requirement: a half and one; what is not made has no share
        pattern = requirement_pattern(np.array([2.0, 4.0]), made, added)
        np.testing.assert_array_equal(pattern, [[1.0, 0.0], [1.0, 4.0]])


class TestEquilibrium:
    @pytest.mark.parametrize("technology", ["endogenous", "fixed"])
    def test_the_tax_of_the_slides_is_certified(self, kind, technology):
        changes = {"calibration.ree_shares": "io_table", "calibration.ree_requirements": kind}
        found = solve(Scenario.load("deck_tax").replace(changes), technology=technology)
        assert found.certificate.residual < 1e-10  # what the engine refuses above
        welfare = found.array("welfare")
        # A country that sells gains from its tax, and those who buy lose.
        assert welfare[0] > 0.0 > welfare[1:].max()

    def test_technology_goes_with_the_elasticity(self, kind, needed):
        """(8): A_R/A_L rises abroad where epsilon is below one; where nobody uses rare earths nothing happens."""
        changes = {"calibration.ree_shares": "io_table", "calibration.ree_requirements": kind}
        scenario = Scenario.load("deck_tax").replace(changes)
        found, uses = solve(scenario), needed > 0.0
        bias = np.log(found.array("A_R") / found.array("A_L"))[:, uses]
        towards = np.sign(1.0 - np.array(scenario.elasticities().epsilon_s)[uses])
        assert (np.sign(bias[1:]) == towards).all()
        assert (np.sign(bias[0]) == -towards).all()

    def test_a_run_says_where_its_shares_are_from(self, kind, tmp_path):
        shares = ["--set", "calibration.ree_shares=io_table", "--set", f"calibration.ree_requirements={kind}"]
        short = ["--set", "calendar.start=2010-05", "--set", "calendar.end=2010-08"]
        command = ["run", "deck_tax_permanent", *shares, *short, "--out", str(tmp_path), "--no-figures", "--json"]
        result = CliRunner().invoke(cli.app, command, prog_name="reesim")
        assert result.exit_code == 0, result.stderr
        told = json.loads(result.stdout)
        assert told["certificate"]["residual"] < 1e-10
        assert told["choices"]["rare-earth shares"].startswith(f"io_table: {kind} requirements of the extended")


class TestWords:
    def test_choices_say_which_requirements_and_how_sure(self, cal, kind):
        frame = tables.load_ree_requirements()
        used = frame[frame[kind] > 0.0]
        words = cal.choices["rare-earth shares"]
        assert words.startswith(f"io_table: {kind} requirements of the extended input-output table")
        assert "regional split unverified" in words
        assert "implied by (23)" in words
        assert ("; requirements" in words) is bool((used["status"] == "M").any())

    @pytest.mark.parametrize(
        ("statuses", "said"),
        [
            ("MVM", "; requirements of TRA unverified]"),
            ("MMA", "; requirements unverified]"),
            ("VDM", "regional split unverified]"),
        ],
    )
    def test_what_is_from_memory_is_named(self, tmp_path, statuses, said):
        rows = dict.fromkeys(DEFAULT_SECTORS, ("0", "A"))
        values = dict(zip(("TRA", "MET", "AGR"), zip("340", statuses, strict=True), strict=True))
        text = "\n".join(f"{code},{value},{status}" for code, (value, status) in (rows | values).items())
        (tmp_path / "need.csv").write_text(f"sector,direct,status\n{text}\n", encoding="utf-8")
        words = calibrate(Scenario.load(scenario_file(tmp_path, "ree_requirements: need.csv"))).choices
        assert words["rare-earth shares"].startswith("io_table: direct requirements of need.csv, ")
        assert words["rare-earth shares"].endswith(said)

    def test_a_scenario_shows_them(self):
        scenario = Scenario.load("deck_tax", set=["calibration.ree_shares=io_table"])
        assert "shares io_table (total requirements)" in repr(scenario)


class TestFiles:
    def test_scale_does_not_count(self, tmp_path):
        frame = tables.load_ree_requirements().set_index("sector")["total"]
        name = requirements_file(tmp_path, {code: 10.0 * float(frame[code]) for code in DEFAULT_SECTORS})
        mine = calibrate(Scenario.load(scenario_file(tmp_path, f"ree_requirements: {name}")))
        shipped = calibrate(Scenario.load(scenario_file(tmp_path, "ree_requirements: total")))
        np.testing.assert_allclose(mine.ree_share_is, shipped.ree_share_is, rtol=ROUNDING)
        np.testing.assert_allclose(mine.gamma_s, shipped.gamma_s, rtol=ROUNDING)

    def test_one_user_uses_all(self, tmp_path):
        name = requirements_file(tmp_path, by_sector(TRA=1e-300))
        cal = calibrate(Scenario.load(scenario_file(tmp_path, f"ree_requirements: {name}")))
        at = cal.sectors.index("TRA")
        # Of a bundle's revenue (mu - 1) / mu pays for rare earths.
        bill = cal.mu / (cal.mu - 1.0) * cal.ree_value_i
        np.testing.assert_allclose(cal.ree_share_is[:, at], bill / cal.value_added_is[:, at], rtol=ROUNDING)
        assert np.flatnonzero(cal.gamma_s).tolist() == [at]

    def test_found_beside_the_scenario_whatever_the_order_of_rows(self, tmp_path, monkeypatch):
        values = by_sector(TRA=3.0, MET=4.0)
        requirements_file(tmp_path, dict(reversed(values.items())), "direct")
        file = scenario_file(tmp_path, "ree_requirements: need.csv")
        monkeypatch.chdir(tmp_path)
        scenario = Scenario.load("./mine.yaml")
        monkeypatch.chdir("/")
        assert scenario == Scenario.load(file)
        assert scenario.ree_requirements_path == tmp_path / "need.csv"
        assert scenario.world.requirements.by_sector == values
        assert scenario.world.requirements.users == ("MET", "TRA")
        assert scenario.elasticities().gamma_s is None
        assert Scenario.from_yaml(scenario.effective_yaml(), folder=tmp_path) == scenario
        (digest,) = input_digests(scenario).items()
        assert digest[0] == "calibration.ree_requirements"
        assert digest[1].startswith("need.csv, sha256 ")

    def test_total_comes_before_direct(self, tmp_path):
        (tmp_path / "need.csv").write_text(
            "sector,direct,total,note\n" + "".join(f"{code},1,{k},\n" for k, code in enumerate(DEFAULT_SECTORS)),
            encoding="utf-8",
        )
        needed = Scenario.load(scenario_file(tmp_path, "ree_requirements: need.csv")).world.requirements
        assert needed.kind == "total"
        assert tuple(needed.by_sector.values()) == tuple(range(14))

    def test_the_switch_can_be_turned_back(self, tmp_path):
        name = requirements_file(tmp_path, by_sector(TRA=1.0))
        scenario = Scenario.load(scenario_file(tmp_path, f"ree_requirements: {name}"))
        back = scenario.replace({"calibration.ree_shares": "accounts", "calibration.ree_requirements": None})
        assert back.world.requirements is back.ree_requirements_path is None
        accounts = Scenario.load("baseline").replace({"calibration.ree_shares": "accounts"})
        assert calibrate(back).hash() == calibrate(accounts).hash()
        assert not input_digests(back)

    def test_nobody_uses_rare_earths_where_there_are_none(self, tmp_path):
        scenario = Scenario.load(scenario_file(tmp_path, "exporter: none", ""))
        assert scenario.world.requirements is None
        assert scenario.elasticities().gamma_s == (0.0,) * 14
        cal = calibrate(scenario)
        assert not cal.ree_share_is.any()
        assert cal.choices["rare-earth shares"].startswith("none")


REGIONS = Labels("region", ("CHN", "JPN"), ("China", "Japan"))


def small_table(folder, made_abroad=200.0, scale=1.0):
    """Two regions that sell to households only, goods (which China makes, and Japan as told) and services."""
    final = np.zeros((2, 2, 2))
    final[0, 0], final[0, 1], final[1, 1] = (500.0, 300.0), (400.0, 0.0), (200.0, 900.0)
    final[1, 0, 1] = made_abroad
    sectors = Labels("sector", ("GOO", "OTH"), ("Goods", "Others"))
    told = {"source": "made up", "licence": "none", "command": "none"}
    tables.save(WorldTable(2009, REGIONS, sectors, np.zeros((2, 2, 2, 2)), scale * final, **told), folder / "small")


class TestOtherTables:
    def test_other_sectors_take_a_file(self, tmp_path):
        groups = tuple(int(code not in ("AGR", "SER")) for code in DEFAULT_SECTORS)
        labels = Labels("sector", ("REST", "MANU"), ("Rest", "Manufacturing"))
        grouping = Grouping(DEFAULT_SECTORS.codes, groups, labels)
        tables.save(tables.embedded().aggregate(None, grouping), tmp_path / "two")
        requirements_file(tmp_path, {"MANU": 0.5, "REST": 0.0})
        scenario = Scenario.load(scenario_file(tmp_path, "table: two, ree_requirements: need.csv"))
        assert scenario.world.exporter == "CHN"
        economy = baseline(scenario)
        cal = economy.calibration
        np.testing.assert_allclose(cal.ree_value_i.sum(), 1180.0, rtol=ROUNDING)
        assert cal.epsilon_s.tolist() == [1.0, 1.0]
        assert solve(scenario, economy=economy).certificate.residual < 1e-10

    def test_some_of_the_embedded_sectors_take_the_shipped_table(self, tmp_path):
        (tmp_path / "some").mkdir()
        (tmp_path / "some" / "regions.csv").write_text("code,name\nCHN,China\nUSA,America\n", encoding="utf-8")
        (tmp_path / "some" / "sectors.csv").write_text("code,name\nTRA,Transport\nSER,Rest\n", encoding="utf-8")
        world = Scenario.load(scenario_file(tmp_path, "table: some")).world
        shipped = tables.load_ree_requirements().set_index("sector")["total"]
        assert world.requirements.by_sector == {"TRA": shipped["TRA"], "SER": 0.0}

    def test_a_region_whose_users_make_nothing(self, tmp_path):
        small_table(tmp_path, made_abroad=0.0)
        requirements_file(tmp_path, {"GOO": 1.0, "OTH": 0.0})
        scenario = Scenario.load(scenario_file(tmp_path, "table: small, ree_requirements: need.csv"))
        with pytest.raises(CalibrationError, match="rare earths used in JPN, where no sector that uses any produces"):
            calibrate(scenario)
        # A second user helps, and the sector that makes nothing there has no share.
        requirements_file(tmp_path, {"GOO": 1.0, "OTH": 1e-3})
        small_table(tmp_path, made_abroad=0.0, scale=1e3)
        again = calibrate(Scenario.load(scenario_file(tmp_path, "table: small, ree_requirements: need.csv")))
        assert again.ree_share_is[1, 0] == 0.0
        assert (again.gamma_s > 0.0).all()

    def test_more_than_the_sector_earns(self, tmp_path):
        small_table(tmp_path)
        requirements_file(tmp_path, {"GOO": 1.0, "OTH": 0.0})
        scenario = Scenario.load(scenario_file(tmp_path, "table: small, ree_requirements: need.csv"))
        with pytest.raises(
            CalibrationError, match=r"times the value added of GOO in JPN, by the accounts' 303 million"
        ):
            calibrate(scenario)


class TestRefused:
    @pytest.mark.parametrize(
        ("named", "why"),
        [
            ("totl", "did you mean 'total'?"),
            ("no.csv", "no.csv is not a file"),
            ("3", "should be text, not 3"),
            ("few.csv", "no row for AGR, MIN"),
            ("alien.csv", "row 2: no sector 'X'"),
            ("twice.csv", "row 16: the sector TRA stands twice"),
            ("below.csv", "row 13, column 'total': should be at least 0, not -1"),
            ("none.csv", "column 'total': no sector uses rare earths"),
            ("other.csv", "the columns should be sector and total or direct"),
        ],
    )
    def test_what_a_file_does_not_give(self, tmp_path, named, why):
        requirements_file(tmp_path, {"TRA": 1.0}, name="few.csv")
        requirements_file(tmp_path, {"X": 1.0}, name="alien.csv")
        requirements_file(tmp_path, by_sector(TRA=1.0) | {"Transport equipment": 1.0}, name="twice.csv")
        requirements_file(tmp_path, by_sector(TRA=-1), name="below.csv")
        requirements_file(tmp_path, by_sector(), name="none.csv")
        requirements_file(tmp_path, by_sector(TRA=1.0), "share", name="other.csv")
        file = scenario_file(tmp_path, f"ree_requirements: {named}")
        (problem,) = check(file)
        assert str(problem).startswith(f"{file}:4:55: calibration.ree_requirements: ")
        assert why in str(problem)

    @pytest.mark.parametrize("exporter", ["", ", exporter: CHN"])
    def test_sectors_that_the_shipped_table_does_not_know(self, tmp_path, exporter):
        small_table(tmp_path)
        (problem,) = check(scenario_file(tmp_path, f"table: small{exporter}"))
        assert problem.path == "calibration.ree_shares"
        assert "know nothing of GOO, OTH" in problem.message
        assert "name a file" in problem.hint

    def test_weights_beside_requirements(self, tmp_path):
        (problem,) = check(scenario_file(tmp_path, "", "parameters: {gamma: {TRA: 0.1}}\n"))
        assert (problem.path, problem.line) == ("parameters.gamma", 5)
        assert "(23) implies the weights" in problem.message

    def test_elasticities_too_high_for_those_who_use_rare_earths(self, tmp_path):
        """(9), by the requirements and not by the weights of the slides, where textiles use them as well."""
        requirements_file(tmp_path, by_sector(TRA=1.0))
        lines = "parameters: {epsilon: {TEX: 50, TRA: 50}}\n"
        (problem,) = check(scenario_file(tmp_path, "ree_requirements: need.csv", lines))
        assert problem.path == "parameters.epsilon.TRA"

    def test_regions_that_the_accounts_do_not_know(self, tmp_path):
        small_table(tmp_path)
        (tmp_path / "small" / "regions.csv").write_text("code,name\nAAA,Aland\nJPN,Japan\n", encoding="utf-8")
        requirements_file(tmp_path, {"GOO": 1.0, "OTH": 0.0})
        (problem,) = check(scenario_file(tmp_path, "table: small, exporter: AAA, ree_requirements: need.csv"))
        assert problem.path == "calibration.ree_shares"
        assert "the accounts know" in problem.message

    @pytest.mark.parametrize("shares", ["deck", "accounts", "none"])
    def test_requirements_nobody_reads(self, shares):
        text = f"{HEAD}calibration: {{ree_shares: {shares}, ree_requirements: direct}}\n"
        with pytest.raises(
            Exception, match="calibration.ree_requirements: requirements are read where .* not " + shares
        ):
            Scenario.from_yaml(text)

    def test_a_slip_in_the_choice_is_one_problem(self, tmp_path):
        file = tmp_path / "mine.yaml"
        file.write_text(f"{HEAD}calibration: {{ree_shares: io_tabel, ree_requirements: direct}}\n", encoding="utf-8")
        (problem,) = check(file)
        assert problem.hint == "did you mean 'io_table'?"

    def test_an_override_is_named(self):
        with pytest.raises(Exception, match=r"--set calibration\.ree_requirements.*not deck"):
            Scenario.load("deck_tax", set=["calibration.ree_requirements=direct"])

    def test_a_scenario_put_together_by_hand_has_read_nothing(self):
        data = Scenario.load("baseline").replace({"calibration.ree_shares": "io_table"})
        by_hand = Scenario(
            schema="reesim.scenario/1", name="x", calendar=data.calendar, calibration=data.calibration
        )  # fmt: skip
        with pytest.raises(CalibrationError, match="load it"):
            calibrate(by_hand)
