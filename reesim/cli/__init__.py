"""The command line: ``reesim run``, ``solve``, ``compare``, ``show``, ``check`` and the rest."""

from reesim.cli.commands import app, main

__all__ = ["app", "main"]
