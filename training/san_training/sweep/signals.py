"""What a sweep trains on: windows of WFDB records and of the paper's databases."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from san_stream.errors import SanStreamError, SettingError, SourceError
from san_training.data import read_recording
from san_training.paper import TEST, TRAINING, VALIDATION, WINDOW, digest, paper_split
from san_training.physionet import FIRST_RECORDS, database_windows

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from san_training.paper import PaperWindows

FEWEST_WINDOWS: Final = 6
"""Split 6 : 2 : 4 these give one for validation."""
MOST_SAMPLES: Final = 2**28
"""Of all windows together: 2 GiB."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a record is used, and how it is cut.

    Attributes:
        lead: its name or its number from 0.
        start: seconds from the record's begin.
        window: samples of a window.
        windows: how many, one behind the other; split in this order 6 : 2 : 4 into
            training, validation and test.
    """

    lead: str = "0"
    start: float = 0.0
    window: int = WINDOW
    windows: int = TRAINING + VALIDATION + TEST

    def __post_init__(self) -> None:
        if not (isfinite(self.start) and self.start >= 0):
            raise SettingError(f"start {self.start} s: must be finite and 0 or more")
        if self.window < 2:
            raise SettingError(f"window of {self.window} samples: must be at least 2")
        if self.windows < FEWEST_WINDOWS:
            raise SettingError(f"{self.windows} windows: must be at least {FEWEST_WINDOWS}")
        if self.window * self.windows > MOST_SAMPLES:
            raise SettingError(
                f"{self.windows} windows of {self.window} samples: at most {MOST_SAMPLES} in all"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Windows and where they are from.

    Attributes:
        name: ``folder/record:lead``, or the database; what tables show.
        windows: each z-scored by itself.
        content: hash of the windows, which with their shape says whether data are the same.
    """

    name: str
    windows: PaperWindows
    content: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", digest(self.windows))


def read_signals(
    records: Sequence[str], databases: Sequence[str], root: str | os.PathLike[str] | None, cut: Cut
) -> tuple[list[Signal], dict[str, str]]:
    """Read everything that a sweep trains on.

    Args:
        records: WFDB records without suffix, or folders of records; where there is neither of
            that name it is looked for below ``root``.
        databases: of the paper's, below ``root``; cut as the paper does.
        root: folder of recordings, or None.
        cut: which part of the records.

    Returns:
        The signals, each once, and for each record or database that gave none the reason.

    Raises:
        SettingError: neither records nor databases, or databases without a root.
        SourceError: a folder holds no records, a record is nowhere, or nothing could be read.
        MissingExtraError: wfdb is not installed.
    """
    if not records and not databases:
        raise SettingError("nothing to train on: name records, folders or --database")
    if databases and root is None:
        raise SettingError("--data: name the folder of the databases, or set SAN_STREAM_DATA")
    for name in databases:
        if name not in FIRST_RECORDS:
            raise SettingError(f"database {name!r}: must be one of {', '.join(FIRST_RECORDS)}")
    signals: list[Signal] = []
    missing: dict[str, str] = {}
    paths = [path for record in records for path in find_records(record, root)]
    for path in dict.fromkeys(paths):
        name = f"{path.absolute().parent.name}/{path.name}:{cut.lead}"
        try:
            signals.append(Signal(name, record_windows(path, cut)))
        except SourceError as error:
            missing[name] = str(error)
    for name in dict.fromkeys(databases):
        try:
            signals.append(Signal(name, database_windows(root or "", name)))
        except SourceError as error:
            missing[name] = str(error)
    if not signals:
        more = f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else ""
        raise SourceError(f"nothing to train on: {next(iter(missing.values()))}{more}")
    return signals, missing


def find_records(record: str, root: str | os.PathLike[str] | None) -> list[Path]:
    """The record of that name, or all records of that folder in the order of their names.

    Raises:
        SourceError: there is neither, or the folder holds no record.
    """
    given = Path(record)
    for path in [given] if root is None else [given, Path(root) / given]:
        plain = path.with_suffix("") if path.suffix == ".hea" else path
        if plain.with_name(plain.name + ".hea").is_file():
            return [plain]
        if path.is_dir():
            headers = sorted(path.glob("*.hea"))
            if not headers:
                raise SourceError(f"folder {path}: holds no records (no file *.hea)")
            return [header.with_suffix("") for header in headers]
    where = "" if root is None else f", nor below {root}"
    raise SourceError(f"record {record}: there is no header {record}.hea and no such folder{where}")


def record_windows(path: Path, cut: Cut) -> PaperWindows:
    """Windows of one lead of a record, in ADC units before they are z-scored.

    Raises:
        SourceError: the record cannot be read or is shorter, or a window is constant or misses
            samples.
        MissingExtraError: wfdb is not installed.
    """
    needed = cut.windows * cut.window
    # A long record is not read as a whole: one sample tells the rate.
    rate = read_recording(path, [cut.lead], start=cut.start, duration=1e-9).rate
    recording = read_recording(path, [cut.lead], start=cut.start, duration=float(needed / rate))
    samples = recording.digital[:, 0].astype(np.float64)
    samples[~recording.valid[:, 0]] = np.nan
    if len(samples) < needed:
        raise SourceError(
            f"record {path}: {len(samples)} samples from {cut.start:g} s, {needed} are needed "
            f"for {cut.windows} windows of {cut.window}"
        )
    try:
        return paper_split(samples.reshape(cut.windows, cut.window), path)
    except SanStreamError as error:
        # The window's place is counted from the part that was asked for.
        first = f" of the part from {cut.start:g} s" if cut.start else ""
        raise SourceError(f"{error}{first}") from None
