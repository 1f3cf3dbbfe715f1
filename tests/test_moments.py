"""What calibration moments must say: what is matched is matched, and what is not is said to be not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reesim.calibration import calibrate
from reesim.data import tables
from reesim.data.tables import TradeTable
from reesim.errors import InputError
from reesim.labels import Labels
from reesim.moments import COLUMNS, TOLERANCE, moments
from reesim.scenario import Scenario
from reesim.scenario.checking import World


def calibration(**changes):
    return calibrate(Scenario.load("staged_quotas_2010_2015").replace(changes))


@pytest.fixture(scope="module")
def deck():
    return moments(calibration(**{"calibration.ree_shares": "deck"}))


@pytest.fixture(scope="module")
def accounts():
    return moments(calibration(**{"calibration.ree_shares": "accounts"}))


def rows(frame, moment):
    found = frame[frame["moment"] == moment]
    assert len(found), moment
    return found


def test_columns_and_statuses(deck):
    assert tuple(deck.columns) == COLUMNS
    assert set(deck["status"]) == {"matched", "not matched", "not available"}


def test_every_status_follows_from_its_own_numbers(deck, accounts):
    for frame in (deck, accounts):
        known = frame[frame["status"] != "not available"]
        share = known["unit"].str.startswith("share")
        allowed = np.where(share, TOLERANCE, TOLERANCE * known["target"].abs())
        assert ((known["deviation"].abs() <= allowed) == (known["status"] == "matched")).all()
        assert np.array_equal(known["deviation"], known["model"] - known["target"])
        assert frame[frame["status"] == "not available"]["target"].isna().all()


def test_no_source_is_missing_where_there_is_a_target(deck):
    assert (deck[deck["status"] != "not available"]["source"].str.strip() != "").all()


@pytest.mark.parametrize("moment", ["value added", "exports"])
def test_accounts_of_the_table_are_matched_in_every_region(deck, moment):
    found = rows(deck, moment)
    assert list(found["region"]) == ["CHN", "EU", "JPN", "USA", "ROW"]
    assert (found["status"] == "matched").all()


@pytest.mark.parametrize(
    "moment",
    [
        "consumption expenditure shares (alpha)",
        "value-added shares (phi)",
        "material shares (phi)",
        "trade shares (pi)",
    ],
)
def test_shares_are_matched_and_reported_as_one_block(deck, moment):
    (status,) = rows(deck, moment)["status"]
    assert status == "matched"


def test_gdp_is_value_added_plus_net_sales_of_rare_earths(deck):
    """The deviations are the rare-earth trade, so they add up to nothing over the world."""
    found = rows(deck, "GDP")
    # Differences of numbers of 1e7 keep about 1e-8.
    assert found["deviation"].sum() == pytest.approx(0.0, abs=1e-6)
    china = found.set_index("region").loc["CHN"]
    assert china["deviation"] == pytest.approx(rows(deck, "rare-earth exports, value")["model"].iloc[0], rel=1e-9)


def test_deck_shares_give_ten_times_the_market(deck):
    """The model document: about 11.6 billion USD against a market of about 1.2."""
    (row,) = rows(deck, "rare-earth receipts, world market").to_dict("records")
    assert row["status"] == "not matched"
    # 11.6 is given to three digits.
    assert row["model"] == pytest.approx(11_600, rel=0.005)
    assert "9.8" in row["note"]


def test_accounts_match_market_and_split_by_region(accounts):
    assert list(rows(accounts, "rare-earth receipts, world market")["status"]) == ["matched"]
    found = rows(accounts, "rare-earth use by region")
    assert (found["status"] == "matched").all()
    assert found["note"].str.contains("unverified").all()  # the split is from memory, and every output says so


def test_the_deck_does_not_match_the_split_by_region(deck):
    found = rows(deck, "rare-earth use by region")
    assert (found["status"] == "not matched").all()
    # Shares add up to one on both sides.
    assert found[["target", "model"]].sum().to_numpy() == pytest.approx([1.0, 1.0], rel=1e-12)


def test_technology_bias_is_not_available(deck):
    (row,) = rows(deck, "relative technology bias (A_R/A_L)").to_dict("records")
    assert row["status"] == "not available"
    assert "hats only" in row["note"]


def test_labour_is_matched_as_income_but_not_in_persons(deck):
    assert (rows(deck, "labour endowment, as income")["status"] == "matched").all()
    assert (rows(deck, "labour endowment, in persons")["status"] == "not matched").all()


def test_research_paid_in_the_final_good_takes_labour_income_away():
    found = rows(moments(calibration(entry_cost="final_good")), "labour endowment, as income")
    assert (found["status"] == "not matched").all()
    assert found["note"].str.contains("research").all()


def test_a_wrong_share_is_found_with_its_cell():
    right = calibration()
    final, trade = np.array(right.final_is), np.array(right.trade_jis)
    japan, sector = right.regions.index("JPN"), right.sectors.index("TRA")
    # More cars bought at home: accounts still balance, and one region's shares are off.
    extra = 0.1 * final[japan].sum()
    final[japan, sector] += extra
    trade[japan, japan, sector] += extra
    (row,) = rows(
        moments(right.replace(final_is=final, trade_jis=trade)), "consumption expenditure shares (alpha)"
    ).to_dict("records")
    assert (row["status"], row["region"], row["sector"]) == ("not matched", "JPN", "TRA")


def test_a_table_with_other_labels_is_refused():
    table = tables.embedded()
    other = replace(table, regions=Labels("region", ("A", "B", "C", "D", "E"), ("a1", "b1", "c1", "d1", "e1")))
    with pytest.raises(InputError, match="calibrated from"):
        moments(calibration(), other)


def own_world(year=2018, **changes):
    """Two regions and two sectors, tariffs in force, and a scenario without rare earths unless it is changed."""
    flows = np.array([[10, 20, 5, 5], [5, 10, 10, 5], [5, 5, 10, 20], [5, 5, 5, 10]], dtype=float).reshape(2, 2, 2, 2)
    final = np.array([[50, 10], [60, 20], [20, 50], [10, 60]], dtype=float).reshape(2, 2, 2)
    tariff = np.zeros((2, 2, 2))
    tariff[1, 0] = 0.1
    trade = (flows.sum(axis=3) + final).transpose(0, 2, 1)
    paid = (1.0 + tariff)[:, :, :, None]
    table = TradeTable(
        year=year,
        regions=Labels("region", ("CHN", "B"), ("China", "Bee")),
        sectors=Labels("sector", ("W", "C"), ("Wheat", "Cloth")),
        trade_jis=trade,
        materials_iks=(flows.transpose(0, 2, 1, 3) * paid).sum(axis=0).transpose(0, 2, 1),
        final_is=(final.transpose(0, 2, 1) * paid[..., 0]).sum(axis=0),
        source="made up",
        licence="",
        command="",
        tariff_jis=tariff,
    )
    world = World(table.regions, table.sectors, None, {"W": (1.0, 0.0), "C": (1.0, 0.0)})
    data = {
        "schema": "reesim.scenario/1",
        "name": "own",
        "calendar": {"start": "2020", "end": "2020", "step": "year"},
        **changes,
    }
    return calibrate(Scenario.from_dict(data, world=world), table), table


def test_a_world_without_rare_earths_has_no_moments_of_them():
    frame = moments(*own_world(technology="none"))
    assert not [name for name in frame["moment"] if "rare" in name or "bias" in name]
    assert set(frame[frame["status"] != "matched"]["moment"]) == {"labour endowment, in persons"}


def test_tariffs_are_part_of_product_and_no_deficit():
    calibration, table = own_world(technology="none")
    frame = moments(calibration, table)
    product = rows(frame, "GDP").set_index("region")["target"]
    assert product["CHN"] == pytest.approx(table.value_added_is[0].sum() + table.tariff_revenue_i[0], rel=1e-12)
    assert rows(frame, "trade deficit")["target"].sum() == pytest.approx(0.0, abs=1e-9)


def test_accounts_of_another_year_are_no_target():
    gamma = {"parameters": {"gamma": {"W": 0.1}, "epsilon": {"W": 0.6}}, "calibration": {"exporter": "CHN"}}
    for year in (2018, 2009):
        frame = moments(*own_world(year, **gamma))
        (status,) = set(rows(frame, "rare-earth receipts, world market")["status"])
        assert (status == "not available") == (year != 2009)
