"""Observed series of the episode of 2009 to 2015; the README in this folder says what they are."""
