from __future__ import annotations

import datetime
import json
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reesim.errors import ScenarioError
from reesim.labels import Labels
from reesim.scenario import (
    DEFAULT_REGIONS,
    DEFAULT_SECTORS,
    Scenario,
    bundled,
    check,
    default_world,
    json_schema,
    yaml_source,
)
from reesim.scenario import parse_assignment as parse
from reesim.scenario.policy import ExportQuota

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad_scenarios").glob("*.yaml"))
NAMES = (
    "baseline",
    "deck_tax",
    "deck_tax_permanent",
    "effective_exports_2010_2015",
    "staged_quotas_2010_2015",
    "us_tariffs_example",
)
HEAD = "schema: reesim.scenario/1\nname: x\ncalendar: {start: 2010-01, end: 2012-12}\n"
FULL = (
    HEAD
    + """\
title: One line.
description: Free text.
calibration: {ree_shares: accounts, baseline_tax: 0.1, baseline_exports_tonnes: 50000}
parameters:
  {sigma: {TRA: 5, Machinery: 4.5}, rho: 1, mu: .inf, epsilon: {transport equipment: 0.7}, gamma: {TRA: 0.001}}
technology: fixed
entry_cost: final_good
deficit: removed
adjustment: {entry: 0, prices: never, trade: .inf}
policies:
  - {type: export_tax, rate: 2, start: 2010-07, end: 2014-12, destinations: [Japan, USA], note: "a: b"}
  - {type: export_quota, share: 0.6, start: 2010Q3, rent_to_importers: 0.5}
  - {type: embargo, destination: jpn, start: 2010-09-21, end: 2010-11-19}
output: {variables: [wage, welfare], every: 3}
"""
)
TRADE = (
    HEAD
    + """\
calibration: {table: world_2009_5x14, exporter: China}
parameters: {rho: 1, ree_supply_elasticity: {Japan: 0.5, CHN: 0}}
technology: none
policies:
  - {type: tariff, rate: 0.2, start: 2010, importers: [Japan], sectors: [TRA, Services]}
  - {type: tariff, add: -0.01, start: 2010, exporters: [China]}
  - {type: goods_export_tax, add: 0.1, start: 2010, exporters: [CHN], destinations: [EU]}
  - {type: iceberg, factor: 1.1, start: 2010}
  - {type: productivity, factor: 1.2, regions: [ROW], start: 2011}
  - {type: labour_endowment, factor: 0.9, start: 2011-04, end: 2011-05}
  - {type: ree_supply, factor: 1.5, start: 2010}
  - {type: mine, region: USA, market: JPN, tonnes: 5000, start: 2010}
  - {type: production_quota, share: 0.9, start: 2010}
  - {type: production_subsidy, rate: 0.05, sectors: [ELE], start: 2010}
"""
)


def problems(text, **settings):
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "f.yaml", **settings)
    return [str(problem) for problem in caught.value.problems]


# --- reading ---


def test_defaults_are_those_of_the_documentation():
    scenario = Scenario.from_yaml(HEAD)
    assert scenario.calendar.step == "month"
    assert scenario.calendar.substeps == "auto"
    assert (scenario.technology, scenario.entry_cost, scenario.deficit) == (
        "endogenous",
        "labour",
        "world_labour_share",
    )
    assert (scenario.calibration.ree_shares, scenario.calibration.baseline_tax) == ("deck", 0.0)
    assert scenario.calibration.baseline_exports_tonnes == 43_900.0
    assert (scenario.calibration.table, scenario.table_path) == ("world_2009_5x14", "world_2009_5x14")
    assert scenario.calibration.trade_elasticity is scenario.trade_elasticity_path is None
    assert scenario.world.exporter == "CHN"
    parameters = scenario.parameters
    assert (parameters.sigma, parameters.rho, parameters.mu, parameters.delta) == (6.0, 1.36, 6.5, 0.0)
    assert dict(parameters.epsilon) == dict(parameters.gamma) == {}
    assert (scenario.adjustment.entry, scenario.adjustment.prices, scenario.adjustment.trade) == (2.0, 0.5, 2.0)
    assert scenario.policies == ()
    assert (scenario.output.variables, scenario.output.every) == ("all", 1)


def test_every_field_is_read():
    scenario = Scenario.from_yaml(FULL)
    parameters = scenario.parameters
    assert dict(parameters.sigma) == {"TRA": 5.0, "MAC": 4.5}
    assert parameters.sigma_of(DEFAULT_SECTORS)[9:12] == (4.5, 6.0, 5.0)
    assert dict(parameters.epsilon) == {"TRA": 0.7}
    assert dict(parameters.gamma) == {"TRA": 0.001}
    assert math.isinf(parameters.mu)
    assert parameters.theta == 0.0
    assert scenario.adjustment.entry == 0.0
    assert scenario.adjustment.prices == scenario.adjustment.trade == math.inf
    tax, quota, embargo = scenario.policies
    assert (tax.rate, tax.destinations, tax.start, tax.end) == (
        2.0,
        ("JPN", "USA"),
        datetime.date(2010, 7, 1),
        datetime.date(2014, 12, 31),
    )
    assert (quota.share, quota.end, quota.rent_to_importers) == (0.6, None, 0.5)
    assert (embargo.destination, embargo.leakage) == ("JPN", 0.05)
    assert scenario.output.variables == ("wage", "welfare")


