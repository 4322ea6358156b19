"""What to send of a signal: the profiles of the format (docs/format.md, "Profiles")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor, isfinite
from typing import TYPE_CHECKING, Final, Literal, get_args

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_stream.kernels import Kernels
    from san_stream.types import Lead

Preset = Literal["tiny", "fast", "lean", "max"]
"""Predictive coders, from the fastest to the strongest."""
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
MAX_ERROR: Final = 2**24
PREDICTED_ERROR: Final = 2
"""Errors up to this one are held by prediction, larger ones by transform and corrections."""
AIMS: Final = ("step", "prdn", "bps")
LEAST_AIM: Final = 0.001
AIM_LIMITS: Final = {
    "step": (1 / 16, 2.0**24),
    "prdn": (LEAST_AIM, 1000.0),
    "bps": (LEAST_AIM, 32.0),
}

_QUANTITY = re.compile(r"\s*([0-9.eE+-]+)\s*([^0-9\s].*?)?\s*")
_VOLTS: Final = {"V": 0, "mV": 3, "uV": 6, "µV": 6, "μV": 6, "nV": 9}


def _check_preset(preset: str) -> None:
    if preset not in PRESETS:
        raise SettingError(f"preset {preset!r}: must be one of {', '.join(PRESETS)}")


@dataclass(frozen=True, slots=True)
class Lossless:
    """Every sample exact. The default.

    Attributes:
        preset: how much work goes into the prediction: ``"tiny"``, ``"fast"``,
            ``"lean"`` or ``"max"``.

    Raises:
        SettingError: an unknown preset.
    """

    preset: Preset = "lean"
    name: Final[str] = "lossless"

    def __post_init__(self) -> None:
        _check_preset(self.preset)


@dataclass(frozen=True, slots=True)
class Bounded:
    """Every sample within ±e of the original, whatever the signal.

    Attributes:
        max_error: e in ADC units, for all leads or one a lead; 0 to 2^24.
        preset: of the predictive coder, which serves where no e is above 2.

    Raises:
        SettingError: an error outside its limits, or an unknown preset.
    """

    max_error: int | tuple[int, ...]
    preset: Preset = "lean"
    name: Final[str] = "bounded"

    def __post_init__(self) -> None:
        errors = self.max_error if isinstance(self.max_error, tuple) else (self.max_error,)
        if not errors:
            raise SettingError("max error: no lead has one")
        for error in errors:
            if isinstance(error, bool) or not isinstance(error, int):
                raise SettingError(f"max error {error!r}: must be a whole number of ADC units")
            if not 0 <= error <= MAX_ERROR:
                raise SettingError(f"max error {error}: must be 0 to {MAX_ERROR} ADC units")
        _check_preset(self.preset)

    def errors(self, leads: int) -> tuple[int, ...]:
        """The bound of each lead.

        Raises:
            SettingError: it names another number of leads.
        """
        if not isinstance(self.max_error, tuple):
            return (self.max_error,) * leads
        if len(self.max_error) != leads:
            raise SettingError(f"max error: {len(self.max_error)} for {leads} leads")
        return self.max_error

    @property
    def predicted(self) -> bool:
        """Whether prediction, not transform and corrections, holds the bound."""
        errors = self.max_error if isinstance(self.max_error, tuple) else (self.max_error,)
        return max(errors) <= PREDICTED_ERROR

    @classmethod
    def of(cls, text: str, leads: Sequence[Lead], preset: Preset = "lean") -> Bounded:
        """A bound in words: ``"10"`` (ADC units), or ``"50uV"`` by each lead's gain.

        A physical bound becomes the largest whole number of ADC units inside it.

        Raises:
            SettingError: no such number, or a unit that a lead does not have.
        """
        match = _QUANTITY.fullmatch(text)
        try:
            value = float(match[1]) if match else float("nan")
        except ValueError:
            value = float("nan")
        if not isfinite(value) or value < 0:
            raise SettingError(f"max error {text!r}: must be a number from 0, such as 10 or 50uV")
        unit = match[2] if match else None
        if unit is None:
            if value != floor(value):
                raise SettingError(f"max error {text!r}: ADC units are whole; name a unit: 50uV")
            return cls(int(value), preset)
        return cls(tuple(_in_units(text, value, unit, lead) for lead in leads), preset)


def _in_units(text: str, value: float, unit: str, lead: Lead) -> int:
    if unit in _VOLTS and lead.unit in _VOLTS:
        value *= 10.0 ** (_VOLTS[lead.unit] - _VOLTS[unit])
    elif unit != lead.unit:
        raise SettingError(f"max error {text!r}: lead {lead.name!r} is in {lead.unit!r}")
    # A bound that is whole in ADC units may come out a hair below.
    return floor(value * abs(lead.gain) * (1 + 1e-12) + 1e-9)


@dataclass(frozen=True, slots=True)
class Quality:
    """Spikes of kernels that both ends learn from the decoded past, and a coded residual.

    One aim, no more:

    Attributes:
        prdn: PRDN in percent, cumulative, of each lead.
        bps: bits per sample, of all file bytes.
        step: of the quantiser, in ADC units; 1/16 to 2^24.

    Raises:
        SettingError: no aim or several, or one outside its limits.
    """

    prdn: float | None = None
    bps: float | None = None
    step: float | None = None
    name: Final[str] = "quality"

    def __post_init__(self) -> None:
        aims = {aim: getattr(self, aim) for aim in AIMS if getattr(self, aim) is not None}
        if len(aims) != 1:
            given = ", ".join(aims) or "none"
            raise SettingError(f"quality needs one aim of prdn, bps and step; given: {given}")
        for aim, value in aims.items():
            low, high = AIM_LIMITS[aim]
            if not (isfinite(value) and low <= value <= high):
                raise SettingError(f"{aim} {value:g}: must be {low:g} to {high:g}")

    @property
    def aim(self) -> tuple[str, float]:
        """Name and value of the aim."""
        return next((a, getattr(self, a)) for a in AIMS if getattr(self, a) is not None)


@dataclass(frozen=True, slots=True)
class Spikes:
    """Baseline and spikes of trained kernels, the sparse code of the paper.

    Attributes:
        kernels: the model; it must serve every lead of the source at the source's rate.
    """

    kernels: Kernels
    name: Final[str] = "spikes"


Profile = Lossless | Bounded | Quality | Spikes


def is_exact(profile: Profile) -> bool:
    """Whether the decoder shows the very samples, so that no loss need be told."""
    return isinstance(profile, Lossless)


def is_predicted(profile: Profile) -> bool:
    """Whether samples are predicted one by one and coded within a small bound."""
    return isinstance(profile, Lossless) or (isinstance(profile, Bounded) and profile.predicted)


def is_transformed(profile: Profile) -> bool:
    """Whether blocks are coded by spikes of adapted kernels and a transform."""
    return not isinstance(profile, Spikes) and not is_predicted(profile)
