"""Compiled modules of reesim. Everything else about the package stands in pyproject.toml.

``REESIM_DEBUG=1`` builds the core with bounds, initialisation and division checks on; the test suite passes on both builds.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("REESIM_DEBUG", "") not in ("", "0")
EXTENSIONS = ("blocks", "market", "temporary", "certificate", "stepper", "static")
DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": not DEBUG,
}
# No -ffast-math: it would defeat the tests for nan, and no contraction, so that a number does not depend on the compiler's mood.
COMPILE = ["-O1", "-g"] if DEBUG else ["-O3", "-ffp-contract=off", "-fno-math-errno"]

setup(
    ext_modules=cythonize(
        [
            Extension(f"reesim._core.{name}", [f"reesim/_core/{name}.pyx"], extra_compile_args=COMPILE)
            for name in EXTENSIONS
        ],
        compiler_directives=DIRECTIVES,
    )
)
