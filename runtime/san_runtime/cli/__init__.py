"""The command ``san-stream``. Each command is a module, loaded when it is asked for."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

BAD_INPUT = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
COMPILING = "compiling the codec for this machine: about a minute, this once"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: arguments without the program's name; None: those of the process.

    Returns:
        Exit status: 0 done; 1 `verify` found damage; 2 bad input, with one line on standard
        error; 130 Ctrl-C.
    """
    try:
        import click
    except ImportError:
        sys.stderr.write(
            "san-stream: error: the command line needs the package 'click': "
            "pip install 'san-stream[runtime]'\n"
        )
        return BAD_INPUT
    from san_runtime.announce import when_compiling
    from san_runtime.cli.app import app
    from san_runtime.cli.console import escape, note
    from san_stream.errors import SanStreamError

    if sys.stderr.isatty():
        when_compiling(lambda: note(COMPILING))
    try:
        result = app.main(args=argv, prog_name="san-stream", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return BAD_INPUT
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "san-stream"
        return _fail(f"{escape(error.format_message())} See '{where} --help'.")
    except click.ClickException as error:
        return _fail(escape(error.format_message()))
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except SanStreamError as error:
        return _fail(escape(str(error)))
    except BrokenPipeError:
        # Nobody reads any more; Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        name = f"{os.fspath(error.filename)!r}: " if error.filename else ""
        return _fail(escape(f"{name}{error.strerror or error}"))
    return result if isinstance(result, int) else 0


def _fail(message: str, status: int = BAD_INPUT) -> int:
    sys.stderr.write(f"san-stream: error: {message}\n")
    return status
