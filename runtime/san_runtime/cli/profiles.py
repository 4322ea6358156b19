"""Options that say what is sent of a signal, and the profile that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import click

from san_runtime.cli.options import Number
from san_stream.errors import SettingError
from san_stream.kernels import Kernels
from san_stream.profiles import PRESETS, Bounded, Lossless, Preset, Quality, Spikes

if TYPE_CHECKING:
    from san_stream.profiles import Profile
    from san_stream.types import StreamInfo

NAMES = ("lossless", "bounded", "quality", "spikes")
BELONGS = {
    "preset": ("lossless", "bounded"),
    "max_error": ("bounded",),
    "prdn": ("quality",),
    "bps": ("quality",),
    "step": ("quality",),
    "model": ("spikes", "quality", "bounded"),
}
"""Profiles that an option is for; the first one is meant where no profile is named."""


def profile_options(function: Any) -> Any:
    """What is sent of the signal."""
    for option in (
        click.option(
            "--resilient",
            is_flag=True,
            help="More resets, so that a loss costs seconds; for lossy links.",
        ),
        click.option(
            "--reset",
            type=Number(above=True),
            metavar="S",
            help="Seconds between points where a decoder can start.",
        ),
        click.option(
            "--window", type=click.IntRange(min=1), metavar="N", help="Samples of a window; 1000."
        ),
        click.option(
            "--block", type=click.IntRange(min=1), metavar="N", help="Samples of a coded block."
        ),
        click.option(
            "--delay",
            type=Number(above=True),
            metavar="S",
            help="Delay of quality and bounded in all, 0.5 to 8 s; 4.3.",
        ),
        click.option(
            "--model",
            metavar="FILE",
            help="Trained kernels: of spikes (implied), or for quality and bounded to begin with.",
        ),
        click.option("--step", type=Number(above=True), metavar="Q", help="Quality: fixed step."),
        click.option("--bps", type=Number(above=True), metavar="B", help="Quality: bits a sample."),
        click.option("--prdn", type=Number(above=True), metavar="P", help="Quality: PRDN in %."),
        click.option(
            "--max-error",
            metavar="E",
            help="Bounded: largest error, in ADC units or as 50uV by each lead's gain.",
        ),
        click.option(
            "--preset",
            metavar="NAME",
            help="Lossless: tiny, fast, lean (default) or max; more bits saved, more work.",
        ),
        click.option(
            "--profile",
            type=click.Choice(NAMES),
            help="Every sample (lossless, default), within an error, at a quality, or spikes.",
        ),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class ProfileChoice:
    """What the options say; the profile of a stream may depend on its leads.

    Raises:
        SettingError: options that do not go together, or one is missing.
    """

    profile: str | None
    preset: str | None = None
    max_error: str | None = None
    prdn: float | None = None
    bps: float | None = None
    step: float | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        name = self.name
        for option, homes in BELONGS.items():
            if getattr(self, option) is not None and name not in homes:
                dashed = option.replace("_", "-")
                value = getattr(self, option)
                raise SettingError(f"--{dashed} {value}: profile {name} takes no {dashed}")
        if name == "spikes" and self.model is None:
            raise SettingError("profile spikes needs --model FILE")
        if name == "bounded" and self.max_error is None:
            raise SettingError("profile bounded needs --max-error E, such as 10 or 50uV")
        if name == "quality" and self.prdn is self.bps is self.step is None:
            raise SettingError("profile quality needs --prdn P, --bps B or --step Q")

    @property
    def name(self) -> str:
        """The profile's name: as given, or as the other options imply."""
        if self.profile is not None:
            return self.profile
        order = ("max_error", "prdn", "bps", "step", "model", "preset")
        given = [option for option in order if getattr(self, option) is not None]
        return BELONGS[given[0]][0] if given else "lossless"

    def of(self, info: StreamInfo) -> Profile:
        """The profile for a stream.

        Raises:
            SettingError: a value outside its limits, or a unit that a lead does not have.
            ModelError: the model file is malformed.
        """
        if self.name == "lossless":
            return Lossless(_preset(self.preset))
        if self.max_error is not None:
            return Bounded.of(self.max_error, info.leads, _preset(self.preset))
        if self.name == "spikes" and self.model is not None:
            return Spikes(Kernels.load(self.model))
        return Quality(prdn=self.prdn, bps=self.bps, step=self.step)

    def begin_with(self) -> Kernels | None:
        """The model whose kernels leads begin with, of profiles that learn their own.

        Raises:
            ModelError: the model file is malformed.
        """
        if self.model is None or self.name == "spikes":
            return None
        return Kernels.load(self.model)


def _preset(name: str | None) -> Preset:
    for known in get_args(Preset):
        if name == known:
            return PRESETS[PRESETS.index(known)]
    if name is None:
        return "lean"
    raise SettingError(f"preset {name!r}: must be one of {', '.join(PRESETS)}")


def take_profile(options: dict[str, Any]) -> ProfileChoice:
    """The profile's options, taken out of all options of a command."""
    return ProfileChoice(options.pop("profile"), **{name: options.pop(name) for name in BELONGS})