def test_no_variety_effects_is_a_limit_that_is_allowed():
    for mu in (1.7, 6.5, 7.3):
        text = f"{HEAD}parameters: {{mu: {mu}, delta: {-1 / (mu - 1)!r}, sigma: 1, rho: 1}}\n"
        assert Scenario.from_yaml(text).parameters.theta == 0.0


def test_labels_of_another_calibration_can_be_named():
    world = default_world()
    other = type(world)(Labels("region", ("AA", "BB"), ("Aland", "Bland")), world.sectors, "AA", world.elasticities)
    text = HEAD + "policies: [{type: embargo, destination: %s, start: 2010}]\n"
    assert Scenario.from_yaml(text % "Bland", world=other).policies[0].destination == "BB"
    assert "known: AA, BB" in problems(text % "JPN", world=other)[0]
    assert "AA is the exporter" in problems(text % "aland", world=other)[0]
    # A scenario keeps the world it was given when it is replaced.
    assert Scenario.from_yaml(text % "BB", world=other).replace({"technology": "fixed"}).world is other


def test_the_default_labels_are_those_of_the_embedded_table():
    from reesim.data.tables import embedded

    table = embedded()
    assert table.regions == DEFAULT_REGIONS
    assert table.sectors == DEFAULT_SECTORS
    assert set(default_world().elasticities) == set(DEFAULT_SECTORS)


# --- a table of one's own ---


def own_table(folder, regions="AAA,Aland\nBBB,Bland\nCHN,China\n", sectors="X,Goods\nY,Services\n"):
    """Labels of a table; nothing else of it is read by a scenario."""
    folder.mkdir()
    (folder / "regions.csv").write_text(f"code,name\n{regions}", encoding="utf-8")
    (folder / "sectors.csv").write_text(f"code,name\n{sectors}", encoding="utf-8")
    return folder


def own_scenario(folder, lines):
    file = folder / "mine.yaml"
    file.write_text(HEAD + lines, encoding="utf-8")
    return file


def test_a_table_of_ones_own_is_found_beside_the_scenario(tmp_path, monkeypatch):
    own_table(tmp_path / "table")
    (tmp_path / "theta.csv").write_text("sector,theta\nServices,3\nX,8.5\n", encoding="utf-8")
    (tmp_path / "rates.csv").write_text("exporter,importer,sector,rate\nAAA,Bland,X,0.3\n", encoding="utf-8")
    lines = (
        "calibration: {table: table, trade_elasticity: theta.csv}\n"
        "policies: [{type: tariff, file: rates.csv, start: 2010}, "
        "{type: productivity, factor: 1.1, sectors: [goods], start: 2010}]\n"
    )
    file = own_scenario(tmp_path, lines)
    monkeypatch.chdir(tmp_path)
    scenario = Scenario.load("mine.yaml")
    # Wherever one goes from here, the folder stays that of the file.
    monkeypatch.chdir("/")
    assert scenario == Scenario.load(file)
    assert scenario.world.regions.codes == ("AAA", "BBB", "CHN")
    assert scenario.world.exporter is None
    assert scenario.table_path == tmp_path / "table"
    assert scenario.trade_elasticity_path == tmp_path / "theta.csv"
    said = scenario.elasticities()
    assert (said.sigma_s, said.epsilon_s, said.gamma_s) == ((9.5, 4.0), (1.0, 1.0), (0.0, 0.0))
    assert scenario.policies[0].rates.flows == (("AAA", "BBB", "X"),)
    assert scenario.policies[1].sectors == ("X",)
    assert scenario.schedule().regimes[-1].tariff.value_jis[0, 1, 0] == 0.3
    again = Scenario.from_yaml(scenario.effective_yaml(), folder=scenario.folder)
    assert again == scenario
    assert "table: table" in scenario.effective_yaml()
    assert scenario.replace({"title": "x"}).replace({"title": ""}) == scenario
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    assert "table: table" in repr(scenario)
    assert "no rare earths" in repr(scenario)


def test_the_table_can_be_replaced_and_labels_follow(tmp_path):
    own_table(tmp_path / "table")
    file = own_scenario(tmp_path, "parameters: {sigma: {X: 3}}\n")
    assert any("no sector 'X'" in str(problem) for problem in check(file))
    scenario = Scenario.load(file, set=["calibration.table=table", "parameters.sigma.Goods=4"])
    assert scenario.elasticities().sigma_s == (4.0, 6.0)
    same = tmp_path / "other"
    assert Scenario.load(own_scenario(tmp_path, ""), set=[f"calibration.table={own_table(same)}"]).table_path == same


