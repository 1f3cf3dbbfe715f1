"""Structural estimation of epsilon and gamma by sector from the direction of innovation, (24), and what follows from it.

>>> from reesim.empirics.structural import exercise
"""
