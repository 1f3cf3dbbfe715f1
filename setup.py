"""Compiled modules of reesim. Everything else about the package stands in pyproject.toml.

``REESIM_DEBUG=1`` builds the core unoptimised with bounds, initialisation and division checks on; ``REESIM_SANITIZE=1`` adds
the compiler's address and undefined-behaviour sanitizers, which watch every pointer (preload ``libasan`` to import it). The test
suite passes on all builds.
"""

import os

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("REESIM_DEBUG", "") not in ("", "0")
SANITIZE = (
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"] if os.environ.get("REESIM_SANITIZE") else []
)
EXTENSIONS = (
    "blocks",
    "vector",
    "trade",
    "market",
    "temporary",
    "broyden",
    "certificate",
    "stepper",
    "static_map",
    "static",
)
DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": not DEBUG,
}
# Sums may be reordered, once, by the compiler: a build gives the same bits every time. Nothing may assume that numbers are
# finite, and products are not contracted into sums; what still hangs on the processor is the width of its vectors.
SUMS = ["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"]
COMPILE = ["-O1", "-g", *SANITIZE] if DEBUG else ["-O3", "-ffp-contract=off", "-fno-math-errno", *SUMS]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"reesim._core.{name}",
                [f"reesim/_core/{name}.pyx"],
                depends=["reesim/_core/sums.h"],
                include_dirs=[numpy.get_include()],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
                extra_compile_args=COMPILE,
                extra_link_args=SANITIZE,
            )
            for name in EXTENSIONS
        ],
        compiler_directives=DIRECTIVES,
    )
)