def test_a_table_whose_sectors_are_the_decks_takes_its_elasticities(tmp_path):
    own_table(tmp_path / "some", sectors="TRA,Transport equipment\nSER,Services\n")
    own_table(tmp_path / "none", "AAA,Aland\nBBB,Bland\n", sectors="TRA,Transport equipment\nSER,Services\n")
    scenario = Scenario.load(own_scenario(tmp_path, "calibration: {table: some}\n"))
    assert scenario.world.exporter == "CHN"
    assert scenario.elasticities().gamma_s == (0.00097, 0.0)
    (problem,) = check(own_scenario(tmp_path, "calibration: {table: none}\n"))
    assert str(problem).startswith(
        f"{tmp_path / 'mine.yaml'}:4:14: calibration.exporter: TRA use rare earths, and no region"
    )
    # One foreign sector, and what TRA means on that table is not known.
    own_table(tmp_path / "half", sectors="TRA,Trams\nX,Goods\n")
    half = Scenario.load(own_scenario(tmp_path, "calibration: {table: half}\n"))
    assert half.world.exporter is None
    assert set(half.elasticities().gamma_s) == {0.0}
    named = Scenario.load(own_scenario(tmp_path, "calibration: {table: none, exporter: Bland}\n"))
    assert named.world.exporter == named.calibration.exporter == "BBB"


@pytest.mark.parametrize(
    ("lines", "exporter"),
    [
        ("", None),
        ("parameters: {gamma: {Goods: 0.01}}", "CHN"),
        ("parameters: {gamma: {X: 0.01}}", "CHN"),
        ("parameters: {gamma: {X: 0.0}}", None),
    ],
)
def test_rare_earths_are_there_where_a_sector_uses_them(tmp_path, lines, exporter):
    own_table(tmp_path / "table")
    scenario = Scenario.load(own_scenario(tmp_path, f"calibration: {{table: table}}\n{lines}\n"))
    assert scenario.world.exporter == exporter
    assert (scenario.elasticities().gamma_s[0] > 0.0) is (exporter is not None)


@pytest.mark.parametrize("switch", ["ree_shares: none", "exporter: none"])
def test_rare_earths_can_be_switched_off(switch):
    scenario = Scenario.from_yaml(f"{HEAD}calibration: {{{switch}}}\nparameters: {{gamma: {{TRA: 0.01}}, mu: 1.3}}\n")
    assert scenario.world.exporter is None
    assert set(scenario.elasticities().gamma_s) == {0.0}
    (problem,) = problems(f"{HEAD}calibration: {{{switch}}}\npolicies: [{{type: export_tax, rate: 1, start: 2010}}]\n")
    assert problem.startswith("f.yaml:5:19: policies.0.type: there are no rare earths in this world")


@pytest.mark.parametrize(
    ("lines", "address", "why"),
    [
        ("calibration: {table: tabel}", "4:22: calibration.table", "is not a folder"),
        ("calibration: {table: world_2009_5x1}", "4:22: calibration.table", "did you mean 'world_2009_5x14'?"),
        ("calibration: {table: 3}", "4:22: calibration.table", "text, not 3"),
        ("calibration: {table: empty}", "4:22: calibration.table", "regions.csv: there is no such file"),
        ("calibration: {table: table, ree_shares: accounts}", "4:41: calibration.ree_shares", "the accounts know"),
        ("calibration: {table: table, exporter: AAA}", "4:39: calibration.exporter", "no sector of this table uses"),
        (
            "calibration: {table: table, exporter: Alnd}\nparameters: {gamma: {X: 0.1}}",
            "4:39: calibration.exporter",
            "did you mean 'Aland'?",
        ),
        ("calibration: {exporter: CHN, ree_shares: none}", "4:25: calibration.exporter", "nothing to export"),
        ("calibration: {table: table, trade_elasticity: no.csv}", "4:47: calibration.trade_elasticity", "no such file"),
        (
            "calibration: {table: table, trade_elasticity: theta.csv}\nparameters: {sigma: 4}",
            "5:21: parameters.sigma",
            "already",
        ),
        ("calibration: {trade_elasticity: theta.csv}", "4:33: calibration.trade_elasticity", "row 2: no sector 'X'"),
        ("policies: [{type: tariff, file: rates.csv, start: 2010}]", "4:33: policies.0.file", "row 2: no region 'AAA'"),
    ],
)
def test_what_a_table_does_not_give_is_refused_at_the_key(tmp_path, lines, address, why):
    own_table(tmp_path / "table")
    (tmp_path / "empty").mkdir()
    (tmp_path / "theta.csv").write_text("sector,theta\nX,2\nY,3\n", encoding="utf-8")
    (tmp_path / "rates.csv").write_text("exporter,importer,sector,rate\nAAA,BBB,X,0.3\n", encoding="utf-8")
    file = own_scenario(tmp_path, lines + "\n")
    (problem,) = check(file)
    assert str(problem).startswith(f"{file}:{address}: ")
    assert why in str(problem)


