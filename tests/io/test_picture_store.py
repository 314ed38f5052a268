"""Pictures in tar shards: any name, the same bytes as single files, the same metrics in the end."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pytest

from pipeline.io import spool as spools
from pipeline.io.atomic import verified_folder
from pipeline.io.image_store import ImageStore, ImageWriter, atomic_images, matte_name
from pipeline.io.tar_shards import per_shard, write_shards
from pipeline.params import Params
from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.workers.run import run_parallel
from stages import compose, evaluate, synthesize, train
from stages.shared.command import Stage
from tests.fixtures.pixel_project import bytes_below, make_project, stage

NAMES = [
    *(f"train/images/{i:06d}_male_Asian_30/mask{i}.png" for i in range(9)),
    "train/images/001_weiblich_Türkisch_30/maske.png",
    "a/new\nline and\ttab/b.c.d.png",
    f"deep/{'x' * 120}/{'y' * 120}/z.png",
    "no/" + os.fsdecode(b"utf\xff8") + "/\udcfe.png",
]


def content(name: str) -> bytes:
    """Other bytes for each name, of lengths that end on and off a tar's blocks."""
    return os.fsencode(name) * (1 + len(name) % 40) + bytes(512 * (len(name) % 3))


def writes(writer: ImageWriter) -> Callable[[str], None]:
    return partial(_write, writer)


def _write(writer: ImageWriter, name: str) -> None:
    writer.write(name, content(name))


def packed(folder: Path, names: list[str] = NAMES, workers: int = 1) -> Path:
    with atomic_images(folder, 4) as writer:
        list(run_parallel(partial(writes, writer), names, machine=Machine(workers=workers), chunk=2))
    return folder


def test_names_of_any_bytes_survive_and_any_tar_reader_sees_them(tmp_path: Path) -> None:
    folder = packed(tmp_path / "mattes")
    store = ImageStore.verified(folder, "segment")
    assert {name: store.read(name) for name in NAMES} == {name: content(name) for name in NAMES}
    assert all(name in store for name in NAMES)
    found: dict[str, bytes] = {}
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard, encoding="utf-8", errors="surrogateescape") as tar:
            members = tar.getmembers()
            assert [m.name for m in members] == sorted((m.name for m in members), key=os.fsencode)
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
                (0, 0, 0, "", "", 0o644)
            }
            for member in members:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    assert found == {name: content(name) for name in NAMES}


def test_shards_are_the_same_bytes_whatever_the_order_and_the_workers(tmp_path: Path) -> None:
    first = bytes_below(packed(tmp_path / "one/mattes"))
    assert sorted(first) == [
        "INDEX.json",
        "MANIFEST.json",
        *(f"mattes-00000{k}.tar" for k in range(4)),
    ]
    assert bytes_below(packed(tmp_path / "two/mattes", NAMES[::-1], workers=2)) == first


def test_headers_are_those_of_tarfile(tmp_path: Path) -> None:
    write_shards(tmp_path, "pictures", NAMES, content, 1000)
    with tarfile.open(tmp_path / "pictures-000000.tar") as tar:
        members = tar.getmembers()
    expected = b""
    for name in sorted(NAMES, key=os.fsencode):
        info = tarfile.TarInfo(name)
        info.size = len(content(name))
        expected += info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape") + content(name)
        expected += bytes(-info.size % tarfile.BLOCKSIZE)
    assert len(members) == len(NAMES)
    assert (tmp_path / "pictures-000000.tar").read_bytes().startswith(expected)


def test_a_second_folder_of_one_name_gets_its_own_pictures(tmp_path: Path) -> None:
    for text in (b"first", b"second"):
        with suppress(RuntimeError), atomic_images(tmp_path / "images", 10) as writer:
            writer.write("a.jpg", text)
            if text == b"first":
                raise RuntimeError
    assert ImageStore.verified(tmp_path / "images", "compose").read("a.jpg") == b"second"


@pytest.mark.parametrize("image", ["a.jpg", "a", "a.", "x.y/z", "x/.jpg", "x/a.b.JPG", "x/..a", "Ünï.x"])
def test_names_of_mattes_are_pathlibs(image: str) -> None:
    assert matte_name(image) == PurePosixPath(image).with_suffix(".png").as_posix()


def test_files_and_shards_are_read_alike(tmp_path: Path) -> None:
    with atomic_images(tmp_path / "files", None) as writer:
        for name in NAMES:
            writer.write(name, content(name))
    files, shards = ImageStore.opened(tmp_path / "files"), ImageStore.opened(packed(tmp_path / "shards"))
    for store in (files, shards):
        assert [store.read(name) for name in NAMES] == [content(name) for name in NAMES]
        assert "not/there.png" not in store
        with pytest.raises(UserError, match="a picture is missing"):
            store.read("not/there.png")


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    folder = packed(tmp_path / "mattes")
    store = ImageStore.opened(folder, "segment")
    last = folder / "mattes-000003.tar"
    name = max(NAMES, key=os.fsencode)
    last.write_bytes(last.read_bytes()[:600])
    with pytest.raises(
        UserError, match=r"mattes-000003\.tar: (.|\n)*cut off(.|\n)*dvc repro --force segment"
    ):
        store.read(name)
    with pytest.raises(UserError, match="does not match its manifest"):
        ImageStore.verified(folder, "segment")
    (folder / "INDEX.json").write_text("{")
    with pytest.raises(UserError, match=r"INDEX\.json"):
        ImageStore.opened(folder)


