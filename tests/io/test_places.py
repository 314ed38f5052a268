"""Places of pictures in shards, by name."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest

from pipeline.io.places import Places
from pipeline.io.tar_shards import Place


def test_every_name_has_its_own_place_and_no_other_name_has_one() -> None:
    names = [f"ünï/{k}.jpg" for k in range(3000)]  # so many that some checksums end with zero bytes
    count = np.arange(len(names))
    checksums = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    places = pickle.loads(
        pickle.dumps(Places.of(names, ("a.tar", "b.tar"), count % 2, 2**40 + count, count, checksums))
    )
    for k, name in enumerate(names):
        assert places[name] == Place("ab"[k % 2] + ".tar", 2**40 + k, k)
        assert places.sha256(name) == checksums[k]
    for name in ("", "ünï/3000.jpg", "zzz"):
        with pytest.raises(KeyError):
            places[name]