def test_labels_are_not_checked_against_a_table_that_is_not_there(tmp_path):
    lines = (
        "calibration: {table: nowhere}\nparameters: {gamma: {X: 2}}\n"
        "policies: [{type: iceberg, factor: 0, importers: [AAA], start: 2010}]\n"
    )
    assert [problem.path for problem in check(own_scenario(tmp_path, lines))] == [
        "calibration.table",
        "parameters.gamma.X",
        "policies.0.factor",
    ]


def test_without_technology_there_are_no_varieties():
    scenario = Scenario.from_yaml(TRADE)
    said = scenario.elasticities()
    assert (said.mu, said.theta) == (math.inf, 0.0)
    assert said.ree_supply_i == (0.0, 0.0, 0.5, 0.0, 0.0)
    assert scenario.replace({"technology": "fixed"}).elasticities().theta == pytest.approx(1 / 5.5, rel=1e-15)
    lines = "technology: none\npolicies: [{type: innovation_subsidy, rate: 0.1, start: 2010}]\n"
    assert problems(HEAD + lines)[0].startswith("f.yaml:5:19: policies.0.type: there is no research")


def test_a_calendar_left_out_is_a_year_with_every_policy():
    head = "schema: reesim.scenario/1\nname: x\n"
    lines = "policies: [{type: iceberg, factor: 2, start: 2018}, {type: tariff, add: 0.1, start: 2018-07-06}]\n"
    scenario = Scenario.from_yaml(head + lines)
    assert scenario.calendar.start == scenario.calendar.end == datetime.date(2018, 7, 6)
    assert scenario.calendar.step == "year"
    assert len(scenario.schedule().regimes) == 2
    assert Scenario.from_yaml(scenario.effective_yaml()) == scenario
    later = scenario.replace({"policies.1.start": "2020"})
    assert later.calendar.start == datetime.date(2020, 1, 1)
    assert not scenario.has_calendar
    assert not later.has_calendar
    assert scenario.replace({"calendar": {"start": "2018", "end": "2019", "step": "year"}}).has_calendar
    assert "calendar: this key is missing" in problems(head)[0]
    assert "calendar: this key is missing" in problems(head + "policies: []\n")[0]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("policies: [{type: iceberg, factor: 2}]", "f.yaml:3:12: policies.0.start: this key is missing"),
        ("policies: [{type: iceberg, factor: 2, start: soon}]", "f.yaml:3:46: policies.0.start: 'soon' is not a date"),
        ("policies: {type: iceberg, factor: 2, start: 2018}", "f.yaml:3:11: policies: should be a list, not a mapping"),
        ("policies: [2018]", "f.yaml:3:12: policies.0: should be a mapping"),
        ("policies:", "f.yaml:3:1: policies: should be a list, not nothing"),
    ],
)
def test_a_calendar_that_would_come_from_a_policy_is_not_missed(lines, said):
    (problem,) = problems(f"schema: reesim.scenario/1\nname: x\n{lines}\n")
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        ("type: tariff, importers: [USA]", "(give rate, add or file)"),
        ("type: goods_export_tax", "(give rate or add)"),
        ("type: export_quota", "(give tonnes or share)"),
        ("type: mine, region: USA", "(give tonnes or share)"),
    ],
)
def test_an_instrument_without_a_size_is_named_as_a_whole(policy, hint):
    (problem,) = problems(f"{HEAD}policies: [{{{policy}, start: 2011}}]\n")
    assert problem.startswith("f.yaml:4:12: policies.0: ")
    assert problem.endswith(hint)


@pytest.mark.parametrize("kind", ["tariff", "goods_export_tax"])
@pytest.mark.parametrize("key", ["rate", "add"])
def test_per_cent_are_not_taken_for_a_fraction(kind, key):
    (problem,) = problems(f"{HEAD}policies: [{{type: {kind}, {key}: 25, start: 2011}}]\n")
    assert f"policies.0.{key}: a rate of 25 is 2,500 % (write 0.25 for 25 %)" in problem
    assert Scenario.from_yaml(f"{HEAD}policies: [{{type: {kind}, {key}: 20, start: 2011}}]\n")


