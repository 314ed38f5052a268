"""Random tables, names, params and picture bytes: accepted or refused in a sentence, never a crash."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.dataset.corrections import read_corrections
from pipeline.dataset.person import PersonError, read_person
from pipeline.io.photo import PhotoError, decode_photo
from pipeline.params import load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.reliability.soak import SOAK, many

SECONDS = 600.0 if SOAK else 4.0  # of mutations, for each format
QUICK = settings(
    max_examples=many(150, 20_000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LABELS = pd.DataFrame(
    {
        "image": ["a/mask1.jpg", "b/normal.jpg"],
        "person": ["a", "b"],
        "gender": "male",
        "age": 30,
        "mask": "worn",
    }
)
cells = st.one_of(
    st.sampled_from(
        ["a", "b", "gender", "age", "mask", "drop", "male", "female", "30", "mask1", "", " 25", "-1", "abc"]
    ),
    st.text(max_size=8),
)


@QUICK
@given(
    st.lists(st.lists(cells, min_size=5, max_size=7), max_size=4),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
)
def test_any_table_of_corrections(rows: list[list[str]], comma: str, bom: bool) -> None:
    header = comma.join(("person", "image", "field", "old", "new", "reason", "source"))
    text = "\n".join([header, *(comma.join(row) for row in rows)])
    data = text.encode("utf-8-sig" if bom else "utf-8", "surrogatepass")
    try:
        found = read_corrections(data, "corrections.csv", LABELS)
    except UserError:
        return
    assert {c.person for c in found} <= {"a", "b"}


@QUICK
@given(st.one_of(st.text(max_size=40), st.from_regex(r"\A\d{1,8}(-\d)?_[a-z]{1,7}_[A-Z][a-z]+_-?\d{1,4}\Z")))
def test_any_name_of_a_person(name: str) -> None:
    try:
        person = read_person(name)
    except PersonError:
        return
    assert person.key == name
    assert 0 <= person.age <= 120
    assert person.gender in ("male", "female")


def test_the_names_that_are_meant() -> None:
    assert read_person("000001-1_female_Asian_45").age == 45
    with pytest.raises(PersonError):
        read_person("000001_femail_Asian_45")


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)


@QUICK
@given(data=st.data())
def test_any_value_in_params(data: st.DataObject, tmp_path: Path) -> None:
    raw = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
    section = data.draw(st.sampled_from(sorted(raw)))
    key = data.draw(st.one_of(st.sampled_from(sorted(raw[section])), st.text(max_size=8)))
    raw[section][key] = data.draw(values)
    path = tmp_path / "params.yaml"
    path.write_text(yaml_text(raw), encoding="utf-8", errors="surrogatepass")
    try:
        load_params(path)
    except UserError:
        return


def pictures() -> dict[str, list[bytes]]:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
    found: dict[str, list[bytes]] = {"JPEG": [], "PNG": []}
    for kind, mode, options in (
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {"restart_marker_blocks": 2}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "I;16", {}),
    ):
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256) if mode == "I;16" else None
        out = io.BytesIO()
        (picture or Image.fromarray(pixels).convert(mode)).save(out, kind, **options)
        found[kind].append(out.getvalue())
    return found


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, removed, repeated or put in, or the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed))
        how = rng.randrange(6)
        if how == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xD9, 0xDA, 0xFF))
        elif how == 2:
            del changed[at : at + rng.randrange(1, 64)]
        elif how == 3:
            changed[at:at] = changed[at : at + rng.randrange(1, 64)]
        elif how == 4:
            changed[at:at] = rng.randbytes(rng.randrange(1, 16))
        else:
            del changed[at + 1 :]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.timeout(1200)
def test_mutations_of_pictures(kind: str, record_property: pytest.RecordProperty) -> None:
    rng = random.Random(f"{kind} {time.time_ns() if SOAK else 0}")
    originals = pictures()[kind]
    end = time.monotonic() + SECONDS
    tried = accepted = 0
    slowest = 0.0
    while time.monotonic() < end:
        data = mutated(rng.choice(originals), rng)
        start = time.monotonic()
        try:
            photo = decode_photo(data)
        except PhotoError:
            pass
        else:
            accepted += 1
            assert photo.dtype == np.uint8
            assert photo.ndim == 3
            assert photo.shape[2] == 3
        slowest = max(slowest, time.monotonic() - start)
        tried += 1
    print(f"{kind}: {tried} mutations, {accepted} still photos, slowest {slowest:.3f} s")
    record_property("mutations", tried)
    assert tried > 100
    assert slowest < 2.0
