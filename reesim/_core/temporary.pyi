from reesim._core.layout import Array, Parameters

def evaluate(
    parameters: Parameters, policy: Array, at_once: tuple[bool, bool, bool], row: Array, x: Array
) -> tuple[Array, Array]: ...