def test_per_cent_in_a_file_are_not_taken_for_a_fraction(tmp_path):
    (tmp_path / "rates.csv").write_text("exporter,importer,sector,rate\nCHN,USA,TRA,25\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"row 2, column 'rate': a rate of 25 is 2,500 %; write 0\.25 for 25 %"):
        Scenario.from_yaml(f"{HEAD}policies: [{{type: tariff, file: rates.csv, start: 2011}}]\n", folder=tmp_path)


# --- problems ---


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_all_problems_of_a_file_are_reported_together(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    expected = file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert [str(problem) for problem in check(file.name)] == expected
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(file.name)
    assert str(caught.value).splitlines() == expected


def test_there_are_bad_scenarios():
    assert len(BAD) >= 7


@pytest.mark.parametrize(
    ("lines", "address", "why"),
    [
        ("parameters: {mu: .nan}", "4:18: parameters.mu", "nan"),
        ("adjustment: {entry: .nan}", "4:21: adjustment.entry", "nan"),
        ("adjustment: {entry: -.inf}", "4:21: adjustment.entry", "at least 0"),
        ("parameters: {rho: .inf}", "4:19: parameters.rho", "finite"),
        ("parameters: {sigma: 1e999}", "4:21: parameters.sigma", "finite"),
        ("parameters: {epsilon: 2}", "4:23: parameters.epsilon", "a mapping"),
        ("parameters: {gamma: {TRA: -0.1}}", "4:27: parameters.gamma.TRA", "at least 0"),
        ("calibration: {baseline_tax: yes}", "4:29: calibration.baseline_tax", "a number, not 'yes'"),
        ("calibration: {baseline_tax: true}", "4:29: calibration.baseline_tax", "a number, not true"),
        ("technology: 1", "4:13: technology", "should be"),
        ("title: 2010", "4:8: title", "should be text, not 2010"),
        ('title: "a\\nb"', "4:8: title", "one line"),
        ("policies:", "4:1: policies", "a list, not nothing"),
        ("policies: {}", "4:11: policies", "a list, not a mapping"),
        ("output: {variables: []}", "4:21: output.variables", "at least one"),
        ("output: {variables: wage}", "4:21: output.variables", "'all'"),
        ("output: {variables: [wage, wage]}", "4:21: output.variables", "twice"),
        ("output: {every: 1.5}", "4:17: output.every", "whole number"),
        ("adjustment:\n  entrey: 1", "5:3: adjustment.entrey", "did you mean 'entry'?"),
        ("policies:\n- type: export_tax\n  rate: -1\n  start: 2010", "6:9: policies.0.rate", "above -1"),
        ("policies:\n- type: export_tax\n  start: 2010", "5:3: policies.0.rate", "missing"),
        ("policies: [{type: export_quota, share: .inf, start: 2010}]", "4:40: policies.0.share", "finite"),
        (
            "policies: [{type: embargo, destination: JPN, leakage: -1, start: 2010}]",
            "4:55: policies.0.leakage",
            "essential",
        ),
    ],
)
def test_a_problem_has_an_address_and_a_reason(lines, address, why):
    (problem,) = problems(HEAD + lines + "\n")
    assert problem.startswith(f"f.yaml:{address}: ")
    assert why in problem


def test_one_mistake_hides_no_other_in_the_same_block():
    found = problems(
        HEAD + "policies: [{type: export_tax, rate: x, start: 2011, end: 2010, nte: 1, destinations: [CHN]}]\n"
    )
    assert [line.split(": ")[1] for line in found] == [
        f"policies.0.{name}" for name in ("rate", "end", "nte", "destinations.0")
    ]


def test_a_thousand_problems_are_cut_short():
    found = problems(HEAD + "".join(f"key{number}: 1\n" for number in range(1000)))
    assert len(found) == 51
    assert "more problems" in found[-1]


def test_an_elasticity_limit_follows_delta_and_respects_gamma():
    text = HEAD + "parameters: {mu: 1.3, gamma: {FUR: %s, TEX: 0}}\n"
    assert ["FUR" in line for line in problems(text % 0.1)] == [True]
    assert Scenario.from_yaml(text % 0)


# --- YAML ---


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("1e-3", 1e-3),
        ("12:30:45", "12:30:45"),
        ("2010-07", "2010-07"),
        ("2010-07-08", "2010-07-08"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        (".5", 0.5),
        ("-.Inf", -math.inf),
        ("~", None),
        ("True", True),
        ("'2010'", "2010"),
        ("1_000", "1_000"),
        ("٣", "٣"),
    ],
)
def test_scalars_follow_yaml_1_2(word, value):
    data = yaml_source.read(f"key: {word}\n").data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


ALIASES = "\n".join(
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x]",
        *(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 9)),
    ]
)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (ALIASES, 5, "more than 10,000 values"),
        ("a: " + "[" * 5_000, 1, "nested more than 32 levels"),
        ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, 2, "nested more than 32 levels"),
        ("a: [" + "1," * 20_000 + "1]", 1, "more than 10,000 values"),
        ("a: &a 1\nb: [" + ", ".join(["*a"] * 101) + "]", 2, "more than 100 aliases"),
        ("x" * 300_000, 1, "300,000 bytes"),
        ("a: &a [*a]", 1, "names nothing that is complete"),
        ("a: *b", 1, "names nothing that is complete"),
        ("a: 1\n---\nb: 2\n", 3, "a second document"),
        ("%YAML 1.1\n---\na: 1\n", 2, "YAML 1.2"),
        ("? [a]\n: 1\n", 1, "a plain word"),
        ("a: 1\n  b: 2\n", 2, "not YAML"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: 'x\n", 2, "not YAML"),
        ("a:\n\tb: 1\n", 2, "not YAML"),
        ("a: \0\n", 1, "not allowed in YAML"),
        (b"a: \xff\n", 1, "not UTF-8"),
        ("a: \ud800\n", 1, "not UTF-8"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else None,
)
def test_limits_and_syntax_are_refused_with_a_position(text, line, why):
    with pytest.raises(ScenarioError) as caught:
        yaml_source.read(text, "f.yaml")
    assert why in str(caught.value)
    assert re.match(rf"f\.yaml:{line}:\d+: ", str(caught.value))
    assert len(str(caught.value)) < 200


def test_a_number_beyond_reason_and_huge_words_give_short_messages():
    for value in ("9" * 10_000, "y" * 100_000, "[" + "y" * 50_000 + "]"):
        assert all(len(line) < 300 for line in problems(f"{HEAD}technology: {value}\n"))
    assert all(len(line) < 400 for line in problems(f"{HEAD}? {'k' * 100_000}\n: 1\n"))


def test_an_alias_is_a_copy():
    scenario = Scenario.from_yaml(HEAD + "policies: [&a {type: export_tax, rate: 1, start: 2010}, *a]\n")
    changed = scenario.replace({"policies.0.rate": 3.0})
    assert [tax.rate for tax in changed.policies] == [3.0, 1.0]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**20), 10**20)
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
        | st.sampled_from(
            ["2010", "2010-07", "1e3", "1e-3", ".5", "0o7", "0x1F", "NO", "null", "~", "", ".inf", "- a", "a: b", "#"]
        ),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ 019:-", max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_what_is_written_is_read_back(value):
    data = {"key": value}
    assert yaml_source.read(yaml_source.dump(data)).data == data


