"""Shared fixtures. Recordings are found by SAN_STREAM_DATA; without it such tests skip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the shared recordings, or skip."""
    value = os.environ.get("SAN_STREAM_DATA")
    if not value:
        pytest.skip("SAN_STREAM_DATA is not set: no shared recordings on this machine")
    return Path(value)


@pytest.fixture(scope="session")
def data(data_root: Path) -> Callable[[str], Path]:
    """``data("mitdb/100")`` is the record's path without suffix, or skip."""

    def find(record: str) -> Path:
        path = data_root / record
        if not path.with_name(path.name + ".hea").exists():
            pytest.skip(f"recording {record} is not in SAN_STREAM_DATA")
        return path

    return find
