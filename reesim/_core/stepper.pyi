from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reesim._core.layout import Array, Parameters

class Stepper:
    parameters: Parameters
    speeds: tuple[float, float, float]
    passes: int
    fault: tuple[int, float, int, str, int, int]
    def __init__(self, parameters: Parameters, speeds: Sequence[float]) -> None: ...
    def solve(self, policy: Array) -> tuple[Array, float] | None: ...
    def follow(self) -> None: ...
    def run(
        self,
        policies: Array,
        regimes: npt.NDArray[np.int64],
        substeps: int,
        tolerance: float,
        rows: Array,
        residuals: Array,
    ) -> int: ...
    @property
    def row(self) -> Array: ...
    @property
    def state(self) -> Array: ...
    def copy(self) -> Stepper: ...
    def save(self) -> tuple[Array, ...]: ...
    def restore(self, saved: tuple[Array, ...]) -> None: ...
