"""Elementary functions of whole arrays: the same bits as NumPy's, whatever the length."""

from __future__ import annotations

import numpy as np
import pytest
from reesim._core.vector import apply_all

FUNCTIONS = (np.exp, np.log, np.expm1, np.log1p)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000, 4097])
def test_the_bits_of_numpy(length):
    x = np.random.default_rng(length).uniform(1e-3, 3.0, length)
    expected = np.array([function(x) for function in FUNCTIONS])
    np.testing.assert_array_equal(apply_all(x), expected)


def test_where_a_number_stands_does_not_matter():
    """Loops work on several numbers at once: the last few of an array come out as if they stood first."""
    x = np.random.default_rng(0).uniform(1e-3, 3.0, 41)
    together = apply_all(x)
    for k in range(len(x)):
        np.testing.assert_array_equal(apply_all(x[k : k + 1])[:, 0], together[:, k])


def test_small_numbers_keep_their_digits():
    x = np.array([1e-300, 1e-17, 1e-9])
    found = apply_all(x)
    np.testing.assert_allclose(found[2], x + 0.5 * x**2, rtol=1e-15)
    np.testing.assert_allclose(found[3], x - 0.5 * x**2, rtol=1e-15)


def test_what_is_not_finite_is_passed_on():
    with np.errstate(all="ignore"):
        x = np.array([np.nan, np.inf, 0.0, -2.0, 800.0])
        found, expected = apply_all(x), np.array([function(x) for function in FUNCTIONS])
    np.testing.assert_array_equal(found, expected)
    assert np.isnan(found[:, 0]).all()


def test_an_input_is_left_as_it_was_and_may_be_read_only():
    x = np.linspace(0.5, 2.0, 33)
    before = x.copy()
    x.setflags(write=False)
    apply_all(x)
    np.testing.assert_array_equal(x, before)