# --- replacing ---


def test_replacing_gives_a_new_scenario_and_leaves_the_old():
    scenario = Scenario.from_yaml(FULL)
    changed = scenario.replace({"technology": "endogenous", "calendar.end": "2080-12", "policies.0.rate": 1.0})
    assert (changed.technology, changed.calendar.end, changed.policies[0].rate) == (
        "endogenous",
        datetime.date(2080, 12, 31),
        1.0,
    )
    assert (scenario.technology, scenario.policies[0].rate) == ("fixed", 2.0)
    assert changed.text == scenario.text == FULL
    assert scenario.overrides == {}
    assert changed.overrides == {"technology": "endogenous", "calendar.end": "2080-12", "policies.0.rate": 1.0}
    assert changed != scenario
    assert changed.replace({"technology": "fixed", "calendar.end": "2012-12", "policies.0.rate": 2.0}) == scenario


def test_replacements_accumulate_and_the_later_wins():
    scenario = Scenario.from_yaml(HEAD)
    twice = scenario.replace({"adjustment.entry": 1.0}).replace({"adjustment.trade": 3.0, "adjustment.entry": 0.0})
    assert (twice.adjustment.entry, twice.adjustment.trade) == (0.0, 3.0)
    assert list(twice.overrides) == ["adjustment.trade", "adjustment.entry"]


def test_replacing_takes_python_values():
    scenario = Scenario.from_yaml(FULL).replace(
        {
            "policies": [ExportQuota(share=0.5, start="2010", end="2011")],
            "parameters.sigma": {"TRA": np.float64(7.0)},
            "calendar.start": np.datetime64("2009-03-02"),
            "calendar.end": datetime.date(2012, 1, 1),
            "adjustment.entry": math.inf,
            "output.variables": ("wage",),
        }
    )
    assert [policy.share for policy in scenario.policies] == [0.5]
    assert dict(scenario.parameters.sigma) == {"TRA": 7.0}
    assert (scenario.calendar.start, scenario.calendar.end) == (datetime.date(2009, 3, 2), datetime.date(2012, 1, 1))
    assert math.isinf(scenario.adjustment.entry)
    json.dumps(scenario.overrides, allow_nan=False)
    with pytest.raises(ScenarioError, match=r"--set name: name: a scenario cannot hold a complex"):
        scenario.replace({"name": 1j})


def test_a_sector_is_overridden_under_either_of_its_names():
    changed = Scenario.from_yaml(FULL).replace({"parameters.epsilon.TRA": 0.9, "parameters.sigma.Machinery": 2.0})
    assert dict(changed.parameters.epsilon) == {"TRA": 0.9}
    assert dict(changed.parameters.sigma) == {"TRA": 5.0, "MAC": 2.0}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("tecnology=fixed", r"--set tecnology: tecnology: unknown key \(did you mean 'technology'\?\)"),
        ("calendar.ende=2012", r"--set calendar.ende: calendar.ende: unknown key \(did you mean 'end'\?\)"),
        ("foo.bar=1", r"--set foo.bar: foo: unknown key"),
        ("technology=fixe", r"--set technology: technology: should be .* \(did you mean 'fixed'\?\)"),
        ("policies.0.rate=-3", r"--set policies.0.rate: policies.0.rate: should be above -1, not -3"),
        ("policies.3.rate=1", r"--set policies.3.rate: policies.3: policies is a list: .* 0 to 2"),
        ("policies.one.rate=1", r"policies is a list"),
        ("technology.x=1", r"technology is a single value"),
        ("calendar..end=1", r"a name is missing between two dots"),
        # The end stands in the file, yet the override brought the problem about.
        ("calendar.start=2017", r"--set calendar.start: calendar.end: the end 2012-12-31 comes before"),
        ("policies.1.type=export_tax", r"--set policies.1.type: policies.1.rate: this key is missing"),
        ("calendar.start=[", r"--set calendar.start:1:\d+: this is not YAML"),
        ("calendar.start=!!str x", r"--set calendar.start:1:1: tags"),
        ("calendar.start", r"--set: .*sets nothing \(write a.b=value"),
        ("=1", r"--set: .*sets nothing"),
    ],
)
def test_a_wrong_override_is_refused_under_its_own_address(tmp_path, assignment, said):
    file = tmp_path / "full.yaml"
    file.write_text(FULL, encoding="utf-8")
    assert any(re.match(f".*{said}", str(problem)) for problem in check(file, set=[assignment]))


