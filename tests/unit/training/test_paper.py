from __future__ import annotations

import numpy as np
import pytest

from san_stream.errors import SourceError
from san_training.paper import paper_windows, run_paper_protocol


def test_windows_are_scored_by_themselves(make_record):
    digital = np.cumsum(np.random.default_rng(0).integers(-9, 10, (12500, 2)), axis=0)
    parts = paper_windows(make_record("walk", digital))
    assert [part.shape for part in parts] == [(6, 1000), (2, 1000), (4, 1000)]
    windows = np.concatenate(parts)
    raw = digital[:12000, 0].reshape(12, 1000) / 200
    for got, x in zip(windows, raw, strict=True):
        assert got == pytest.approx((x - x.mean()) / x.std())


@pytest.mark.parametrize(("value", "first"), [(7, 3000), (-(2**15), 3500)])
def test_constant_window_or_missing_sample(make_record, value, first):
    digital = np.arange(12000)[:, None] % 100
    digital[first:4000] = value
    with pytest.raises(SourceError, match=r"window 3 \(samples 3000 to 3999\) is constant or"):
        paper_windows(make_record("flat", digital))


def test_short_record(make_record):
    with pytest.raises(SourceError, match="11999 samples, at least 12000 are needed"):
        paper_windows(make_record("short", np.arange(11999)[:, None]))


def test_mitdb_extrema_of_table_1(data):
    """m = 229 from w = 0.1: 0.45 in the paper. The start falls into one of two basins."""
    record = data("mitdb/100")
    results = [run_paper_protocol(record, 229, init="constant", seed=s) for s in range(5)]
    phis = [result.phi for result in results]
    assert abs(float(np.median(phis)) - 0.45) <= 0.02
    best = min(results, key=lambda result: result.fit.validation.phi)
    assert best.inverse_ratio == pytest.approx(0.24, abs=0.005)
    assert best.loss == pytest.approx(0.38, abs=0.02)
    assert best.fit.settings.tie == "convolution"
    assert len(best.fit.history) == 30


@pytest.mark.parametrize(
    ("activation", "m", "phi"),
    [("identity", 1, 2.00), ("topk", 7, 0.59), ("extrema_pool", 10, 0.49)],
)
def test_mitdb_other_activations_of_table_1(data, activation, m, phi):
    result = run_paper_protocol(data("mitdb/100"), m, activation, "normal", 0)
    assert result.phi == pytest.approx(phi, abs=0.02)
