"""`cleanplate predict` on the command line: files of all kinds, hostile ones, videos, and how it writes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cleanplate.predict.results import Result
from cleanplate.predict.writing import writer_of
from pipeline.io.photo import encode_jpeg, read_photo
from tests.conftest import ROOT
from tests.reliability.corpus import GOOD, NAMES, contents, paths
from tests.reliability.crafted import crafted

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains the demo
CALL = "import cleanplate; cleanplate.main()"
NOT_LOADED = ("torch", "pandas", "numba", "typer", "rich", "dvc", "timm", "pydantic", "scipy")
TELL = f"""import sys, cleanplate
try: cleanplate.main()
finally: print([m for m in {NOT_LOADED} if m in sys.modules], file=sys.stderr)
"""
COLUMNS = ("image", "face", "x1", "y1", "x2", "y2", "status", "mask", "gender", "age_group", "class")


def run(
    folder: Path, *arguments: str, stdin: bytes = b"", code: str = CALL
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code, "predict", *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=False)


def table(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(done.stdout.decode().splitlines()))


@pytest.fixture(scope="module")
def export(trained_demo: Path) -> str:
    return str(trained_demo / "build/export")


@pytest.fixture(scope="module")
def photo(trained_demo: Path) -> Path:
    """A photo in which the stage finds a face."""
    boxes = pd.read_parquet(trained_demo / "build/boxes.parquet").query("status == 'found'")
    return trained_demo / "demo/data" / boxes[boxes["image"].str.startswith("eval")]["image"].iloc[0]


def test_a_row_per_person_and_none_where_nobody_is(export: str, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    shutil.copy(photo, tmp_path / "in/deep/a.jpg")
    (tmp_path / "in/empty.jpg").write_bytes(encode_jpeg(np.full((99, 99, 3), 70, np.uint8)))
    (tmp_path / "in/.hidden.jpg").write_bytes(b"")
    (tmp_path / "in/notes.txt").write_text("no photo")
    done = run(tmp_path, "in", "--model", export, "--csv", code=TELL)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode().splitlines()[-1] == "[]", "only what it needs is imported"
    rows = table(done)
    assert [(r["image"], r["face"], r["status"]) for r in rows] == [
        ("deep/a.jpg", "0", "found"),
        ("empty.jpg", "", "none"),
    ]
    assert tuple(rows[0])[:11] == COLUMNS
    assert sum(float(rows[0][f"p{c}"]) for c in range(18)) == pytest.approx(1, abs=1e-4)
    assert rows[1]["class"] == rows[1]["p0"] == ""


def test_a_photo_a_pattern_and_standard_input_say_the_same(export: str, photo: Path, tmp_path: Path) -> None:
    shutil.copy(photo, tmp_path / "a.jpg")
    for names, stdin, called in (
        (["a.jpg"], b"", "a.jpg"),
        (["*.jpg"], b"", "a.jpg"),
        (["-"], photo.read_bytes(), "-"),
    ):
        done = run(tmp_path, *names, "--model", export, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        (line,) = done.stdout.decode().splitlines()
        said = json.loads(line)
        assert (said["image"], said["status"]) == (called, "answered")
        assert said["people"][0]["class"] in range(18)
    text = run(tmp_path, "a.jpg", "--model", export).stdout.decode()
    assert re.fullmatch(
        r"a\.jpg: face 0 at \d+,\d+–\d+,\d+ \(found\): mask \w+ \d+%, (fe)?male \d+%, \S+ \d+%\n", text
    )


def test_uncalibrated_probabilities_are_the_submission_s(
    export: str, photo: Path, trained_demo: Path
) -> None:
    said = table(run(photo.parent, photo.name, "--model", export, "--csv", "--uncalibrated"))[0]
    submission = pd.read_csv(trained_demo / "reports/submission_probabilities.csv").set_index("ImageID")
    for c in range(18):
        assert float(said[f"p{c}"]) == pytest.approx(submission.loc[photo.name, f"p{c}"], abs=1e-3)


def test_everything_nasty_at_once(export: str, photo: Path, tmp_path: Path) -> None:
    """What `ingest` refuses is refused in its words; nothing stops the photo at the end."""
    root, expected = tmp_path / "photos", dict[str, str]()
    (tmp_path / "outside.jpg").write_bytes(contents()["cmyk"][0])
    for number, (data, suffix, said) in enumerate([*contents().values(), *crafted().values()]):
        folder = root / f"{number:03d}"
        folder.mkdir(parents=True)
        (folder / f"mask1{suffix}").write_bytes(data)
        expected[f"{number:03d}/mask1{suffix}"] = said
    for number, (make, said) in enumerate(paths(tmp_path / "outside.jpg").values(), 500):
        (root / f"{number}").mkdir()
        make(root / f"{number}/mask1.jpg")
        if said != "a folder":  # here a folder holds photos, whatever its name
            expected[f"{number}/mask1.jpg"] = said
    for number, (name, said) in enumerate(NAMES.values(), 700):
        (root / f"{number}").mkdir()
        place = os.fsencode(root / f"{number}") + b"/" + name
        Path(os.fsdecode(place)).write_bytes(contents()["cmyk"][0])
        if "not a known" in said:
            expected[os.fsdecode(place)[len(str(root)) + 1 :]] = GOOD
    shutil.copy(photo, root / "zzz.jpg")
    done = run(tmp_path, "photos", "--model", export, "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    said_of = {line["image"]: line for line in map(json.loads, done.stdout.decode().splitlines())}
    assert said_of["zzz.jpg"]["status"] == "answered"
    small = "a side below ingest.min_side"  # the corpus is ingested with min_side 1
    for path, wanted in expected.items():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in path
        )
        line = said_of[shown]
        if wanted == GOOD:
            assert line["status"] in ("none", "answered") or small in line["reason"], (shown, line)
        else:
            assert line["status"] == "refused", (shown, line)
            assert re.search(f"{wanted}|{small}", line["reason"]), (shown, line)
            assert line["fix"]


def test_every_second_frame_of_a_video(export: str, photo: Path, tmp_path: Path) -> None:
    picture = read_photo(photo)
    height, width = picture.shape[:2]
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), codec, 5, (width, height))
    for _ in range(5):
        video.write(np.ascontiguousarray(picture[..., ::-1]))
    video.release()
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 500)
    done = run(tmp_path, "broken.mp4", "clip.avi", "--model", export, "--csv", "--every", "2", "--most", "1")
    assert done.returncode == 0, done.stderr.decode()
    assert [(r["image"], r["status"]) for r in table(done)] == [
        ("broken.mp4", "refused"),
        *((f"clip.avi#{number}", "found") for number in (0, 2, 4)),
    ]
    alone = table(run(photo.parent, photo.name, "--model", export, "--csv", "--most", "1"))[0]
    for row in table(done)[1:]:
        assert np.abs([float(row[f"x{n}"]) - float(alone[f"x{n}"]) for n in (1, 2)]).max() < 3
        apart = [float(row[f"p{c}"]) - float(alone[f"p{c}"]) for c in range(18)]
        assert np.abs(apart).max() < 0.1, "the same pixels in the same colours"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.jpg"], "--model"),
        (["x.jpg", "--model", "."], "not an exported model"),
        (["x.jpg", "--model", "EXPORT"], "there is no such photo"),
        (["x.jpg", "--model", "EXPORT", "--every", "0"], "'0' is not a whole number"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments: list[str], said: str, export: str, tmp_path: Path) -> None:
    if "there is no such" not in said:
        (tmp_path / "x.jpg").write_bytes(b"")
    done = run(tmp_path, *(a.replace("EXPORT", export) for a in arguments))
    assert done.returncode in (1, 2)
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("change", ["onnx/fold0.onnx", "openvino/fold0.bin", "chain.json"])
def test_a_changed_export_is_refused(change: str, export: str, photo: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(export, copied)
    content = bytearray((copied / change).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / change).write_bytes(content)
    done = run(tmp_path, str(photo), "--model", str(copied))
    assert done.returncode == 1
    text = done.stderr.decode()
    assert "Traceback" not in text
    assert "copy the whole folder again" in text or "of another format" in text


def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe(capsys: pytest.CaptureFixture[str]) -> None:
    write = writer_of("csv", calibrated=True)
    write(Result("=1+1.jpg"))
    write(Result("plain.jpg"))
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["'=1+1.jpg", "plain.jpg"]
