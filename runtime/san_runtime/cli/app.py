"""The group of all commands, with one line of help each, so that ``--help`` loads none."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Final

import click

from san_stream.errors import MissingExtraError, SettingError

COMMANDS: Final = {
    "encode": "Encode a record into a file.",
    "decode": "Decode a file into a WFDB record, CSV or NumPy array.",
    "replay": "Replay a record as if it were live, into files and sockets.",
    "monitor": "Watch a live stream or a growing file in the terminal.",
    "info": "Say what a file holds and where its bytes went.",
    "verify": "Check a file: checksums, continuity, digest.",
    "compare": "Compare two files or records, lead by lead.",
    "train": "Train kernels on records (extra 'train').",
    "reproduce": "Run the paper's experiments again (extra 'train').",
    "sweep": "Train over a grid of settings, and go on where it stopped (extra 'train').",
    "export": "Export a model to ONNX (extra 'export').",
    "demo": "Show everything on a minute of ECG.",
    "doctor": "Say what is installed and what is missing.",
}
"""Commands in the order in which help lists them."""

PLUGINS: Final = "san_stream.commands"
"""Entry points of commands that other packages bring: a name and a `click.Command`."""

PLUGIN_EXTRAS: Final = {
    "train": "train",
    "reproduce": "train",
    "sweep": "train",
    "export": "export",
}
"""Those commands, and the extra that each needs."""


class Commands(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in PLUGIN_EXTRAS:
            return _plugin(cmd_name)
        module = "san_runtime.demo" if cmd_name == "demo" else f"san_runtime.cli.{cmd_name}"
        command = import_module(module).command
        return _checked(cmd_name, command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of help, without loading a command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _plugin(name: str) -> click.Command:
    found = tuple(entry_points(group=PLUGINS, name=name))
    if not found:
        raise SettingError(f"command {name!r}: no installed package brings it")
    try:
        command = found[0].load()
    except ImportError as error:
        if isinstance(error, MissingExtraError):
            raise
        extra = PLUGIN_EXTRAS[name]
        raise MissingExtraError(error.name or "?", extra, f"command {name!r}") from None
    return _checked(name, command)


def _checked(name: str, command: object) -> click.Command:
    if callable(command) and not isinstance(command, click.Command):
        command = command()
    if not isinstance(command, click.Command):
        raise SettingError(f"command {name!r}: {type(command).__name__} is no command")
    return command


def _version() -> str:
    try:
        return version("san-stream")
    except PackageNotFoundError:
        return "not installed"


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Not a medical device.",
)
@click.version_option(_version(), prog_name="san-stream")
def app() -> None:
    """Live codec for ECG, EEG and other biosignals, built on Sparsely Activated Networks."""
