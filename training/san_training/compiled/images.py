"""Two-dimensional training in numba, with the gradient worked out by hand.

The equations are those of `san_training.compiled.training` with two indices. An image is
copied into a frame of zeros, `margin` wide, and the frame is read as one row: the tap (r, c) of
a kernel then lies r · width + c behind the first one, for each position alike. Correlations run
over whole frames in long loops, and what comes out between the images' rows is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from san_training.compiled.jit import jit
from san_training.compiled.keeping import EXTREMA_POOL, RELU, TOPK, keep_topk
from san_training.compiled.training import error_slope, offset

if TYPE_CHECKING:
    from typing import TypeAlias

    from san_training.compiled.keeping import Integers
    from san_training.compiled.sliding import Floats

    ImageModel: TypeAlias = tuple[int, int, bool, Integers, Integers, Integers]
    ImageWork: TypeAlias = tuple[
        Floats, Floats, Floats, Floats, Floats, Integers, Integers, Integers
    ]


@jit
def slide_image(values: Floats, taps: Floats, size: int, width: int, out: Floats) -> None:
    """out[i] = Σ_r Σ_c taps[r, c] · values[i + r · width + c]."""
    count = out.shape[0]
    out[:] = 0
    for r in range(size):
        row = taps[r * size : (r + 1) * size]
        c = 0
        while c + 3 <= size:
            w0, w1, w2 = row[c], row[c + 1], row[c + 2]
            v = values[r * width + c : r * width + c + count + 2]
            for i in range(count):
                out[i] += w0 * v[i] + w1 * v[i + 1] + w2 * v[i + 2]
            c += 3
        while c < size:
            w0 = row[c]
            v = values[r * width + c : r * width + c + count]
            for i in range(count):
                out[i] += w0 * v[i]
            c += 1


@jit
def add_image_products(amounts: Floats, values: Floats, size: int, width: int, out: Floats) -> None:
    """out[r, c] += Σ_i amounts[i] · values[i + r · width + c]."""
    count = amounts.shape[0]
    zero = amounts.dtype.type(0)
    for r in range(size):
        c = 0
        while c + 3 <= size:
            s0 = s1 = s2 = zero
            v = values[r * width + c : r * width + c + count + 2]
            for i in range(count):
                a = amounts[i]
                s0 += a * v[i]
                s1 += a * v[i + 1]
                s2 += a * v[i + 2]
            out[r * size + c] += s0
            out[r * size + c + 1] += s1
            out[r * size + c + 2] += s2
            c += 3
        while c < size:
            s0 = zero
            v = values[r * width + c : r * width + c + count]
            for i in range(count):
                s0 += amounts[i] * v[i]
            out[r * size + c] += s0
            c += 1


@jit
def keep_image_pool(similarity: Floats, width: int, size: int, places: Integers) -> Any:
    """The largest magnitude of each full cell of size x size; returns how many cells there are."""
    height = similarity.shape[0] // width
    kept = 0
    for top in range(0, height - size + 1, size):
        for left in range(0, width - size + 1, size):
            best = top * width + left
            for row in range(top, top + size):
                for p in range(row * width + left, row * width + left + size):
                    if abs(similarity[p]) > abs(similarity[best]):
                        best = p
            places[kept] = best
            kept += 1
    return kept


@jit
def is_turn(before: Any, value: Any, behind: Any, first: bool, last: bool) -> Any:  # noqa: FBT001
    """Whether a sample is a candidate along one axis; `before` and `behind` are its neighbours."""
    rises = not last and behind > value
    fell = first or value <= before
    return rises == fell and fell == (not value > 0)


@jit
def keep_image_extrema(
    similarity: Floats, width: int, med: int, open_: Integers, places: Integers
) -> Any:
    """Extrema of an image, each alone in its box of ±med; returns how many.

    Greedy by magnitude, ties to the lower index, see `san_training.activations.extrema_2d`.
    """
    height = similarity.shape[0] // width
    left = 0
    for row in range(height):
        for column in range(width):
            p = row * width + column
            value = similarity[p]
            top, bottom = row == 0, row == height - 1
            start, end = column == 0, column == width - 1
            before = similarity[p if start else p - 1]
            behind = similarity[p if end else p + 1]
            if is_turn(before, value, behind, start, end):
                above = similarity[p if top else p - width]
                below = similarity[p if bottom else p + width]
                if is_turn(above, value, below, top, bottom):
                    open_[left] = p
                    left += 1
    kept = 0
    while left > 0:
        # A magnitude that is no number is never the largest, so the loop ends.
        best, largest = -1, -1.0
        for i in range(left):
            if abs(similarity[open_[i]]) > largest:
                best, largest = open_[i], abs(similarity[open_[i]])
        if best < 0:
            break
        places[kept] = best
        kept += 1
        still = 0
        for i in range(left):
            p = open_[i]
            if abs(p // width - best // width) > med or abs(p % width - best % width) > med:
                open_[still] = p
                still += 1
        left = still
    return kept


@jit
def keep_in_image(
    kind: int, similarity: Floats, width: int, density: int, room: Integers, places: Integers
) -> Any:
    """Positions that a sparse activation keeps; returns how many."""
    if kind == TOPK:
        count = (similarity.shape[0] // width // density) * (width // density)
        return keep_topk(similarity, count, places)
    if kind == EXTREMA_POOL:
        return keep_image_pool(similarity, width, density, places)
    return keep_image_extrema(similarity, width, density, room, places)


@jit
def image_workspace(taps: Floats, kernels: int, height: int, width: int, margin: int) -> Any:
    """Room for one image: frames of x, y and α, a row of sums, s, kept positions, how many."""
    frame = (height + 2 * margin) * (width + 2 * margin)
    return (
        np.zeros(frame, taps.dtype),
        np.zeros(frame, taps.dtype),
        np.zeros((kernels, frame), taps.dtype),
        np.empty(height * (width + 2 * margin), taps.dtype),
        np.empty((kernels, height * width), taps.dtype),
        np.empty(height * width, np.int64),
        np.empty((kernels, height * width), np.int64),
        np.zeros(kernels, np.int64),
    )


@jit
def turn_images(model: ImageModel, taps: Floats, placed: Floats) -> None:
    """The placed taps v of all kernels: w, or w reversed along both axes."""
    _, _, adjoint, _, starts, _ = model
    for k in range(starts.shape[0] - 1):
        first, last = starts[k], starts[k + 1] - 1
        for j in range(last - first + 1):
            placed[first + j] = taps[first + j] if adjoint else taps[last - j]


@jit
def put_in_frame(image: Floats, frame: Floats, margin: int) -> None:
    """Copy an image into its frame."""
    height, width = image.shape
    wide = width + 2 * margin
    for row in range(height):
        at = (margin + row) * wide + margin
        for column in range(width):
            frame[at + column] = image[row, column]


@jit
def rebuild_image(
    model: ImageModel, taps: Floats, placed: Floats, image: Floats, work: ImageWork
) -> Any:
    """Put an image and its reconstruction into their frames; returns activations that are not 0.

    Args:
        model: (activation, margin, adjoint, sizes, starts, densities), see `step_images`.
        taps, placed: w and v of all kernels, behind each other, row after row.
        image: ``[h, w]``.
        work: of `image_workspace`; what is in the margins of y is not meant.
    """
    kind, margin, adjoint, sizes, starts, densities = model
    x, y, maps, sums, similarities, room, positions, kept = work
    height, width = image.shape
    wide = width + 2 * margin
    corner = margin * wide + margin
    put_in_frame(image, x, margin)
    y[:] = 0
    spikes = 0
    for k in range(sizes.shape[0]):
        w, v, size = taps[starts[k] : starts[k + 1]], placed[starts[k] : starts[k + 1]], sizes[k]
        centre = (size - 1) // 2
        begin = offset(size, adjoint)
        similarity, places = similarities[k], positions[k]
        slide_image(x[corner - centre * (wide + 1) :], w, size, wide, sums)
        for row in range(height):
            for column in range(width):
                similarity[row * width + column] = sums[row * wide + column]
        if kind <= RELU:
            for row in range(height):
                for column in range(width):
                    value = sums[row * wide + column]
                    if kind == RELU and not value > 0:
                        value = value * 0
                    maps[k, corner + row * wide + column] = value
                    if value != 0:
                        spikes += 1
            # y[t] = Σ_j v[j] · α[t - b - j] is a correlation with v reversed.
            back = corner - (begin + size - 1) * (wide + 1)
            slide_image(maps[k, back:], v[::-1].copy(), size, wide, sums)
            for i in range(sums.shape[0]):
                y[corner + i] += sums[i]
        else:
            kept[k] = keep_in_image(kind, similarity, width, densities[k], room, places)
            for q in range(kept[k]):
                p = places[q]
                value = similarity[p]
                if value != 0:
                    spikes += 1
                at = corner + p // width * wide + p % width + begin * (wide + 1)
                for r in range(size):
                    for c in range(size):
                        y[at + r * wide + c] += value * v[r * size + c]
    return spikes


@jit
def add_image_gradient(
    model: ImageModel, placed: Floats, height: int, width: int, work: ImageWork, gradient: Floats
) -> None:
    """Add dw of the image just rebuilt; its frame y holds dy, 0 in the margins."""
    kind, margin, adjoint, sizes, starts, _ = model
    x, dy, maps, sums, similarities, _, positions, kept = work
    wide = width + 2 * margin
    corner = margin * wide + margin
    for k in range(sizes.shape[0]):
        v, dw = placed[starts[k] : starts[k + 1]], gradient[starts[k] : starts[k + 1]]
        size = sizes[k]
        similarity, places = similarities[k], positions[k]
        first = corner - (size - 1) // 2 * (wide + 1)
        begin = corner + offset(size, adjoint) * (wide + 1)
        dv = np.zeros_like(v)
        if kind <= RELU:
            # α is 0 between the rows of the image, and dα has to be.
            alpha = maps[k, corner : corner + sums.shape[0]]
            add_image_products(alpha, dy[begin:], size, wide, dv)
            slide_image(dy[begin:], v, size, wide, sums)
            for row in range(height):
                for column in range(width):
                    if kind == RELU and not similarity[row * width + column] > 0:
                        sums[row * wide + column] = 0
                sums[row * wide + width : (row + 1) * wide] = 0
            add_image_products(sums, x[first:], size, wide, dw)
        else:
            for q in range(kept[k]):
                at = places[q] // width * wide + places[q] % width
                value = similarity[places[q]]
                back_p = value * 0
                for r in range(size):
                    for c in range(size):
                        slope = dy[begin + at + r * wide + c]
                        back_p += v[r * size + c] * slope
                        dv[r * size + c] += value * slope
                for r in range(size):
                    for c in range(size):
                        dw[r * size + c] += back_p * x[first + at + r * wide + c]
        for i in range(v.shape[0]):
            dw[i] += dv[i] if adjoint else dv[v.shape[0] - 1 - i]


@jit
def clear_margins(frame: Floats, height: int, width: int, margin: int) -> None:
    """Make a frame 0 around its image."""
    wide = width + 2 * margin
    frame[: margin * wide] = 0
    frame[(margin + height) * wide :] = 0
    for row in range(margin, margin + height):
        frame[row * wide : row * wide + margin] = 0
        frame[row * wide + margin + width : (row + 1) * wide] = 0


@jit
def step_images(model: ImageModel, images: Floats, rows: Integers, taps: Floats, squares: bool,  # noqa: FBT001
                gradient: Floats, work: ImageWork) -> Any:  # fmt: skip
    """The gradient of the loss of some images; returns the sum of their errors.

    Args:
        model: (activation by number, margin, whether the tie is adjoint, sides of the kernels,
            where in the taps each kernel starts and the last one ends, the kernels'
            densities): a density is the side, or with `EXTREMA` the minimum extrema distance.
            The margin is at least as long as the longest side.
        images: ``[images, h, w]``.
        rows: which of them.
        taps: all kernels behind each other, row after row.
        squares: squared errors instead of magnitudes.
        gradient: takes the gradient, as the taps lie.
        work: of `image_workspace`.
    """
    margin = model[1]
    height, width = images.shape[1:]
    x, y = work[0], work[1]
    placed = np.empty_like(taps)
    turn_images(model, taps, placed)
    gradient[:] = 0
    share = taps.dtype.type(1.0 / (rows.shape[0] * height * width))
    error = 0.0
    for i in rows:
        rebuild_image(model, taps, placed, images[i], work)
        # Outside the image x is 0 in its frame, so an error there is none.
        clear_margins(y, height, width, margin)
        error += error_slope(y, x, 0, squares, share)
        add_image_gradient(model, placed, height, width, work, gradient)
    return error


@jit
def assess_images(model: ImageModel, taps: Floats, images: Floats, losses: Floats,
                  spikes: Integers, rebuilt: Floats) -> None:  # fmt: skip
    """L̃ and spikes of images, and what they are rebuilt as where `rebuilt` has room for it.

    Args:
        model, taps, images: as of `step_images`.
        losses, spikes: one an image.
        rebuilt: ``[images, h, w]``, or ``[0, h, w]`` to leave it.
    """
    margin = model[1]
    height, width = images.shape[1:]
    wide = width + 2 * margin
    work = image_workspace(taps, model[3].shape[0], height, width, margin)
    y = work[1]
    placed = np.empty_like(taps)
    turn_images(model, taps, placed)
    for i in range(images.shape[0]):
        spikes[i] = rebuild_image(model, taps, placed, images[i], work)
        error = size = 0.0
        for row in range(height):
            at = (margin + row) * wide + margin
            for column in range(width):
                error += abs(y[at + column] - images[i, row, column])
                size += abs(images[i, row, column])
                if rebuilt.shape[0]:
                    rebuilt[i, row, column] = y[at + column]
        losses[i] = error / size
