"""Photos cut out at output size: the reduced decode shows the same as the whole one, and fits its matte."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.compose.crop import NEUTRAL, Square, cut, placement
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.image_store import ImageStore
from pipeline.io.photo import decode_photo, encode_jpeg, encode_matte, read_photo
from pipeline.io.photo_store import PhotoStore
from pipeline.runtime.errors import UserError

SIZE = 64


def textured(height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3]: smooth colours with fine detail on them."""
    rng = np.random.default_rng(height * width)
    coarse = cv2.resize(rng.integers(30, 220, (9, 7, 3), np.uint8), (width, height))
    return cv2.add(coarse, cv2.GaussianBlur(rng.integers(0, 30, (height, width, 3), np.uint8), (5, 5), 0))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def stored(place: Path, photo: np.ndarray, orientation: int = 1, kind: str = "JPEG") -> Cutter:
    """A set of one photo, `a.jpg`, whose matte is the photo's left half."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(photo).save(out, kind, quality=95, exif=exif)
    (place / "mattes").mkdir()
    (place / "a.jpg").write_bytes(out.getvalue())
    upright = read_photo(place / "a.jpg")
    alpha = np.zeros(upright.shape[:2], np.uint8)
    alpha[:, : alpha.shape[1] // 2] = 255
    (place / "mattes/a.png").write_bytes(encode_matte(alpha))
    return Cutter(PhotoStore(place), ImageStore(place / "mattes"), SIZE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("side", [160, 300, 560])  # reductions by 2, 4 and 8
def test_a_reduced_photo_is_as_near_to_the_float_reference_as_a_whole_one(
    tmp_path: Path, side: int, orientation: int, kind: str
) -> None:
    height, width = (640, 600) if side > 200 else (320, 240)
    cutter = stored(tmp_path, textured(height, width), orientation, kind)
    whole = read_photo(tmp_path / "a.jpg")
    square = Square(16, 24, 16 + side, 24 + side)
    where = placement(square, whole.shape[1], whole.shape[0], SIZE)
    assert where.reduction > 1
    rows, columns = where.photo
    box = Image.fromarray(whole[rows, columns])
    wanted = np.asarray(box.resize((SIZE, SIZE), Image.Resampling.BILINEAR)).astype(float)
    before = psnr(cut(whole, where, SIZE, NEUTRAL), wanted)
    seen = cutter.cut_out("a.jpg", square)
    assert psnr(seen.crop, wanted) > min(before - 1.5, 45)


def test_photo_and_matte_lie_on_the_same_pixels(tmp_path: Path) -> None:
    photo = np.zeros((1600, 1200, 3), np.uint8)
    photo[:, :600] = 255
    cutter = stored(tmp_path, photo)
    for left in range(101, 118):
        seen = cutter.cut_out("a.jpg", Square(left, 203, left + 1000, 1203))
        assert (
            np.abs(seen.crop[:, :, 1].astype(int) - seen.matte).max() <= 40
        )  # an edge half a pixel off: 128


def test_decoding_at_a_fraction_has_exactly_that_size() -> None:
    data = encode_jpeg(textured(240, 320))
    for k in (1, 2, 4, 8):
        assert decode_photo(data, reduction=k).shape == (240 // k, 320 // k, 3)


def test_a_matte_or_photo_of_another_size_is_named(tmp_path: Path) -> None:
    cutter = stored(tmp_path, textured(100, 80))
    with pytest.raises(UserError, match="a photo has another size"):
        cutter.photo("a.jpg", Square(0, 0, 80, 80), (80, 101))
    (tmp_path / "mattes/a.png").write_bytes(encode_matte(np.zeros((100, 81), np.uint8)))
    with pytest.raises(UserError, match=r"a matte has another size(.|\n)*a\.jpg"):
        cutter.cut_out("a.jpg", Square(0, 0, 80, 80))


def test_groups_hold_everything_in_order_and_less_of_large_pictures() -> None:
    items = list(range(40))
    assert [len(g) for g in groups_of(items, 224)] == [16, 16, 8]
    assert [len(g) for g in groups_of(items, 2048)] == [1] * 40
    assert [item for group in groups_of(items, 300) for item in group] == items
