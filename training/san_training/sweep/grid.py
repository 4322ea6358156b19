"""The grid of a sweep: which settings, from options and from a file.

Every option of `FitSettings` can be swept under its own name; nothing here names one of them.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, fields
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from san_stream.errors import SettingError
from san_stream.kernels import MAX_KERNELS, MAX_TAPS
from san_training.command_line import parse_numbers
from san_training.fitting import FitSettings
from san_training.sweep.signals import Cut
from san_training.sweep.trial import TRIAL_ENGINES, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from san_training.sweep.signals import Signal
    from san_training.sweep.trial import TrialEngine

MOST_TRIALS: Final = 1_000_000
"""All lines of the ledger are in memory: some 4.5 kB each."""

KINDS: Final = {"bool": bool, "int": int, "float": float}
OPTIONS: Final[dict[str, type]] = {
    option.name: KINDS.get(str(option.type).removesuffix(" | None"), str)
    for option in fields(FitSettings)
    if option.default is None or isinstance(option.default, (bool, int, float, str))
}
"""Options of a training and the type of their values; what is a `Literal` there is text here."""
AXES: Final[dict[str, type]] = {"sizes": int, "kernels": int, **OPTIONS}
"""What may have several values."""
TRUTH: Final = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of values is a trial of each signal.

    Attributes:
        sizes: taps m; a model's kernels all have the same.
        kernels: kernels of a model.
        options: by names of `OPTIONS` their values; others are as `FitSettings` has them.
        engine: see `TRIAL_ENGINES`.
    """

    sizes: tuple[int, ...]
    kernels: tuple[int, ...] = (1,)
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    engine: TrialEngine = "compiled"

    def __post_init__(self) -> None:
        if self.engine not in TRIAL_ENGINES:
            raise SettingError(f"engine {self.engine!r}: must be one of {', '.join(TRIAL_ENGINES)}")
        for name, most in (("sizes", MAX_TAPS), ("kernels", MAX_KERNELS)):
            for value in getattr(self, name):
                if not 1 <= value <= most:
                    raise SettingError(f"{name} {value}: must be 1 to {most}")
        for name in self.options:
            if name not in OPTIONS:
                raise SettingError(f"option {name!r}: is none of {', '.join(OPTIONS)}")
        axes = {"sizes": self.sizes, "kernels": self.kernels, **self.options}
        for name, values in axes.items():
            if not values:
                raise SettingError(f"{name}: at least one")
        # What a setting may be its own class says, here and not in every trial.
        for name, values in self.options.items():
            for value in values:
                FitSettings(self.sizes[:1], **{name: value})
        devices = [name for name in self.options.get("device", ()) if name not in ("auto", "cpu")]
        if self.engine == "compiled" and devices:
            raise SettingError(
                f"device {devices[0]!r}: the compiled engine runs on the CPU, "
                "--engine torch on others"
            )

    def _points(self) -> Iterator[FitSettings]:
        # A value that is named twice is one.
        axes = (self.sizes, self.kernels, *self.options.values())
        for size, kernels, *values in product(*map(dict.fromkeys, axes)):
            yield FitSettings((size,) * kernels, **dict(zip(self.options, values, strict=True)))

    def trials(self, signals: Sequence[Signal]) -> list[Trial]:
        """All of them, signal by signal, the long ones first.

        Raises:
            SettingError: there are more than `MOST_TRIALS`.
        """
        count = len(signals)
        for values in (self.sizes, self.kernels, *self.options.values()):
            count *= len(set(values))
        if count > MOST_TRIALS:
            raise SettingError(f"{count} trials: at most {MOST_TRIALS}")
        # So that no process is left with a long one at the end.
        points = sorted(self._points(), key=lambda settings: -sum(settings.sizes))
        return [Trial(signal, settings, self.engine) for signal in signals for settings in points]


def make_grid(chosen: Mapping[str, Any]) -> Grid:
    """The grid of options by their names.

    Args:
        chosen: ``engine``, and names of `AXES` with a value, several, or text such as
            ``"5,10-100:10"`` or ``"relu, topk"``.

    Raises:
        SettingError: no kernel sizes, or a value that may not be.
    """
    axes = {name: _values(name, value) for name, value in chosen.items() if name in AXES}
    if "sizes" not in axes:
        raise SettingError("--sizes: name the kernel sizes, such as 5,10,20-100:10")
    sizes, kernels = axes.pop("sizes"), axes.pop("kernels", (1,))
    return Grid(sizes, kernels, axes, chosen.get("engine", "compiled"))


def _values(name: str, given: Any) -> tuple[Any, ...]:
    """Values of an axis, each of the axis's type."""
    kind = AXES[name]
    if isinstance(given, str):
        if kind is int:
            return parse_numbers(name, given)
        return tuple(_value(name, part.strip(), kind) for part in given.split(","))
    found = []
    for value in given if isinstance(given, (list, tuple)) else [given]:
        whole = kind is float and type(value) is int
        if type(value) is not kind and not whole:
            raise SettingError(f"{name} {value!r}: must be of type {kind.__name__}")
        found.append(float(value) if whole else value)
    return tuple(found)


def _value(name: str, text: str, kind: type) -> Any:
    try:
        return TRUTH[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        must = "yes or no" if kind is bool else "numbers"
        raise SettingError(f"{name} {text!r}: must be {must}") from None


SCALARS: Final[dict[str, type]] = {
    "engine": str,
    **{part.name: type(part.default) for part in fields(Cut)},
}


def read_file(path: Path) -> dict[str, Any]:
    """A sweep's file, TOML or JSON: what the command line takes, under the same names.

    Returns:
        ``records`` and ``databases`` as tuples, fields of `Cut` and ``engine`` with their types,
        and names of `AXES` as `make_grid` takes them.

    Raises:
        SettingError: it cannot be read or parsed, or holds a name or a type that it may not.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingError(f"file {path}: {error.strerror or error}") from None
    except ValueError as error:  # of either parser, and of text that is no UTF-8
        raise SettingError(f"file {path}: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise SettingError(f"file {path}: must hold names and values")
    for name, value in found.items():
        if name in ("records", "databases"):
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(item, str) for item in names):
                raise SettingError(f"file {path}: {name} {value!r}: must be names")
            found[name] = tuple(names)
        elif name in SCALARS:
            kind = SCALARS[name]
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise SettingError(
                    f"file {path}: {name} {value!r}: must be of type {kind.__name__}"
                )
        elif name in AXES:
            try:
                found[name] = _values(name, value)
            except SettingError as error:
                raise SettingError(f"file {path}: {error}") from None
        else:
            known = ", ".join(["records", "databases", *SCALARS, *AXES])
            raise SettingError(f"file {path}: {name!r} is none of {known}")
    return found
