"""Regressions of the exercises, (26): samples, fits with high-dimensional fixed effects, event studies, robustness.

>>> from reesim.empirics.regress.fit import ols, ppml
>>> from reesim.empirics.regress.design import default_sensitivity, design
>>> from reesim.empirics.regress.exercise import run_exports, run_patents

pyfixest is imported when a fit is computed, and not before.
"""
