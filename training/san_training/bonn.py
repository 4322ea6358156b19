"""The epilepsy table of the paper's Table II, made from the recordings that it was made from.

The UCI table "Epileptic Seizure Recognition" cuts each of the 500 EEG recordings of
Andrzejak et al. (Phys. Rev. E 64, 061907, 2001) into 23 pieces of 178 samples and shuffles these
11,500 rows. The paper takes its parts from that table by position, so that pieces of one
recording stand in training and test alike. Both such a split and one by recordings are offered;
the rows' own order is not known here.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from san_stream.errors import SettingError, SourceError
from san_training.datasets import Labelled, Splits

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

SETS: Final = "SFNOZ"
"""The five sets, in the order of the table's labels 1 to 5: seizure; seizure-free, of the focus
and of the other side; healthy with eyes open and closed."""
FILES: Final = 100
SAMPLES: Final = 4097
PIECES, PIECE = 23, 178
"""Pieces of a recording, and their samples; the last 3 samples are left out."""
LARGEST_FILE: Final = 2**20
"""Bytes of a text file of 4,097 integers, at most."""
CLASSES: Final = ("epilepsy", "tumor", "eyes")
MERGED: Final = (0, 1, 1, 2, 2)
"""Class of each set."""
TRAINING_SHARE, VALIDATION_SHARE = 76, 12
"""Percent: 8,740 and 1,380 rows, and the other 1,380 test."""
SOURCE: Final = (
    "download {} from https://www.ukbonn.de/epileptologie/arbeitsgruppen/ag-lehnertz-neurophysik/"
    "downloads/ into {}"
)

SplitBy = Literal["row", "recording"]
Scale = Literal["symmetric", "unit"]


@dataclass(frozen=True, slots=True, eq=False)
class EpilepsyTable:
    """The rows, recording after recording.

    Attributes:
        rows: int16 ``[11500, 178]``, ADC samples at 173.61 Hz.
        labels: 1 to 5 as in the UCI table, int64 ``[11500]``: S, F, N, O, Z.
        recordings: number of the recording, 0 to 499, int64 ``[11500]``.
    """

    rows: NDArray[np.int16]
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


def read_bonn(folder: str | PathLike[str]) -> EpilepsyTable:
    """Read the five sets and cut them.

    Args:
        folder: holds ``Z.zip O.zip N.zip F.zip S.zip`` as published, or folders ``Z``, ``O``, …
            with their 100 text files.

    Raises:
        SourceError: a set or some of its files are missing or damaged.
    """
    recordings = np.stack([_read_set(Path(folder), name) for name in SETS])
    rows = recordings[:, :, : PIECES * PIECE].reshape(-1, PIECE)
    count = len(SETS) * FILES
    return EpilepsyTable(
        rows,
        np.repeat(np.arange(1, len(SETS) + 1), FILES * PIECES),
        np.repeat(np.arange(count), PIECES),
    )


def epilepsy_splits(
    table: EpilepsyTable,
    *,
    by: SplitBy = "row",
    seed: int = 0,
    scale: Scale = "symmetric",
) -> Splits:
    """The table's three parts with its three classes.

    Args:
        table: of `read_bonn`.
        by: ``"row"`` draws rows, as a shuffled table does; ``"recording"`` draws of each set 76
            recordings for training and 12 each for validation and test. Either gives 8,740,
            1,380 and 1,380 rows.
        seed: of the draw.
        scale: ``"symmetric"`` maps the table's least and largest sample to -1 and 1, which meets
            the figures of the paper; ``"unit"`` to 0 and 1, which is what its text says.

    Raises:
        SettingError: another value of `by` or `scale`.
    """
    if by not in get_args(SplitBy):
        raise SettingError(f"split by {by!r}: must be one of {', '.join(get_args(SplitBy))}")
    if scale not in get_args(Scale):
        raise SettingError(f"scale {scale!r}: must be one of {', '.join(get_args(Scale))}")
    random = np.random.default_rng(seed)
    # Drawn are rows of the whole table, or recordings of each set.
    groups = 1 if by == "row" else len(SETS)
    size = (len(table.rows) if by == "row" else len(SETS) * FILES) // groups
    order = np.stack([random.permutation(size) + group * size for group in range(groups)])
    ends = [size * TRAINING_SHARE // 100, size * (TRAINING_SHARE + VALIDATION_SHARE) // 100]
    drawn = [part.ravel() for part in np.split(order, ends, axis=1)]
    if by == "recording":
        drawn = [random.permutation(np.flatnonzero(np.isin(table.recordings, d))) for d in drawn]
    low, high = float(table.rows.min()), float(table.rows.max())
    scaled = (table.rows - low) / (high - low)
    if scale == "symmetric":
        scaled = 2 * scaled - 1
    classes = np.array(MERGED)[table.labels - 1]
    parts = (Labelled(scaled[rows].astype(np.float32), classes[rows]) for rows in drawn)
    return Splits(CLASSES, *parts)


def _read_set(folder: Path, name: str) -> NDArray[np.int16]:
    """One set, int16 ``[100, 4097]``."""
    texts = _texts(folder, name)
    wanted = [f"{name}{i:03d}.txt" for i in range(1, FILES + 1)]
    missing = [file for file in wanted if file.lower() not in texts]
    if missing:
        raise SourceError(
            f"Bonn EEG set {name}: {len(missing)} of {FILES} files are missing, the first is "
            f"{missing[0]}; {SOURCE.format(f'{name}.zip', folder)}"
        )
    recordings = np.empty((FILES, SAMPLES), np.int16)
    for i, file in enumerate(wanted):
        try:
            values = np.array(texts[file.lower()].split(), np.int64)
        except (ValueError, OverflowError):
            raise SourceError(f"Bonn EEG set {name}: {file} holds no integers") from None
        if values.shape != (SAMPLES,):
            raise SourceError(
                f"Bonn EEG set {name}: {file} has {len(values)} samples, expected {SAMPLES}"
            )
        if values.min() < -(2**15) or values.max() >= 2**15:
            raise SourceError(f"Bonn EEG set {name}: {file} has a sample beyond 16 bits")
        recordings[i] = values
    return recordings


def _texts(folder: Path, name: str) -> dict[str, bytes]:
    """The text files of a set by their names in small letters."""
    archive = folder / f"{name}.zip"
    texts: dict[str, bytes] = {}
    try:
        if archive.is_file():
            with zipfile.ZipFile(archive) as file:
                for entry in file.infolist():
                    if entry.file_size <= LARGEST_FILE and not entry.is_dir():
                        texts[Path(entry.filename).name.lower()] = file.read(entry)
        elif (folder / name).is_dir():
            for path in (folder / name).iterdir():
                if path.suffix.lower() == ".txt" and path.stat().st_size <= LARGEST_FILE:
                    texts[path.name.lower()] = path.read_bytes()
    # A zip file may also be ciphered or packed in a way that this Python cannot undo.
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise SourceError(f"Bonn EEG set {name}: {archive} is damaged ({reason})") from None
    return texts
