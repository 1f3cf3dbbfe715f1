"""Estimates as a file that a scenario names: read, refused by place, drawn from, repeated with every result."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from reesim.calibration import calibrate
from reesim.equilibrium import solve
from reesim.errors import DataError, InputError
from reesim.results.provenance import input_digests
from reesim.scenario import Elasticities, Scenario, check, default_world
from reesim.scenario.estimate_files import read_estimates
from reesim.scenario.estimates import EstimatedElasticities
from reesim.shares import bundle_share

HEAD = "schema: reesim.scenario/1\nname: x\ncalendar: {start: 2010-01, end: 2010-12, step: year}\n"
TAX = "policies: [{type: export_tax, rate: 2, start: 2010}]\n"
SPREAD = (0.05, 0.02)


def told(share=False, spread=SPREAD, **changes):
    """Transport equipment and textiles; log odds of gamma vary with epsilon in part."""
    epsilon, gamma = np.array([0.7, 1.4]), np.array([0.001, 0.00005])
    odds = np.log(gamma / (1.0 - gamma))
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = np.diag(np.square(spread))
    if share:
        slope = -odds / epsilon  # of log odds by epsilon at a given share
        turn = np.vstack([np.eye(2), np.diag(slope)])
        covariance = turn @ np.diag(np.square(spread)) @ turn.T
    else:
        covariance[2:, 2:] = np.diag([0.04, 0.09])
    given = dict(mu=6.5, delta=0.0, source="a test", share_s=bundle_share(gamma, epsilon) if share else None)
    return EstimatedElasticities.of(("TRA", "TEX"), epsilon, gamma, covariance, **(given | changes))


@pytest.fixture
def folder(tmp_path):
    told().write(tmp_path / "estimates.json")
    return tmp_path


def scenario(folder, parameters="", rest=TAX, calibration=""):
    text = f"{HEAD}{calibration}parameters: {{from: estimates.json{parameters}}}\n{rest}"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return Scenario.load(folder / "mine.yaml")


class TestFiles:
    @pytest.mark.parametrize("share", [False, True])
    def test_written_and_read(self, share, tmp_path):
        first = told(share)
        back = read_estimates(first.write(tmp_path / "e.json"))
        assert back == first
        assert back.digest == f"sha256 {hashlib.sha256((tmp_path / 'e.json').read_bytes()).hexdigest()}"

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            (("schema",), "reesim.estimates/9", "schema: this version of reesim reads reesim.estimates/1"),
            (("mu",), True, "mu: should be a finite number, not True"),
            (("mu",), 0.5, "mu: mu 0.5 and delta 0 should give mu > 1"),
            (("delta",), 10**20, "delta: should be a finite number"),
            (("source",), "a\nb", "source: should be one line of text"),
            (("sectors",), {}, "sectors: should be a list, not a mapping"),
            (("sectors", 1, "epsilon"), -0.1, r"sectors\[1\].epsilon: should be above 0, not -0.1 \(TEX\)"),
            (("sectors", 1, "epsilon"), 7.0, r"sectors\[1\].epsilon: 7 is too high for theta = 0.181818: keep it below 6.5"),
            (("sectors", 0, "gamma"), 1.0, r"sectors\[0\].gamma: should be above 0 and below 1"),
            (("sectors", 0, "gama"), 1.0, r"sectors\[0\].gama: unknown key; known: sector, epsilon, gamma"),
            (("sectors", 1, "sector"), "TRA", r"sectors\[1\].sector: TRA stands twice|covariance.order"),
            (("covariance", "order"), [], "covariance.order: should be epsilon of all sectors and then log_odds_gamma"),
            (("covariance", "matrix"), [[1.0]], "covariance.matrix: should be 4 x 4"),
            (("covariance", "matrix", 0, 1), 1.0, r"covariance.matrix\[0\]\[1\]: should equal its mirror image, 0, and is 1"),
            (("covariance", "matrix", 0, 0), -1.0, "covariance.matrix: should have no direction of negative variance"),
        ],
    )  # fmt: skip
    def test_mistakes_are_told_by_place(self, path, value, message, tmp_path):
        data = told().to_dict()
        here = data
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = value
        file = tmp_path / "e.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(DataError, match=message) as caught:
            read_estimates(file)
        assert str(caught.value).startswith(f"{file}")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", ":1:2: this is not JSON"),
            ('{"schema": NaN}', "source: this key is missing"),
            ("[]", "should be a mapping with schema, source"),
            ('{"mu": 1, "mu": 2}', "the key 'mu' stands twice"),
            ("[" * 100_000, "this is not JSON"),
            ("1" * 5000, "this is not JSON text"),
        ],
    )
    def test_no_traceback_for_what_is_not_a_file_of_estimates(self, text, message, tmp_path):
        (tmp_path / "e.json").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_estimates(tmp_path / "e.json")

    def test_a_share_must_fit_its_gamma(self):
        with pytest.raises(InputError, match=r"sectors\[0\].share: by \(23\) a share of 0.3 means gamma"):
            told(share_s=np.array([0.3, 0.001]))


class TestScenarios:
    def test_the_estimates_are_what_it_runs_on(self, folder):
        mine = scenario(folder)
        codes = mine.world.sectors.codes
        elasticities = mine.elasticities()
        assert elasticities.epsilon_s[codes.index("TRA")] == 0.7
        assert elasticities.gamma_s[codes.index("TEX")] == 0.00005
        assert elasticities.estimated == told()
        # sectors that were not estimated keep theirs
        assert elasticities.epsilon_s[codes.index("MET")] == default_world().elasticities["MET"][0]
        same = "epsilon: {TRA: 0.7, TEX: 1.4}, gamma: {TRA: 0.001, TEX: 0.00005}"
        by_hand = Scenario.from_yaml(f"{HEAD}parameters: {{{same}}}\n{TAX}")
        assert calibrate(by_hand).hash() == calibrate(mine).hash()

    def test_what_the_scenario_says_itself_goes_first(self, folder):
        mine = scenario(folder, ", epsilon: {Transport equipment: 0.6}")
        assert dict(zip(mine.world.sectors, mine.elasticities().epsilon_s, strict=True))["TRA"] == 0.6
        assert "some epsilon replaced by the scenario" in calibrate(mine).choices["elasticities"]

    def test_every_result_names_file_and_digest(self, folder):
        mine = scenario(folder)
        digest = hashlib.sha256((folder / "estimates.json").read_bytes()).hexdigest()
        found = solve(mine, technology="fixed")
        assert found.choices["elasticities"] == f"estimates.json, sha256 {digest}: a test, at mu 6.5 and delta 0"
        assert input_digests(mine) == {"parameters.from": f"estimates.json, sha256 {digest}"}
        assert "estimates.json" in repr(mine)

    def test_a_delta_that_is_not_theirs_is_said(self, folder):
        assert (
            "the scenario has mu 6.5 and delta 0.2"
            in calibrate(scenario(folder, ", delta: 0.2")).choices["elasticities"]
        )

    def test_requirements_imply_gamma(self, folder):
        mine = scenario(folder, calibration="calibration: {ree_shares: io_table}\n")
        assert mine.elasticities().gamma_s is None
        assert "gamma not the file's but implied by (23)" in calibrate(mine).choices["elasticities"]

    def test_without_a_file_nothing_is_said(self):
        assert "elasticities" not in calibrate(Scenario.from_yaml(HEAD + TAX)).choices

    def test_round_trip_and_replacement(self, folder):
        mine = scenario(folder)
        again = Scenario.from_dict(mine.to_dict(), folder=folder)
        assert again == mine
        away = mine.replace({"parameters": {}})
        assert away.estimates_path is None
        assert away != mine
        assert Scenario.load("deck_tax", set=[f"parameters.from={folder / 'estimates.json'}"]).estimates_path

    def test_sectors_by_name(self, folder):
        data = told().to_dict()
        data["sectors"][0]["sector"] = "Transport equipment"
        data["covariance"]["order"] = [
            name.replace("TRA", "Transport equipment") for name in data["covariance"]["order"]
        ]
        (folder / "estimates.json").write_text(json.dumps(data), encoding="utf-8")
        assert scenario(folder).elasticities().estimated.sectors == ("TRA", "TEX")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (None, "there is no such file"),
            (("sectors", 0, "epsilon", 0.0), r"sectors[0].epsilon: should be above 0"),
            (("sectors", 1, "sector", "TEXX"), "covariance.order"),
        ],
    )
    def test_errors_stand_at_the_key_with_their_place_in_the_file(self, folder, change, message):
        file = folder / "estimates.json"
        data = told().to_dict()
        file.unlink()
        if change:
            data[change[0]][change[1]][change[2]] = change[3]
            file.write_text(json.dumps(data), encoding="utf-8")
        (folder / "mine.yaml").write_text(f"{HEAD}parameters: {{from: estimates.json}}\n{TAX}", encoding="utf-8")
        (problem,) = check(folder / "mine.yaml")
        assert (problem.path, problem.line, problem.column) == ("parameters.from", 4, 20)
        assert message in problem.message
        assert str(file) in problem.message

    def test_a_sector_that_the_table_has_not(self, folder):
        other = EstimatedElasticities.of(
            ("ships",), np.array([0.7]), np.array([0.01]), np.eye(2), mu=6.5, delta=0.0, source="a test"
        )
        other.write(folder / "estimates.json")
        with pytest.raises(InputError, match=r"sectors\[0\].sector: no sector 'ships'"):
            scenario(folder)

    def test_an_epsilon_too_high_for_the_scenarios_delta(self, folder):
        (problem,) = problems(folder, ", delta: 3.0")
        assert "epsilon 1.4, by the file of estimates or the default, is too high" in problem.message

    @pytest.mark.parametrize("value", ["3", "[a]", "''"])
    def test_what_is_no_file(self, folder, value):
        (folder / "mine.yaml").write_text(f"{HEAD}parameters: {{from: {value}}}\n{TAX}", encoding="utf-8")
        assert [problem.path for problem in check(folder / "mine.yaml")] == ["parameters.from"]


def problems(folder, parameters):
    (folder / "mine.yaml").write_text(
        f"{HEAD}parameters: {{from: estimates.json{parameters}}}\n{TAX}", encoding="utf-8"
    )
    return check(folder / "mine.yaml")


class TestFromFit:
    def test_estimates_and_covariance_are_carried(self):
        class Fit:
            def estimated(self):
                return told(delta=0.1)

        taken = Elasticities.from_fit(Fit())
        assert taken.estimated.covariance == told().covariance
        assert taken.theta == pytest.approx(0.1 + 1.0 / 5.5)
        codes = default_world().sectors.codes
        assert (taken.epsilon_s[codes.index("TRA")], taken.gamma_s[codes.index("TRA")]) == (0.7, 0.001)
        assert taken.epsilon_s[codes.index("AGR")] == 1.0
        assert Elasticities.from_fit(told(delta=0.1)) == taken

    def test_a_scenarios_own_are_the_same(self, folder):
        assert scenario(folder).elasticities() == Elasticities.from_fit(told())


class TestDraws:
    def test_moments_of_the_draws(self):
        draws = told().sample(20_000, seed=1)
        assert draws.rejected == 0
        # Four standard errors of a mean, and of a standard deviation, over 20,000 draws.
        assert np.abs(draws.epsilon.mean(axis=0) - [0.7, 1.4]).max() < 4 * 0.05 / math.sqrt(20_000)
        assert draws.epsilon.std(axis=0) == pytest.approx(SPREAD, rel=4 / math.sqrt(40_000))
        odds = np.log(draws.gamma / (1.0 - draws.gamma))
        assert odds.std(axis=0) == pytest.approx([0.2, 0.3], rel=4 / math.sqrt(40_000))
        assert np.corrcoef(np.column_stack([draws.epsilon, odds]).T)[0, 1:] == pytest.approx([0, 0, 0], abs=0.03)

    def test_same_seed_same_draws(self):
        first, second, other = (told().sample(5, seed) for seed in (1, 1, 2))
        assert np.array_equal(first.epsilon, second.epsilon)
        assert not np.array_equal(first.epsilon, other.epsilon)

    def test_a_share_is_held_exactly(self):
        first = told(share=True, spread=(0.2, 0.2))
        draws = first.sample(50, seed=3)
        # (23) of every draw gives back the observed share, however far epsilon is drawn.
        assert bundle_share(draws.gamma, draws.epsilon) == pytest.approx(
            np.broadcast_to(first.share_s, (50, 2)), rel=1e-9
        )

    def test_draws_outside_the_model_are_replaced_and_counted(self):
        wide = told(spread=(0.7, 0.02))
        draws = wide.sample(2000, seed=1)
        assert (draws.epsilon > 0.0).all()
        # Below zero lies a sixth of the draws of transport, one standard error below its mean.
        assert draws.rejected / (2000 + draws.rejected) == pytest.approx(0.1587, abs=4 * math.sqrt(0.16 * 0.84 / 2380))

    def test_the_upper_end_depends_on_theta(self):
        wide = told(spread=(0.02, 0.5))
        draws = wide.sample(500, seed=1, theta=2.0)
        # At theta = 2 (9) allows epsilon below 1.5.
        assert draws.epsilon[:, 1].max() < 1.5
        assert draws.rejected > 100
        assert wide.sample(500, seed=1).rejected < 10

    def test_too_wide_to_draw_from(self):
        edge = told(spread=(0.02, 0.02))
        with pytest.raises(InputError, match="TEX leaves that range most often"):
            edge.sample(3, seed=1, theta=4.0)
        with pytest.raises(InputError, match="at least 1 draw"):
            edge.sample(0, seed=1)

    def test_a_weight_that_no_number_holds_is_drawn_anew(self):
        # With a given share, gamma at epsilon near zero is below the smallest number: exp overflowed there, and gamma was 0.
        draws = told(share=True, spread=(0.4, 0.02)).sample(3000, seed=1)
        assert (draws.gamma > 0.0).all()
        assert (draws.gamma < 1.0).all()
        assert draws.rejected > 0

    def test_without_estimates(self):
        with pytest.raises(InputError, match="not estimated"):
            Scenario.load("deck_tax").elasticities().sample(1, 0)

    def test_a_draw_is_a_scenarios_parameters(self, folder):
        mine = scenario(folder)
        drawn = mine.elasticities().sample(2, seed=1).parameters(1)
        other = mine.replace({f"parameters.{name}": numbers for name, numbers in drawn.items()})
        assert (
            dict(zip(other.world.sectors, other.elasticities().epsilon_s, strict=True))["TRA"]
            == drawn["epsilon"]["TRA"]
        )
