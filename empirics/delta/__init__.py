"""δ by indirect inference: the strength of the innovation externality that gives the response of patents, (27)."""
