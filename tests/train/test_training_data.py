"""What an epoch is fed: the decoded cache, the order, the batches."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.io.image_store import ImageStore
from pipeline.io.photo import encode_jpeg, read_photo
from pipeline.runtime.errors import UserError
from pipeline.train.data import Examples, Pictures, batches, keys_of, prefetch
from pipeline.train.decoded import decoded
from pipeline.train.sampling import epoch_length, epoch_order

FILES = [f"a/p{i}.jpg" for i in range(5)]


def folder(tmp_path: Path, size: int = 24) -> Path:
    for i, file in enumerate(FILES):
        path = tmp_path / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((size, size, 3), 40 * i, np.uint8)
        image[:, : size // 2, 0] = 250
        path.write_bytes(encode_jpeg(image))
    return tmp_path / "images"


def test_pictures_come_back_as_decoded_in_the_order_asked_for(tmp_path: Path) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    array, _ = decoded(ImageStore(root), FILES[::-1], 24, cache)
    for file, picture in zip(FILES[::-1], array, strict=True):
        assert (picture == read_photo(root / file)).all()
    small, _ = decoded(ImageStore(root), FILES, 12, cache)
    assert small.shape == (5, 12, 12, 3)
    assert abs(int(small[2, 6, 9, 1]) - 80) <= 2
    assert abs(int(small[2, 6, 2, 0]) - 250) <= 4


def test_second_time_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    first, digest = decoded(ImageStore(root), FILES, 24, cache)

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("pipeline.train.decoded._write", fail)
    again, same = decoded(ImageStore(root), FILES, 24, cache)
    assert (again == first).all()
    assert same == digest


def test_one_picture_with_other_bytes_is_another_array(tmp_path: Path) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    _, before = decoded(ImageStore(root), FILES, 24, cache)
    data = bytearray((root / FILES[1]).read_bytes())
    other = bytearray(encode_jpeg(np.full((24, 24, 3), 99, np.uint8)))
    (root / FILES[1]).write_bytes(other)
    array, after = decoded(ImageStore(root), FILES, 24, cache)
    assert after != before
    assert data != other
    assert abs(int(array[1].mean()) - 99) <= 1


def test_damaged_array_is_noticed_and_made_again(tmp_path: Path) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    first = decoded(ImageStore(root), FILES, 24, cache)[0].copy()
    (file,) = cache.glob("*.npy")
    raw = bytearray(file.read_bytes())
    raw[-100] ^= 255
    file.write_bytes(raw)
    assert (decoded(ImageStore(root), FILES, 24, cache)[0] == first).all()
    file.write_bytes(raw[: len(raw) // 2])
    assert (decoded(ImageStore(root), FILES, 24, cache)[0] == first).all()


def test_cache_keeps_to_its_size_and_drops_the_oldest(tmp_path: Path) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    for size in (20, 21, 22):
        decoded(ImageStore(root), FILES, size, cache, cache_gb=15000 / 1e9)
    shapes = sorted(np.load(p, mmap_mode="r").shape[1] for p in cache.glob("*.npy"))
    assert shapes == [21, 22]


def test_missing_and_broken_pictures_are_named(tmp_path: Path) -> None:
    root, cache = folder(tmp_path), tmp_path / "cache"
    with pytest.raises(UserError, match=r"nobody\.jpg"):
        decoded(ImageStore(root), [*FILES, "nobody.jpg"], 24, cache)
    (root / FILES[3]).write_bytes(b"no photo")
    with pytest.raises(UserError, match=r"p3\.jpg"):
        decoded(ImageStore(root), FILES, 24, cache)
    assert not list(cache.glob("*.npy"))


def test_samplers_draw_groups_equally_often() -> None:
    classes = np.repeat([0, 1, 17], [900, 90, 10])
    alike = np.arange(1000)
    order = np.concatenate(
        [epoch_order(classes, alike, np.ones(len(alike)), "class", 0, e) for e in range(10)]
    )
    shares = np.bincount(classes[order], minlength=18)[[0, 1, 17]] / len(order)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)
    ages = np.concatenate([epoch_order(classes, alike, np.ones(len(alike)), "age", 0, e) for e in range(10)])
    np.testing.assert_allclose(np.bincount(classes[ages] % 3) / len(ages), 1 / 3, atol=0.02)
    first, second = (epoch_order(classes, alike, np.ones(len(alike)), "none", 0, e) for e in range(2))
    assert sorted(first) == list(range(1000))
    assert (first != second).any()


def test_one_mask_shows_one_of_five_near_copies_and_another_in_each_epoch() -> None:
    """20 people with five masked photos, a wrong mask and none; the first five are the only old ones."""
    person, photo = np.divmod(np.arange(140), 7)
    mask = np.maximum(photo - 4, 0)
    classes, alike = 6 * mask + np.where(person < 5, 2, 0), 3 * person + mask
    orders = [epoch_order(classes, alike, np.ones(len(alike)), "one_mask", 0, e) for e in range(60)]
    assert all(sorted(alike[order]) == list(range(60)) for order in orders)
    shown = np.bincount(np.concatenate(orders), minlength=140).reshape(20, 7)
    assert (shown[:, 5:] == 60).all()
    assert shown[:, :5].min() >= 2
    balanced = np.concatenate(
        [epoch_order(classes, alike, np.ones(len(alike)), "one_mask_age", 0, e) for e in range(60)]
    )
    assert len(balanced) == 60 * epoch_length(alike, np.ones(len(alike)), "one_mask_age")
    assert np.bincount(person[balanced] < 5)[1] / len(balanced) == pytest.approx(0.5, abs=0.03)
    assert np.bincount(mask[balanced]) / len(balanced) == pytest.approx([1 / 3] * 3, abs=0.03)


@pytest.mark.parametrize(("count", "size"), [(2, 64), (65, 64), (100, 32), (129, 64), (7, 2)])
def test_batches_hold_everything_once_and_never_a_single_picture(count: int, size: int) -> None:
    order = np.random.default_rng(0).permutation(count)
    parts = batches(order, size)
    assert np.concatenate(parts).tolist() == order.tolist()
    assert min(len(p) for p in parts) >= 2
    if count >= 4:
        shares = [batches(order, size, rank, 2) for rank in (0, 1)]
        assert len(shares[0]) == len(shares[1])
        assert sorted(np.concatenate([*shares[0], *shares[1]])) == sorted(order)


def test_fetching_ahead_keeps_the_order_and_passes_errors_on() -> None:
    arrays = (np.zeros((3, 2, 2, 3), np.uint8), np.ones((4, 2, 2, 3), np.uint8))
    flat = np.arange(7)
    examples = Examples(Pictures(arrays), flat, flat, flat * 1.0, flat, np.zeros((7, 4)), flat, np.ones(7))
    parts = [np.array([6, 0]), np.array([2, 3, 4])]
    got = list(prefetch(examples, parts, 0))
    assert [rows.tolist() for rows, _ in got] == [[6, 0], [2, 3, 4]]
    assert [pixels[:, 0, 0, 0].tolist() for _, pixels in got] == [[1, 0], [0, 1, 1]]
    with pytest.raises(IndexError):
        list(prefetch(examples, [np.array([99])], 0))


def test_keys_belong_to_name_and_seed() -> None:
    assert keys_of(["a", "b"], 1).tolist() == keys_of(["b", "a"], 1).tolist()[::-1]
    assert keys_of(["a"], 1) != keys_of(["a"], 2)
