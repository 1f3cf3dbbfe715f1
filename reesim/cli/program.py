"""What all programs of the package share: errors become messages and exit codes, streams never end in a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from reesim.cli import output
from reesim.errors import InputError, ReesimError, StoreError

INTERRUPTED = 130
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Base of what typer raises for a command line it cannot read, whichever click it carries."""


class Commands(TyperGroup):
    """The commands, with every error that has a message turned into that message and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run a command line and leave the process with its exit code."""
        arguments = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in arguments
        options["standalone_mode"] = False
        try:
            code = super().main(arguments, *rest, **options) or 0
            sys.stdout.flush()
        except BrokenPipeError:
            code = 1  # who read the output has seen enough: nothing to tell
        except (ReesimError, OSError, _USAGE_ERROR) as error:
            code = _report(error, as_json)
        if code == INTERRUPTED:
            _report(KeyboardInterrupt("interrupted: no result was left half-written"), as_json)
        output.settle()
        sys.exit(code)


def _report(error: BaseException, as_json: bool) -> int:
    """Show an error and return its exit code."""
    code, message = INTERRUPTED, str(error)
    if isinstance(error, _USAGE_ERROR):
        code, message = InputError.exit_code, error.format_message()  # type: ignore[attr-defined]
        error.show()  # type: ignore[attr-defined]  # click's own: usage, where help is, the message
    elif isinstance(error, ReesimError):
        code = error.exit_code
    elif isinstance(error, OSError):
        code = StoreError.exit_code
        message = f"{error.filename or 'output'}: {error.strerror or error}"
    if not isinstance(error, _USAGE_ERROR):
        output.note(message)
    if as_json:
        output.say_error(error, code, message)
    return code


def application(epilog: str) -> typer.Typer:
    """Make a program without commands.

    Parameters
    ----------
    epilog : str
        What stands under its help: the exit codes.
    """
    return typer.Typer(
        cls=Commands,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        epilog=epilog,
    )


def start(app: typer.Typer, name: str) -> None:
    """Run a program in a process of its own, under the name that its help shows."""
    # The matrices here are small: on a busy machine two threads of a linear-algebra library mostly wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter shows a question mark instead of a traceback.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name=name)
