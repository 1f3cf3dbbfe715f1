"""Closed forms of (24): they invert each other, agree with the equations as written, and name their singular points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reesim.empirics.structural.inversion import (
    Technology,
    from_log_odds,
    log_odds,
    log_odds_by_epsilon,
    log_odds_gamma_of_share,
)
from reesim.errors import InputError
from reesim.shares import bundle_weight

technologies = st.builds(Technology, mu=st.floats(1.5, 20.0), delta=st.floats(0.0, 0.6))
gammas = st.floats(1e-6, 0.4)

ROUNDING = 1e-9
"""A dozen operations, of which the worst divides by a distance of 1e-3 to a singular point."""


def admissible(draw, technology):
    """An epsilon above zero that meets (9), a thousandth away from both ends."""
    most = 1.0 + 1.0 / technology.theta
    return 1e-3 + draw * (min(most, 50.0) - 2e-3)


def slope_as_written(epsilon, mu, delta):
    """Beta of (8), term by term."""
    kappa = mu - epsilon + delta * (mu - 1.0) * (1.0 - epsilon)
    return (1.0 - epsilon) * (mu - 1.0) / kappa


def direction(epsilon, gamma, log_price, technology, log_cost=0.0):
    """log(A_R/A_L) of free entry, solved from the demands (2) and prices (4) by bisection; log_cost is log(f_L/f_R)."""

    def excess(log_a):
        # P_R Y_R / (P_L Y_L) = (gamma/(1-gamma))^eps (P_R/P_L)^(1-eps), and (7) makes it A_R f_R / (A_L f_L)
        log_bundle = log_price - technology.theta * log_a
        return epsilon * log_odds(gamma) + (1.0 - epsilon) * log_bundle - (log_a - log_cost)

    low, high = -1e5, 1e5
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)


class TestInversion:
    @settings(max_examples=300, deadline=None)
    @given(technology=technologies, u=st.floats(0.0, 1.0))
    def test_slope_and_epsilon(self, technology, u):
        epsilon = admissible(u, technology)
        beta = technology.slope(epsilon)
        assert beta == pytest.approx(
            slope_as_written(epsilon, technology.mu, technology.delta), rel=ROUNDING, abs=1e-12
        )
        assert technology.admissible(beta)
        assert technology.epsilon(beta) == pytest.approx(epsilon, rel=ROUNDING)
        assert technology.kappa_of_slope(beta) == pytest.approx(technology.kappa(epsilon), rel=ROUNDING)

    @settings(max_examples=300, deadline=None)
    @given(technology=technologies, u=st.floats(0.0, 1.0))
    def test_the_other_way_of_writing_it(self, technology, u):
        """z = beta (mu - 1)/((mu - 1)(1 - beta delta) - beta)."""
        beta = float(technology.slope(admissible(u, technology)))
        z = beta * (technology.mu - 1.0) / ((technology.mu - 1.0) * (1.0 - beta * technology.delta) - beta)
        assert technology.epsilon(beta) == pytest.approx(1.0 - z, rel=ROUNDING, abs=ROUNDING)

    @settings(max_examples=100, deadline=None)
    @given(technology=technologies, u=st.floats(0.01, 0.99), gamma=gammas, price=st.floats(-3.0, 3.0))
    def test_free_entry_is_the_line(self, technology, u, gamma, price):
        """Slope and constant are those of the model's own conditions, at any price, and costs shift by (mu - 1)/kappa."""
        epsilon = admissible(u, technology)
        line = technology.slope(epsilon) * price + technology.constant(epsilon, gamma)
        found = direction(epsilon, gamma, price, technology)
        # Bisection leaves 1e5 / 2^200; what remains is rounding of numbers of up to a few hundred.
        assert found == pytest.approx(float(line), rel=1e-7, abs=1e-7)
        shifted = direction(epsilon, gamma, price, technology, log_cost=0.5) - found
        assert shifted == pytest.approx(0.5 * (technology.mu - 1.0) / technology.kappa(epsilon), rel=1e-5, abs=1e-7)

    @settings(max_examples=200, deadline=None)
    @given(technology=technologies, u=st.floats(0.01, 0.99), gamma=gammas)
    def test_constant_and_gamma(self, technology, u, gamma):
        epsilon = admissible(u, technology)
        found = technology.log_odds_gamma(technology.slope(epsilon), technology.constant(epsilon, gamma))
        assert from_log_odds(found) == pytest.approx(gamma, rel=1e-7)

    @pytest.mark.parametrize("name", ["epsilon", "kappa_of_slope", "log_odds_gamma", "log_odds_gamma by constant"])
    @pytest.mark.parametrize("beta", [-0.5, 0.0, 0.217, 0.6])
    def test_derivatives(self, name, beta):
        t, alpha, step = Technology(6.5, 0.1), -5.0, 1e-6
        around = np.array([beta - step, beta + step])
        function, expected = {
            "epsilon": (t.epsilon(around), t.epsilon_by_slope(beta)),
            "kappa_of_slope": (t.kappa_of_slope(around), t.kappa_by_slope(beta)),
            "log_odds_gamma": (t.log_odds_gamma(around, alpha), t.log_odds_by_slope(beta, alpha)),
            "log_odds_gamma by constant": (
                t.log_odds_gamma(beta, np.array([alpha - step, alpha + step])),
                t.log_odds_by_constant(beta),
            ),
        }[name]
        # Central differences: error of the order of step², and rounding over the step.
        assert (function[1] - function[0]) / (2.0 * step) == pytest.approx(float(expected), rel=1e-7)

    def test_the_slides_slopes(self):
        """Published epsilon of transport equipment and textiles at mu = 6.5, computed by hand from (8)."""
        assert Technology().slope([0.774, 1.389]).tolist() == pytest.approx([0.226 * 5.5 / 5.726, -0.389 * 5.5 / 5.111])


