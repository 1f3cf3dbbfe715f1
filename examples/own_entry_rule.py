"""Replace one behaviour: firms that enter only after profit has been above cost for a while.

Run it as ``python examples/own_entry_rule.py``. The rule owns a state, the smoothed incentive, which is recorded with
the path.
"""

import numpy as np

import reesim
from reesim.rules import Period, State, TemporaryEquilibrium, share_of_gap


class CautiousEntry:
    """Entry follows a moving average of profit over cost instead of its value of the day.

    Parameters
    ----------
    half_life : float
        Half-life of entry, years.
    memory : float
        Half-life of the average, years.
    """

    def __init__(self, half_life: float = 2.0, memory: float = 1.0) -> None:
        self.half_life, self.memory = half_life, memory
        self.name = f"cautious entry (half-life {half_life:g}, memory {memory:g} years)"
        self.state = {"pull_R": np.zeros((5, 14)), "pull_L": np.zeros((5, 14))}

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> tuple[np.ndarray, np.ndarray]:
        """Return the measures of R and L varieties at the next opening, (region, sector) each."""
        learnt = share_of_gap(self.memory, period.years)
        gaps = {"pull_R": equilibrium.profit_gap_R, "pull_L": equilibrium.profit_gap_L}
        self.state = {name: pull + learnt * (np.log(gaps[name]) - pull) for name, pull in self.state.items()}
        step = share_of_gap(self.half_life, period.years)
        return state.A_R * np.exp(step * self.state["pull_R"]), state.A_L * np.exp(step * self.state["pull_L"])


def main() -> None:
    """Compare cautious entry with the default on the deck's tax."""
    usual = reesim.Simulation("deck_tax").run()
    cautious = reesim.Simulation("deck_tax", entry=CautiousEntry()).run()
    for name, path in (("default", usual), ("cautious", cautious)):
        bias = (path["A_R"] / path["A_L"])["JPN"]["TRA"]
        print(f"{name:>9}: A_R/A_L in Japan's transport equipment peaks at {bias.max():.4f} in {bias.idxmax():%B %Y}")
    print(cautious.provenance.rules)


if __name__ == "__main__":
    main()