def test_a_problem_of_the_file_keeps_its_line_beside_overrides(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(HEAD + "technology: fix\n", encoding="utf-8")
    first, second = map(str, check(file, set=["deficit=x"]))
    assert first.startswith(f"{file}:4:13: technology: ")
    assert second.startswith("--set deficit: deficit: ")
    assert check(file, set=["technology=fixed"]) == []


def test_assignments_are_yaml():
    assert parse("calendar.end=2080-12") == ("calendar.end", "2080-12")
    assert parse("output.variables=[wage, welfare]") == ("output.variables", ["wage", "welfare"])
    assert parse("adjustment.entry=.inf") == ("adjustment.entry", math.inf)
    assert parse("title=a=b") == ("title", "a=b")
    assert parse("policies.0.end=") == ("policies.0.end", None)


# --- writing ---


@pytest.mark.parametrize("text", [HEAD, FULL, TRADE], ids=["short", "full", "trade"])
def test_the_effective_yaml_means_the_same_and_is_canonical(text):
    scenario = Scenario.from_yaml(text)
    again = Scenario.from_yaml(scenario.effective_yaml())
    assert again == scenario
    assert hash(again) == hash(scenario)
    assert again.effective_yaml() == scenario.effective_yaml()
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict(), allow_nan=False))) == scenario


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60),
    st.floats(0.0, 1e6),
    st.dates(datetime.date(1000, 1, 1)),
)
def test_effective_yaml_round_trips_whatever_is_said(title, description, half_life, start):
    changes = {"title": title, "description": description, "adjustment.entry": half_life, "calendar.end": "9999"}
    scenario = Scenario.from_yaml(HEAD).replace({**changes, "calendar.start": start})
    assert scenario.title == title
    assert Scenario.from_yaml(scenario.effective_yaml()) == scenario


def test_a_scenario_is_frozen_hashable_and_picklable():
    scenario = Scenario.from_yaml(FULL)
    with pytest.raises(ValueError, match="frozen"):
        scenario.technology = "fixed"
    with pytest.raises(TypeError):
        scenario.parameters.epsilon["TRA"] = 1.0
    copy = pickle.loads(pickle.dumps(scenario))
    assert copy == scenario
    assert copy.text == FULL
    assert len({scenario, copy}) == 1


def test_it_shows_itself():
    scenario = Scenario.load("staged_quotas_2010_2015", set=["technology=fixed"])
    assert repr(scenario) == str(scenario)
    assert repr(scenario).count("\n") < 7
    assert "10 export_quota" in repr(scenario)
    assert "technology=fixed" in repr(scenario)
    html = scenario._repr_html_()
    assert html.count("position:absolute") == 13
    evil = Scenario.from_yaml(HEAD).replace(
        {"title": "<script>'\"", "policies": [ExportQuota(share=0.5, start="2010", note="'><i>")]}
    )
    assert "<script>" not in evil._repr_html_()
    assert "<b>x" in evil._repr_html_()
    assert "<i>" not in evil._repr_html_()


# --- bundled ---


