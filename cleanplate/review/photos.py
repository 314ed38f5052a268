"""Thumbnails of the photos, made on demand and kept only in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict

import cv2
import numpy as np
import simplejpeg

from pipeline.dataset.photo_bytes import read_listed
from pipeline.dataset.safe_files import Unusable
from pipeline.io.photo import decode_photo, parse_photo_header
from pipeline.io.photo_store import PhotoStore
from pipeline.runtime.errors import UserError

MAX_SIDE = 560  # pixels on screen; the competition's photos are 384 x 512
CACHE_BYTES = 96 << 20  # bytes of small pictures


class Unreadable(Exception):
    """A photo that cannot be shown; the text gives the reason, without the path."""


class SmallPhotos:
    """A thread-safe cache of thumbnails.

    Args:
        photos: of the data folder; nothing outside it is ever opened.
        max_pixels: larger photos are refused from their header.
    """

    def __init__(self, photos: PhotoStore, max_pixels: int) -> None:
        self._photos, self._root = photos, photos.root.resolve()
        self._max_pixels = max_pixels
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, image: str) -> bytes:
        """A JPEG without metadata, longest side at most MAX_SIDE.

        Args:
            image: the photo's key, from the index.

        Raises:
            Unreadable: missing, outside the data folder, or not a photo.
        """
        with self._lock:
            if image in self._cache:
                self._cache.move_to_end(image)
                return self._cache[image]
        small = encode_small(self.pixels(image))
        with self._lock:
            if image not in self._cache:
                self._cache[image] = small
                self._bytes += len(small)
                while self._bytes > CACHE_BYTES:
                    self._bytes -= len(self._cache.popitem(last=False)[1])
        return small

    def pixels(self, image: str) -> np.ndarray:
        """uint8 [H, W, 3] RGB, upright, at full size.

        Raises:
            Unreadable: as `get`.
        """
        try:
            places = self._photos.places
            data = read_listed(self._root, image, places and places[image])
            self._photos.file(image).checked(data)
            parse_photo_header(data, "photo", self._max_pixels)
            return decode_photo(data, where="photo")
        except KeyError as e:
            raise Unreadable("no shard has this photo") from e
        except Unusable as e:
            raise Unreadable(e.reason) from e
        except UserError as e:
            raise Unreadable(str(e).splitlines()[0]) from e


def encode_small(pixels: np.ndarray) -> bytes:
    """JPEG of uint8 [H, W, 3] RGB, scaled down to MAX_SIDE if it is larger."""
    height, width = pixels.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=88, colorspace="RGB", colorsubsampling="420"
    )
