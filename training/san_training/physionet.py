"""The 15 PhysioNet databases of the paper's Table I, below one folder of recordings."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from san_stream.errors import SourceError
from san_training.paper import paper_windows

if TYPE_CHECKING:
    from os import PathLike

    from san_training.paper import PaperWindows

FIRST_RECORDS: Final[dict[str, str | None]] = {
    "apnea-ecg": "a01",
    "bidmc": "bidmc01",
    "bpssrat": None,
    "cebsdb": "b001",
    "ctu-uhb-ctgdb": "1001",
    "drivedb": "drive01",
    "emgdb": "emg_healthy",
    "mitdb": "100",
    "noneeg": "Subject10_AccTempEDA",
    "prcp": "12726",
    "shhpsgdb": None,
    "slpdb": "slp01a",
    "sufhsdb": None,
    "voiced": "voice001",
    "wrist": "s1_high_resistance_bike",
}
"""Database -> the first record of its list, which the paper reads; None: see its RECORDS."""


def find_record(root: str | PathLike[str], database: str) -> Path:
    """The first record of a database, as path without suffix.

    That is the first line of ``ROOT/DATABASE/RECORDS`` where that file is there, as it is in
    each database of PhysioNet, else the name in `FIRST_RECORDS`.

    Raises:
        SourceError: no such database in the paper, or its record is not here: says what to
            download, from where, and into which folder.
    """
    if database not in FIRST_RECORDS:
        raise SourceError(f"database {database!r}: must be one of {', '.join(FIRST_RECORDS)}")
    folder = Path(root) / database
    try:
        text = (folder / "RECORDS").read_text(encoding="ascii")
        lines = text.split()
    except (OSError, UnicodeDecodeError):
        lines = []
    name = lines[0] if lines else FIRST_RECORDS[database]
    if name is None:
        raise SourceError(f"{database}: no record is here; {advice(folder, None)}")
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise SourceError(f"{database}: RECORDS names {name!r}, outside its folder")
    record = folder / inside
    if not record.with_name(record.name + ".hea").is_file():
        raise SourceError(f"{database}: record {name} is not here; {advice(folder, name)}")
    return record


def database_windows(root: str | PathLike[str], database: str) -> PaperWindows:
    """The paper's windows of a database, see `paper_windows`.

    Raises:
        SourceError: the record is not here, is damaged or shorter than 12,000 samples, or a
            window is constant or misses a sample; says what to download.
        MissingExtraError: wfdb is not installed.
    """
    record = find_record(root, database)
    try:
        return paper_windows(record)
    except SourceError as error:
        folder = Path(root) / database
        raise SourceError(f"{database}: {error}; {advice(folder, record.name)}") from None


def advice(folder: Path, record: str | None) -> str:
    """What to download and where to put it."""
    what = "RECORDS and the first record that it lists" if record is None else f"record {record}"
    return (
        f"download {what} (header and signal file) from "
        f"https://physionet.org/content/{folder.name}/ into {folder}"
    )
