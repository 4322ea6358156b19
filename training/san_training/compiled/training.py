"""One-dimensional training in numba, with the gradient worked out by hand.

With placed taps v (the kernel w itself for ``tie="adjoint"``, w reversed for
``tie="convolution"``) a window is rebuilt as y[t] = Σ_p α[p] · v[t - p - b]. From the gradient
dy of the loss

    dv[i] = Σ_p α[p] · dy[p + b + i]
    dα[p] = Σ_i v[i] · dy[p + b + i]            needed at kept positions p alone
    dw[j] = Σ_p dα[p] · x[p + j - c] + (dv, reversed where v is)

so with the n/m or so kept positions of a sparse activation only the similarity costs m · n
operations and all else 4 n. Identity and ReLU keep whole stretches and cost 5 m · n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from san_training.compiled.jit import jit
from san_training.compiled.keeping import RELU, keep
from san_training.compiled.sliding import add_products, slide

if TYPE_CHECKING:
    from typing import TypeAlias

    from san_training.compiled.keeping import Integers
    from san_training.compiled.sliding import Floats

    Model: TypeAlias = tuple[int, int, bool, Integers, Integers]
    Work: TypeAlias = tuple[Floats, Floats, Integers, Integers, Integers]


@jit
def offset(size: int, adjoint: bool) -> Any:  # noqa: FBT001
    """b: where the first placed tap lies beside its position."""
    centre = (size - 1) // 2
    return -centre if adjoint else centre - (size - 1)


@jit
def workspace(taps: Floats, kernels: int, width: int, margin: int) -> Any:
    """Room for one window: α with margins, s, a chain, kept positions and how many."""
    length = width - 2 * margin
    return (
        np.zeros((kernels, width), taps.dtype),
        np.empty((kernels, length), taps.dtype),
        np.empty(length, np.int64),
        np.empty((kernels, length), np.int64),
        np.zeros(kernels, np.int64),
    )


@jit
def rebuild(
    model: Model, taps: Floats, placed: Floats, padded: Floats, y: Floats, work: Work
) -> Any:
    """A window's reconstruction y, and how many activations are not 0.

    Args:
        model: (activation, margin, adjoint, starts, densities), see `train`.
        taps, placed: w and v of all kernels, behind each other.
        padded: the window with `margin` zeros before and behind it.
        y: takes the reconstruction with the same margins; what is in these is not meant.
        work: of `workspace`.
    """
    kind, margin, adjoint, starts, densities = model
    maps, similarities, chain, positions, kept = work
    length = similarities.shape[1]
    spikes = 0
    y[:] = 0
    for k in range(densities.shape[0]):
        w, v = taps[starts[k] : starts[k + 1]], placed[starts[k] : starts[k + 1]]
        size = w.shape[0]
        similarity, places = similarities[k], positions[k]
        first = margin - (size - 1) // 2
        begin = margin + offset(size, adjoint)
        slide(padded[first : first + length + size - 1], w, similarity)
        if kind <= RELU:
            activation = maps[k, margin : margin + length]
            for p in range(length):
                value = similarity[p]
                if kind == RELU and not value > 0:
                    value = value * 0
                activation[p] = value
                if value != 0:
                    spikes += 1
            # y[t] = Σ_i v[i] · α[t - b - i] is a correlation with v reversed.
            back = 2 * margin - begin - (size - 1)
            part = np.empty_like(similarity)
            slide(maps[k, back : back + length + size - 1], v[::-1].copy(), part)
            for t in range(length):
                y[margin + t] += part[t]
        else:
            kept[k] = keep(kind, similarity, densities[k], chain, places)
            for q in range(kept[k]):
                value = similarity[places[q]]
                if value != 0:
                    spikes += 1
                piece = y[begin + places[q] : begin + places[q] + size]
                for i in range(size):
                    piece[i] += value * v[i]
    return spikes


@jit
def add_gradient(
    model: Model, placed: Floats, padded: Floats, dy: Floats, work: Work, gradient: Floats
) -> None:
    """Add the gradient dw of one window, just rebuilt; dy is 0 in its margins."""
    kind, margin, adjoint, starts, densities = model
    maps, similarities, _, positions, kept = work
    length = similarities.shape[1]
    for k in range(densities.shape[0]):
        v, dw = placed[starts[k] : starts[k + 1]], gradient[starts[k] : starts[k + 1]]
        size = v.shape[0]
        similarity, places = similarities[k], positions[k]
        first = margin - (size - 1) // 2
        begin = margin + offset(size, adjoint)
        dv = np.zeros_like(v)
        if kind <= RELU:
            around = dy[begin : begin + length + size - 1]
            add_products(maps[k, margin : margin + length], around, dv)
            back = np.empty_like(similarity)
            slide(around, v, back)
            if kind == RELU:
                for p in range(length):
                    if not similarity[p] > 0:
                        back[p] = 0
            add_products(back, padded[first : first + length + size - 1], dw)
        else:
            for q in range(kept[k]):
                value = similarity[places[q]]
                piece = dy[begin + places[q] : begin + places[q] + size]
                x = padded[first + places[q] : first + places[q] + size]
                back_p = value * 0
                for i in range(size):
                    back_p += v[i] * piece[i]
                for i in range(size):
                    dv[i] += value * piece[i]
                    dw[i] += back_p * x[i]
        for i in range(size):
            dw[i] += dv[i] if adjoint else dv[size - 1 - i]


@jit
def turn(model: Model, taps: Floats, placed: Floats) -> None:
    """The placed taps v of all kernels."""
    _, _, adjoint, starts, densities = model
    for k in range(densities.shape[0]):
        first, last = starts[k], starts[k + 1] - 1
        for j in range(last - first + 1):
            placed[first + j] = taps[first + j] if adjoint else taps[last - j]


@jit
def error_slope(y: Floats, padded: Floats, margin: int, squares: bool, share: Any) -> Any:  # noqa: FBT001
    """Sum of the errors; y becomes the gradient of the loss, 0 in its margins."""
    error = 0.0
    two, none = y.dtype.type(2), y.dtype.type(0)
    for t in range(margin, y.shape[0] - margin):
        off = y[t] - padded[t]
        if squares:
            error += off * off
            y[t] = two * off * share
        else:
            error += abs(off)
            y[t] = share if off > 0 else (-share if off < 0 else off * none)
    y[:margin] = 0
    y[y.shape[0] - margin :] = 0
    return error


@jit
def adam_step(
    taps: Floats, gradient: Floats, moments: tuple[Floats, Floats], step: int, rate: float
) -> None:
    """One step of Adam: β 0.9 and 0.999, ε 1e-8, no decay."""
    number = taps.dtype.type
    first, second = moments
    size = number(rate / (1 - 0.9**step))
    root = number(np.sqrt(1 - 0.999**step))
    for j in range(taps.shape[0]):
        g = gradient[j]
        first[j] += number(0.1) * (g - first[j])
        second[j] = number(0.999) * second[j] + number(0.001) * g * g
        taps[j] -= size * first[j] / (np.sqrt(second[j]) / root + number(1e-8))


@jit
def take_means_off(model: Model, taps: Floats) -> None:
    """Make the sum of each kernel 0."""
    _, _, _, starts, densities = model
    for k in range(densities.shape[0]):
        own = taps[starts[k] : starts[k + 1]]
        own -= own.sum() / taps.dtype.type(own.shape[0])


@jit
def judge(model: Model, taps: Floats, placed: Floats, checks: Floats, y: Floats, work: Work,
          losses: Floats, spikes: Integers) -> Any:  # fmt: skip
    """φ̄ of windows, and L̃ and spikes of each."""
    margin = model[1]
    length = checks.shape[1] - 2 * margin
    phi = 0.0
    for row in range(checks.shape[0]):
        spikes[row] = rebuild(model, taps, placed, checks[row], y, work)
        error = size = 0.0
        for t in range(margin, margin + length):
            error += abs(y[t] - checks[row, t])
            size += abs(checks[row, t])
        losses[row] = error / size
        ratio = (taps.shape[0] + 2.0 * spikes[row]) / length
        phi += np.sqrt(ratio * ratio + losses[row] * losses[row])
    return phi / checks.shape[0]


@jit
def assess(model: Model, taps: Floats, windows: Floats, losses: Floats, spikes: Integers) -> Any:
    """L̃ and spikes of windows, and their φ̄; arguments as of `train`."""
    work = workspace(taps, model[4].shape[0], windows.shape[1], model[1])
    placed, y = np.empty_like(taps), np.empty(windows.shape[1], taps.dtype)
    turn(model, taps, placed)
    return judge(model, taps, placed, windows, y, work, losses, spikes)


@jit
def train(
    model: Model, windows: Floats, checks: Floats, taps: Floats, orders: Integers, batch: int,
    rate: float, rules: tuple[bool, bool], history: tuple[Floats, Floats],
    best_taps: Floats, best_losses: Floats, best_spikes: Integers,
) -> Any:  # fmt: skip
    """Train from one start; returns the epoch of the lowest φ̄ of the checks, or -1.

    Args:
        model: (activation by number, margin, whether the tie is adjoint, where in the taps each
            kernel starts and the last one ends, the kernels' densities): a density is the size
            m, or with `EXTREMA` the minimum extrema distance.
        windows, checks: ``[windows, margin + n + margin]``, zeros in the margins, which are
            at least as long as the longest kernel.
        taps: all kernels behind each other; trained in place.
        orders: the windows of each epoch in their order, int64 ``[epochs, windows]``.
        batch, rate: windows in a step; learning rate.
        rules: (kernels keep a sum of 0, squared errors instead of magnitudes).
        history: takes each epoch's mean loss and φ̄; NaN once a tap is no number.
        best_taps, best_losses, best_spikes: take what the best epoch had.
    """
    margin, densities = model[1], model[4]
    length = windows.shape[1] - 2 * margin
    zero_sum, squares = rules
    losses, phis = history
    losses[:] = np.nan
    phis[:] = np.nan
    number = taps.dtype.type
    kernels = densities.shape[0]
    work = workspace(taps, kernels, windows.shape[1], margin)
    y = np.zeros(windows.shape[1], taps.dtype)
    placed, gradient = np.empty_like(taps), np.empty_like(taps)
    moments = np.zeros_like(taps), np.zeros_like(taps)
    check_losses, check_spikes = np.empty_like(best_losses), np.empty_like(best_spikes)
    best, step = -1, 0
    for epoch in range(orders.shape[0]):
        error = 0.0
        for row in range(0, orders.shape[1], batch):
            rows = orders[epoch, row : row + batch]
            turn(model, taps, placed)
            gradient[:] = 0
            share = number(1.0 / (rows.shape[0] * length))
            for i in rows:
                rebuild(model, taps, placed, windows[i], y, work)
                error += error_slope(y, windows[i], margin, squares, share)
                add_gradient(model, placed, windows[i], y, work, gradient)
            step += 1
            adam_step(taps, gradient, moments, step, rate)
            if zero_sum:
                take_means_off(model, taps)
        if not np.isfinite(taps).all():
            return best
        losses[epoch] = error / (orders.shape[1] * length)
        turn(model, taps, placed)
        phis[epoch] = judge(model, taps, placed, checks, y, work, check_losses, check_spikes)
        if phis[epoch] < (phis[best] if best >= 0 else np.inf):
            best = epoch
            for j in range(taps.shape[0]):
                best_taps[j] = taps[j]
            for row in range(checks.shape[0]):
                best_losses[row], best_spikes[row] = check_losses[row], check_spikes[row]
    return best
