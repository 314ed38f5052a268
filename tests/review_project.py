"""A small project for the review page: people, suspects, a server, a browser."""

from __future__ import annotations

import csv
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import yaml

from pipeline.labels import MASK_OF_STEM
from pipeline.tables import write_table
from review.opening import open_review
from review.security import Keys
from review.serving import listening, make_server
from tests.data_folder import STEMS, picture

PEOPLE = (
    "000001_female_Asian_45",
    "000002_male_Asian_59",
    "000003_female_Asian_20",
    "000004_male_Asian_33",
    "000005_female_Asian_52",
)
HEAD = "rank,person,image,field,old,proposed,confidence,why\n"
SUSPECTS = f"""{HEAD}\
1,{PEOPLE[0]},,gender,female,male,0.97,7 of 7 photos look male
2,{PEOPLE[1]},,age,59,>=60,0.7,next to a bound
3,{PEOPLE[2]},train/images/2/normal.jpg,mask,none,incorrect,0.9,looks swapped
4,{PEOPLE[3]},,gender,male,female,0.6,4 of 7 photos look female
"""
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def make_project(folder: Path, people: tuple[str, ...] = PEOPLE, suspects: str = SUSPECTS) -> None:
    """Writes params, index, photos, empty corrections and suspects into `folder`.

    The photos of the k-th person lie in train/images/k, whatever the person's name.
    """
    params = yaml.safe_load((Path(__file__).parent.parent / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["root"] = str(folder / "photos")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/corrections.csv").write_text("person,image,field,old,new,reason,source\n")
    (folder / "reports").mkdir()
    (folder / "reports/suspects.csv").write_text(suspects)
    rows = []
    for k, person in enumerate(people):
        said = re.search(r"_(male|female)_\w+?_(\d+)", person)
        gender, age = (said[1], int(said[2])) if said else ("female", 30)
        (folder / f"photos/train/images/{k}").mkdir(parents=True)
        for stem in STEMS:
            image = f"train/images/{k}/{stem}.jpg"
            (folder / "photos" / image).write_bytes(picture())
            rows.append((image, "train", person, gender, age, MASK_OF_STEM[stem]))
    columns = ["image", "split", "person", "gender", "age", "mask"]
    write_table(folder / "build/index.parquet", pd.DataFrame(rows, columns=columns))


@contextmanager
def running(source: str = "review by Mina") -> Iterator[Keys]:
    """The page's server on the project in the current folder."""
    with listening(0) as sock:
        keys = Keys(sock.getsockname()[1])
        review = open_review(Path("params.yaml"), Path("reports/suspects.csv"), source, keys)
        server = make_server(review, keys)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield keys
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def client(keys: Keys) -> Iterator[httpx.Client]:
    """A client that has opened the address, as a browser does, and sends what the page sends with a POST."""
    base = f"http://127.0.0.1:{keys.port}"
    with httpx.Client(base_url=base, headers={"origin": base, "x-csrf": keys.csrf}, timeout=20) as browser:
        browser.get(f"/?token={keys.token}")
        yield browser


def rows_of(name: str) -> list[list[str]]:
    """The rows of data/NAME.csv without its header."""
    path = Path("data") / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.reader(f))[1:]


def wait_for(name: str, rows: int, seconds: float = 10) -> list[list[str]]:
    """The rows of data/NAME.csv, once there are `rows`."""
    end = time.monotonic() + seconds
    while len(rows_of(name)) != rows and time.monotonic() < end:
        time.sleep(0.02)
    assert len(rows_of(name)) == rows, f"{name}: {rows_of(name)}"
    return rows_of(name)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def person_of(page: httpx.Client, name: str) -> dict[str, Any]:
    ids = {n: i for i, n in page.get("/api/people").json()}
    return page.get(f"/api/person/{ids[name]}").json()


def decide(page: httpx.Client, name: str, action: str, field: str, **more: Any) -> httpx.Response:
    person = person_of(page, name)
    photo = more.pop("photo", "")
    ids = {p["name"]: p["id"] for p in person["photos"]}
    body = {"person": person["id"], "version": person["version"], "action": action, "field": field}
    body["receipt"] = more.pop("receipt", "0" * 16)
    return page.post("/api/decide", json={**body, "photo": ids[photo] if photo else "", **more})


def add_model(other: str) -> None:
    """Two untrained networks and the composed pictures; person `other` is in fold 1, the rest in fold 0."""
    import pandas as pd
    import torch
    from safetensors.torch import save_file

    from pipeline.params.training import Train
    from pipeline.publish import published_folder, write_json
    from pipeline.tables import write_table
    from pipeline.training.network import classifier

    index = pd.read_parquet("build/index.parquet")
    people = index["person"].unique()
    write_table(
        Path("build/folds.parquet"), pd.DataFrame({"person": people, "fold": (people == other).astype(int)})
    )
    with published_folder(Path("build/images")) as images:
        for image in index["image"]:
            (images / image).parent.mkdir(parents=True, exist_ok=True)
            (images / image).write_bytes(picture(width=64, height=64))
    train = Train(model="resnet10t", size=128)
    with published_folder(Path("build/model")) as model:
        for fold in (0, 1):
            torch.manual_seed(fold)
            (model / f"fold{fold}").mkdir()
            weights = classifier(train, weights=False).net.state_dict()
            path = model / f"fold{fold}" / "model.safetensors"
            save_file({name: w.contiguous() for name, w in weights.items()}, path)
        write_json(
            model / "config.json",
            {
                "train": train.model_dump(mode="json"),
                "folds": [0, 1],
                "class_counts": [1] * 18,
                "learnt_mix": {},
            },
        )