def test_the_bundled_scenarios_are_known_by_name():
    titles = bundled()
    assert tuple(titles) == NAMES
    assert all(titles.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_scenario_loads_and_starts_at_the_baseline(name):
    scenario = Scenario.load(name)
    assert scenario.name == name
    assert scenario.calendar.start <= datetime.date(2010, 1, 1)
    assert scenario.calendar.end >= datetime.date(2015, 12, 31)
    first = scenario.schedule()
    assert (first.tax_ti[0] == 1.0).all()
    assert np.isposinf(first.quota_t[0])
    assert Scenario.from_yaml(scenario.effective_yaml()) == scenario
    fixed = scenario.replace({"technology": "fixed"})
    assert fixed.technology == "fixed"


@pytest.mark.parametrize(
    ("name", "tonnes"),
    [
        ("staged_quotas_2010_2015", {2010: 30_258, 2011: 30_246, 2012: 30_996, 2013: 30_999, 2014: 30_611}),
        ("effective_exports_2010_2015", {2010: 39_813, 2011: 16_900, 2012: 16_265, 2013: 22_493, 2014: 28_000}),
    ],
)
def test_the_quotas_of_a_year_add_up_to_the_published_total(name, tonnes):
    quotas = [policy for policy in Scenario.load(name).policies if isinstance(policy, ExportQuota)]
    assert {year: sum(quota.tonnes for quota in quotas if quota.start.year == year) for year in tonnes} == tonnes
    assert min(quota.start for quota in quotas) == datetime.date(2010, 1, 1)
    assert max(quota.end for quota in quotas) == datetime.date(2014, 12, 31)


def test_names_and_paths_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("baseline").write_text("not a scenario", encoding="utf-8")
    assert Scenario.load("baseline").name == "baseline"
    Path("mine.yaml").write_text(HEAD, encoding="utf-8")
    assert Scenario.load("mine.yaml") == Scenario.load(Path("mine.yaml")) == Scenario.load("./mine.yaml")
    for source, said in (
        ("basline", "no bundled scenario 'basline' .*did you mean 'baseline'.*bundled: baseline, deck_tax"),
        ("nothing like it", "bundled: baseline"),
        ("none.yaml", "none.yaml: cannot be read: No such file"),
        ("baseline.yaml", "by its name alone: baseline"),
        (tmp_path, "cannot be read"),
    ):
        (problem,) = check(source)
        assert re.search(said, str(problem))


def test_bundled_scenarios_are_found_from_anywhere(tmp_path):
    code = "import reesim.scenario as s; print(*s.bundled())"
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert tuple(run.stdout.split()) == NAMES


# --- JSON Schema ---

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_SILENT = {"title", "description", "default", "discriminator", "$defs", "$schema"}


def _is(kind, value):
    if kind in ("number", "integer"):
        return isinstance(value, int | float if kind == "number" else int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def accepts(schema, value, root):
    """Whether a value satisfies a JSON Schema; an unknown keyword is an error, so that nothing passes unseen."""
    number, text, items, members = (_is(kind, value) for kind in ("number", "string", "array", "object"))
    known = schema.get("properties", {})
    rules = {
        "$ref": lambda ref: accepts(root["$defs"][ref.removeprefix("#/$defs/")], value, root),
        "type": lambda kinds: any(_is(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds)),
        "const": lambda const: value == const,
        "enum": lambda choices: value in choices,
        "anyOf": lambda options: any(accepts(option, value, root) for option in options),
        "oneOf": lambda options: sum(accepts(option, value, root) for option in options) == 1,
        "pattern": lambda pattern: not text or re.search(pattern, value) is not None,
        "maxLength": lambda most: not text or len(value) <= most,
        "minimum": lambda bound: not number or value >= bound,
        "maximum": lambda bound: not number or value <= bound,
        "exclusiveMinimum": lambda bound: not number or value > bound,
        "exclusiveMaximum": lambda bound: not number or value < bound,
        "items": lambda item: not items or all(accepts(item, element, root) for element in value),
        "minItems": lambda least: not items or len(value) >= least,
        "required": lambda names: not members or set(names) <= set(value),
        "properties": lambda fields: (
            not members or all(accepts(fields[key], value[key], root) for key in value if key in fields)
        ),
        "additionalProperties": lambda rest: (
            not members
            or all(
                accepts(rest, value[key], root) if isinstance(rest, dict) else rest for key in value if key not in known
            )
        ),
    }
    return all(rules[key](argument) for key, argument in schema.items() if key not in _SILENT)


@pytest.mark.parametrize("text", [HEAD, FULL, TRADE, *(Scenario.load(name).text for name in NAMES)])
def test_the_json_schema_accepts_what_is_valid(text):
    schema = json_schema()
    assert accepts(schema, yaml_source.read(text).data, schema)
    assert accepts(schema, Scenario.from_yaml(text).to_dict(), schema)


@pytest.mark.parametrize(
    "lines",
    [
        "tecnology: fixed",
        "technology: fixd",
        "calibration: {baseline_exports_tonnes: 0}",
        "parameters: {mu: 1}",
        "parameters: {sigma: x}",
        "policies: [{type: export_tax, start: 2010-07}]",
        "policies: [{type: export_tax, rate: 1, start: July}]",
        "policies: [{type: quota, share: 1, start: 2010}]",
        "output: {every: 0}",
        "policies: [{type: tariff, rate: -1, start: 2010}]",
        "policies: [{type: tariff, rate: 25, start: 2010}]",
        "policies: [{type: goods_export_tax, add: 25, start: 2010}]",
        "policies: [{type: iceberg, factor: 0, start: 2010}]",
        "policies: [{type: innovation_subsidy, rate: 0.1, bundle: S, start: 2010}]",
        "policies: [{type: productivity, factor: 1, region: [JPN], start: 2010}]",
        "calibration: {ree_shares: no}",
        "parameters: {ree_supply_elasticity: -1}",
    ],
)
def test_the_json_schema_refuses_what_it_can(lines):
    schema = json_schema()
    text = f"{HEAD}{lines}\n"
    assert problems(text)
    assert not accepts(schema, yaml_source.read(text).data, schema)


def test_the_json_schema_is_json():
    schema = json_schema()
    assert schema == json.loads(json.dumps(schema, allow_nan=False))
    assert schema["$schema"].endswith("2020-12/schema")
    assert {"schema", "name"} == set(schema["required"])
