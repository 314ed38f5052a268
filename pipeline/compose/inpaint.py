"""Inpainting: colours of the other pixels, spread smoothly by normalised convolution."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.seeds import random_bytes

REDUCE = 4  # colours are smoothed on a grid coarser by this
COARSE_REDUCE = 4  # boxes of at least MIN_WIDE_CELLS are smoothed on a grid coarser again by this
MIN_WIDE_CELLS = 9
COARSE_WEIGHT = 0.5  # of the coarser colours; full coverage by the finer box weighs 255


def normalized_convolution(image: np.ndarray, mask: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Smooth colours of the masked pixels, everywhere.

    Args:
        image: uint8 [H, W, 3].
        mask: uint8 [H, W], 255 = this pixel's colour counts, 0 = it does not.
        sizes: odd box sizes in cells of REDUCE pixels, fine first; coarser boxes are the fallback where finer
            ones are empty.

    Returns:
        uint8 [H, W, 3]; the mean of all masked pixels where no box reaches any, black if the mask is empty.
    """
    height, width = mask.shape
    half = (-(-width // 2), -(-height // 2))  # every second pixel is enough for a mean
    small = (-(-width // REDUCE), -(-height // REDUCE))
    half_size = cv2.cvtColor(cv2.resize(image, half, interpolation=cv2.INTER_NEAREST), cv2.COLOR_RGB2RGBA)
    kept = cv2.copyTo(half_size, cv2.resize(mask, half, interpolation=cv2.INTER_NEAREST))
    sums = cv2.resize(kept, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = cv2.convertScaleAbs(_smoothed(sums, sizes))
    return cv2.cvtColor(
        cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGBA2RGB
    )


def _smoothed(sums: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """float32 [h, w, 4]: colours in [0, 255]; the fourth channel is unused.

    Args:
        sums: float32 [h, w, 4], mean colour times coverage, and coverage in [0, 255].
    """
    total = cv2.sumElems(sums)
    mean = tuple(255 * value / max(total[3], 1e-6) for value in total)
    cells = (sums.shape[1], sums.shape[0])
    coarse = (-(-cells[0] // COARSE_REDUCE), -(-cells[1] // COARSE_REDUCE))
    wide = [size for size in sizes if size >= MIN_WIDE_CELLS]
    out = np.empty((*((coarse if wide else cells)[::-1]), 4), np.float32)
    out[:] = mean
    if wide:
        low = cv2.resize(sums, coarse, interpolation=cv2.INTER_AREA)
        for size in reversed(wide):
            out = _box_smoothed(low, size // COARSE_REDUCE | 1, out)
        out = cv2.resize(out, cells, interpolation=cv2.INTER_LINEAR)
    for size in reversed(sizes[: len(sizes) - len(wide)]):
        out = _box_smoothed(sums, size, out)
    return out


def _box_smoothed(sums: np.ndarray, size: int, coarser: np.ndarray) -> np.ndarray:
    """Colours smoothed twice by a box of `size` cells; `coarser` where the box is empty."""
    near = cv2.blur(sums, (size, size), borderType=cv2.BORDER_CONSTANT)
    near = cv2.blur(near, (size, size), borderType=cv2.BORDER_CONSTANT)
    weight = cv2.extractChannel(near, 3) + np.float32(COARSE_WEIGHT)
    return cv2.divide(cv2.addWeighted(near, 255, coarser, COARSE_WEIGHT, 0), cv2.merge([weight] * 4))


MASK_GROWTH = 0.03  # of the picture's side, added to the mask: soft edges, hair, a shadow
SIZES = (3, 9, 27)  # boxes on the reduced grid, fine first
MAX_NOISE = 12  # of 255


def inpaint_mask(alpha: np.ndarray) -> np.ndarray:
    """The pixels to inpaint: the dilated matte.

    Args:
        alpha: uint8 [H, W].

    Returns:
        uint8 [H, W], 255 = person, or close to the person.
    """
    reach = 2 * max(1, round(MASK_GROWTH * max(alpha.shape))) + 1
    solid = cv2.threshold(alpha, 12, 255, cv2.THRESH_BINARY)[1]
    return cv2.dilate(solid, np.ones((reach, reach), np.uint8))


def inpaint(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fills the masked pixels with the surrounding colours, and noise as strong as theirs.

    Args:
        image: uint8 [H, W, 3].
        mask: uint8 [H, W], 255 = to inpaint, 0 = kept exactly.
        rng: of the noise.

    Returns:
        uint8 [H, W, 3].
    """
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return image.copy()
    kept = cv2.bitwise_not(mask)
    if not cv2.countNonZero(kept):
        return np.full_like(image, 128)
    part = slice(y, y + height), slice(x, x + width)
    noise, mean_noise = _noise(image, kept, (height, width), rng)
    smooth = normalized_convolution(image, kept, SIZES)[part]
    painted = cv2.subtract(cv2.add(smooth, noise), np.full_like(noise, mean_noise))
    out = image.copy()
    out[part] = cv2.copyTo(painted, mask[part], image[part].copy())
    return out


def _noise(
    image: np.ndarray, kept: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Gray noise, uint8 [*shape, 3], as strong as the finest detail of the kept pixels, and its mean."""
    rows, counts = image[::4, :, 1], kept[::4]  # some rows of the green channel are enough
    detail = cv2.mean(cv2.absdiff(rows[:, 1:], rows[:, :-1]), mask=np.ascontiguousarray(counts[:, 1:]))[0]
    mean_noise = round(min(detail, MAX_NOISE))
    raw = random_bytes(rng, shape[0] * shape[1]).reshape(shape)
    table = np.rint(np.arange(256) / 127.5 * mean_noise).astype(np.uint8)
    return cv2.cvtColor(cv2.LUT(raw, table), cv2.COLOR_GRAY2RGB), mean_noise
