"""Scenarios that come with reesim; each runs by its name."""
