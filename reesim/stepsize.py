"""How long an explicit step of prices and trade shares may be, (21)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from reesim.errors import InputError
from reesim.rules import share_of_gap

FEEDBACK = 1.4
"""Strength of the loop from shares through wages and costs to posted prices, relative to sigma - 1 (see `stable_step`)."""

MARGIN = 1.1
ALONE = 1.4
"""Below 2, where one gap closed in proportion would start to overshoot for good. `FEEDBACK`, `MARGIN` and `ALONE` were set by
running 60 years after a tax at sigma 3, 6 and 9, half-lives of 0 to 2 years and steps of a month and a year: every choice of
`choose_substeps` settles, and 1.6 times longer steps do not in nine cases of ten."""

ACCURATE = 0.25
"""Share of a gap that "auto" lets a step close: explicit steps are of first order, and longer ones show."""

MOST_SUBSTEPS = 100_000


def stable_step(price_life: float, trade_life: float, years: float, sigma: float) -> bool:
    """Whether one explicit step of prices and trade shares contracts, with a margin.

    A share moves wages, they move costs, those posted prices, and these the shares again with elasticity sigma - 1. A step that
    closes the share a of each gap turns this loop by 1 - a ± i a sqrt(feedback), which leaves the unit circle when a is large.
    """
    price, trade = share_of_gap(price_life, years), share_of_gap(trade_life, years)
    loop = FEEDBACK * max(abs(sigma - 1.0), 1.0)
    if price == 1.0 and trade == 1.0:
        return True
    if price == 1.0 or trade == 1.0:
        return min(price, trade) * (1.0 + loop) < ALONE
    return price * trade == 0.0 or price + trade > MARGIN * price * trade * (1.0 + loop)


def choose_substeps(
    asked: int | Literal["auto"],
    price_life: float,
    trade_life: float,
    years: float,
    sigma: float,
    half_lives: Sequence[float] = (),
) -> int:
    """Steps in a period of some years.

    Parameters
    ----------
    asked : int or "auto"
        What the scenario says; "auto" is the fewest that are stable and close no more than a quarter of any gap.
    price_life, trade_life : float
        Half-lives in years.
    years : float
        Length of the period.
    sigma : float
        Largest trade elasticity.
    half_lives : sequence of float
        Of all states, for the accuracy of "auto".

    Raises
    ------
    InputError
        If the steps asked for are too few to be stable: prices and trade would chase each other ever further.
    """
    need = 1
    while not stable_step(price_life, trade_life, years / need, sigma):
        need += 1
        if need > MOST_SUBSTEPS:
            raise InputError("half-lives of prices and trade are too short to step through: use 0 for at once")
    if asked == "auto":
        while any(ACCURATE < share_of_gap(life, years / need) < 1.0 for life in half_lives if life > 0.0):
            need += 1
        return need
    if asked < need:
        raise InputError(
            f"calendar.substeps {asked} is too few: with half-lives of {price_life:g} (prices) and {trade_life:g} (trade) years "
            f"an explicit step of {years / asked:.3g} years is unstable. Use {need} or 'auto', or longer half-lives"
        )
    return asked
