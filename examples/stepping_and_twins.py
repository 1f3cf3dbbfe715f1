"""Step through a scenario by hand, branch it, and compare its twin with fixed technology.

Run it as ``python examples/stepping_and_twins.py``; it takes a few seconds and writes nothing.
"""

import reesim


def main() -> None:
    """Walk through the episode until mid-2012, then ask what technology contributed."""
    scenario = reesim.Scenario.load("staged_quotas_2010_2015")
    simulation = reesim.Simulation(scenario)
    simulation.run_until("2010-10")
    japan = simulation.economy.region("JPN")
    variety = simulation.economy.sector("JPN", "Transport equipment").variety("R")
    print(f"{simulation.time:%B %Y}: Japan pays {japan.ree_price:.1f} times its baseline price for rare earths;")
    incentive = variety.profit / variety.entry_cost
    print(f"  a rare-earth variety in transport equipment earns {incentive:.2f} times its entry cost")

    # A branch goes on from the same point, bit for bit; the original stays where it is.
    later = simulation.branch().run_until("2012-06")
    print(f"{later.time:%B %Y} on the branch, while the original stands at {simulation.time:%B %Y}")

    path = simulation.run()
    twin = reesim.Simulation(scenario.replace({"technology": "fixed"})).run()
    print(repr(reesim.compare(twin, path)))
    gap = 100 * (path["welfare"] - twin["welfare"]).loc["2014-12-01"]
    print("What technology adds to welfare in December 2014, per cent of baseline:")
    print(gap.round(5).to_string())


if __name__ == "__main__":
    main()