class TestSingularPoints:
    technology = Technology(6.5, 0.0)

    def test_where_they_are(self):
        assert self.technology.largest_slope == pytest.approx(1.0 / (1.0 + 1.0 / 5.5))
        assert self.technology.singular_slope == pytest.approx(5.5)
        assert Technology(3.0, -0.5).singular_slope == np.inf

    def test_epsilon_reaches_zero_and_then_has_no_meaning(self):
        edge = self.technology.largest_slope
        assert self.technology.epsilon(edge) == pytest.approx(0.0, abs=1e-12)
        assert not self.technology.admissible(edge)
        assert np.isnan(self.technology.epsilon([5.5, 6.0])).all()
        assert np.isnan(self.technology.kappa_of_slope(7.0))
        assert np.isnan(self.technology.log_odds_gamma([edge, 1.0], -5.0)).all()

    def test_beyond_it_the_formula_contradicts_nine(self):
        """The excluded branch: 1 + theta (1 - epsilon) would be negative."""
        theta, beta = self.technology.theta, 8.0
        assert 1.0 + theta * beta / (1.0 - theta * beta) < 0.0

    def test_interval_is_the_image(self):
        low, high = self.technology.epsilon_interval(-0.2, 0.4)
        assert (low, high) == (self.technology.epsilon(0.4), self.technology.epsilon(-0.2))

    def test_interval_is_cut_off_or_there_is_none(self):
        low, high = self.technology.epsilon_interval([0.5, 0.9], [6.0, 6.0])
        assert low[0] == 0.0
        assert high[0] == self.technology.epsilon(0.5)
        assert np.isnan([low[1], high[1]]).all()

    @settings(max_examples=200, deadline=None)
    @given(beta=st.floats(-3.0, 0.8), error=st.floats(0.01, 2.0), z=st.floats(-5.0, 0.99))
    def test_fieller(self, beta, error, z):
        """Fieller's set of z = beta/(1 - theta beta): |beta - z (1 - theta beta)| <= c se |1 + theta z|."""
        theta = self.technology.theta
        inside = abs(beta - z * (1.0 - theta * beta)) <= 1.96 * error * abs(1.0 + theta * z)
        low, high = self.technology.epsilon_interval(beta - 1.96 * error, beta + 1.96 * error)
        near = min(abs(1.0 - z - low), abs(1.0 - z - high))
        # At the ends themselves rounding decides.
        assert near < 1e-9 or inside == bool(low <= 1.0 - z <= high)


class TestShares:
    @settings(max_examples=200, deadline=None)
    @given(share=st.floats(1e-6, 0.4), epsilon=st.floats(0.3, 3.0))
    def test_at_a_price_of_one_as_the_calibration_has_it(self, share, epsilon):
        found = from_log_odds(log_odds_gamma_of_share(share, epsilon))
        assert found == pytest.approx(bundle_weight(np.array(share), np.array(epsilon)), rel=1e-9)

    @settings(max_examples=200, deadline=None)
    @given(share=st.floats(1e-6, 0.4), epsilon=st.floats(0.3, 3.0), price=st.floats(-2.0, 2.0))
    def test_twenty_three_at_any_price(self, share, epsilon, price):
        gamma = from_log_odds(log_odds_gamma_of_share(share, epsilon, price))
        back = 1.0 / (1.0 + ((1.0 - gamma) / gamma) ** epsilon * np.exp(-price) ** (1.0 - epsilon))
        assert back == pytest.approx(share, rel=1e-8)
        step = 1e-6
        ends = log_odds_gamma_of_share(share, np.array([epsilon - step, epsilon + step]), price)
        # Rounding of log odds of up to 50 over the step.
        assert np.diff(ends)[0] / (2 * step) == pytest.approx(
            float(log_odds_by_epsilon(share, epsilon, price)), rel=1e-6, abs=1e-6
        )


@pytest.mark.parametrize(("mu", "delta"), [(1.0, 0.0), (np.inf, 0.0), (6.5, -0.2), (6.5, np.nan)])
def test_technology_is_refused(mu, delta):
    with pytest.raises(InputError, match="mu"):
        Technology(mu, delta)
