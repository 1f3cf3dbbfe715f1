from reesim._core.layout import Array, Parameters

EQUATIONS: tuple[str, ...]

def residual(
    parameters: Parameters, policy: Array, at_once: tuple[bool, bool, bool], row: Array
) -> tuple[float, str, int, int]: ...