@pytest.mark.parametrize("cut_to", [10, 40])
def test_what_a_killed_worker_left_half_written_is_no_picture(tmp_path: Path, cut_to: int) -> None:
    """Another worker has written that picture since; its spool may come before or after."""
    whole = bytes_below(packed(tmp_path / "whole/mattes"))
    with atomic_images(tmp_path / "cut/mattes", 4) as writer:
        for name in NAMES:
            writer.write(name, content(name))
        (spool,) = writer.folder.glob(".spool-*")
        record = spool.read_bytes()[:cut_to]  # of the first picture
        for other in ("0", "z"):
            spool.with_name(f".spool-{other}").write_bytes(record)
    assert bytes_below(tmp_path / "cut/mattes") == whole


def test_processes_of_one_number_on_two_machines_have_spools_of_their_own(tmp_path: Path) -> None:
    """Two who append to one file over a network overwrite each other."""
    with atomic_images(tmp_path / "mattes", 4) as writer:
        for name in NAMES:
            spools._process_name.cache_clear()  # as in a process of another machine
            writer.write(name, content(name))
        assert len(list(writer.folder.glob(".spool-*"))) == len(NAMES)
    store = ImageStore.verified(tmp_path / "mattes", "segment")
    assert [store.read(name) for name in NAMES] == [content(name) for name in NAMES]


@pytest.mark.parametrize(
    ("shards", "photos", "expected"),
    [("auto", 5000, None), ("auto", 5001, 1000), (None, 90_000, None), (0, 90_000, None), (7, 3, 7)],
)
def test_auto_packs_large_sets_alone(shards: Any, photos: int, expected: int | None) -> None:
    assert per_shard(shards, photos) == expected


def test_a_stage_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    folder = packed(tmp_path / "mattes")
    before = bytes_below(folder)
    with pytest.raises(UserError, match="a picture is missing"), atomic_images(folder, 4) as writer:
        writer.write("a.png", ImageStore(tmp_path).read("nowhere.png"))
    assert bytes_below(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["mattes"]


def pack_mattes(shards: int) -> None:
    """Packs build/mattes as `segment` would have."""
    files = bytes_below(Path("build/mattes"))
    with atomic_images(Path("build/mattes"), shards) as writer:
        for name, data in files.items():
            if name.endswith(".png"):
                writer.write(name, data)


def run_all(shards: int | None) -> dict[str, object]:
    """compose to evaluate; every picture by folder and name, and what the model learnt and scored."""
    changes: dict[str, object] = {"data__shards": shards, "machine__workers": 2, "compose__fill": "blur"}
    changes |= {"split__folds": 2, "evaluate__bootstrap": 100, "synthesize__copies": 2.0}
    learn = {"model": "test_resnet", "size": 32, "epochs": 2, "batch_size": 8, "device": "cpu"}
    learn |= {"precision": "f32", "augment": "none", "mix": "none"}
    params: Params = stage("all", **changes, **{f"train__{k}": v for k, v in learn.items()}).params
    for run in (compose.run, synthesize.run, train.run, evaluate.run):
        run(Stage(run.__module__.split(".")[1], params))
    found: dict[str, object] = {}
    for folder in ("images", "synthetic"):
        verified_folder(Path("build") / folder, "test")
        store = ImageStore.opened(Path("build") / folder)
        assert (store.index is None) == (shards is None)
        table = pd.read_parquet(Path("build") / folder / f"{folder}.parquet")
        column = "file" if folder == "synthetic" else "image"
        found |= {f"{folder}/{name}": store.read(name) for name in table[column]}
        found[folder] = table.to_csv()
    found["model"] = bytes_below(Path("build/model"))
    found["metrics"] = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    found["predictions"] = pd.read_parquet("reports/predictions.parquet").to_csv()
    return found


def test_packed_or_not_pictures_model_and_metrics_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for shards in (None, 5):
        project = tmp_path / f"shards-{shards}"
        make_project(project)
        monkeypatch.chdir(project)
        monkeypatch.delenv("DVC_ROOT", raising=False)
        if shards:
            pack_mattes(shards)
            assert not list(Path("build/mattes").rglob("*.png"))
        results.append(run_all(shards))
    assert len(list(Path("build/synthetic").glob("synthetic-*.tar"))) == 8  # 36 pictures, 5 in each
    assert not list(Path("build").rglob("*.jpg")), "nothing was unpacked"
    assert results[0].keys() == results[1].keys()
    assert len(results[0]) == 18 + 36 + 5
    for key, value in results[0].items():
        assert results[1][key] == value, key
