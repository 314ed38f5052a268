"""Looks at the face in every photo with networks that are used as they come: gender, age, an embedding.

Reads build/photos.parquet, build/boxes.parquet and the photos; writes build/faces.parquet, a row per photo
and network of `faces.network` (none: an empty table), and reports/faces.json: what the networks' weights were
trained on. The result cache answers for photos and boxes that a network has seen before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.faces.numbers import FaceNumbers
from pipeline.faces.run import FaceTask, look_at_faces
from pipeline.io.atomic import write_json
from pipeline.io.result_cache import prune
from pipeline.networks.indexed_photo import index_photos
from pipeline.networks.weights import resolve, sha256_of
from pipeline.networks.weights_lock import read_lock
from pipeline.params.preparation import Faces
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from stages.shared.artefacts import BOXES, FACE_NETWORKS, FACES, PHOTOS
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

UNKNOWN = "not known: no row of weights.lock has this file's sha256"


def run(stage: Stage) -> None:
    faces, machine = stage.params.faces, stage.params.machine
    tasks = face_tasks(stage) if faces.networks else []
    root = stage.result_cache.parent.parent
    background = stage.params.ingest.transparent_rgb
    parts, hits, seconds = [face_table([], "", [])], 0, 0.0
    for network in faces.networks:
        say(f"faces: {network} for {len(tasks)} photos")
        result = look_at_faces(tasks, network, faces, root, stage.result_cache, machine, background)
        say(f"faces: {result.line()}")
        hits += result.hits
        seconds += result.seconds
        parts.append(face_table([task.photo.image for task in tasks], network, result.numbers))
    if tasks and hits == 0:
        stage.measured(seconds, len(tasks))
    if tasks:
        prune(stage.result_cache, machine.cache_gb)
    origins = [{"network": name, "weights": weight_facts(name, faces, root)} for name in faces.networks]
    for origin in origins:
        for facts in origin["weights"]:
            say(f"faces: {facts['weights']} was trained on: {facts['trained_on']}")
    write_json(stage.out(FACE_NETWORKS), {"networks": origins})
    FACES.write(stage.out(FACES.path), pd.concat(parts, ignore_index=True))


def weight_facts(network: str, faces: Faces, root: Path) -> list[dict[str, str]]:
    """Name, licence and training photos of a network's weights, as weights.lock says of the same bytes."""
    rows = {entry.sha256: (name, entry) for name, entry in read_lock().items()}
    facts: list[dict[str, str]] = []
    for given in load_plugin("faces.methods", network).weight_names(faces):
        name, entry = rows.get(sha256_of(resolve(given, root)), (Path(given).name, None))
        licence, trained_on = (entry.licence, entry.trained_on) if entry else ("", "")
        facts.append({"weights": name, "licence": licence or UNKNOWN, "trained_on": trained_on or UNKNOWN})
    return facts


def face_tasks(stage: Stage) -> list[FaceTask]:
    """Every photo with its box, in the order of build/photos.parquet."""
    photos = stage.first(PHOTOS.read("image", "sha256", "width", "height"))
    table = photos.merge(BOXES.read(), on="image", how="left", validate="one_to_one")
    indexed = index_photos(table, open_photo_store(stage.params.data.root))
    boxes = zip(*(table[c] for c in ("x1", "y1", "x2", "y2", "landmarks")), strict=True)
    return [
        FaceTask(photo, tuple(box), tuple(marks)) for photo, (*box, marks) in zip(indexed, boxes, strict=True)
    ]


def face_table(images: list[str], network: str, numbers: list[FaceNumbers]) -> pd.DataFrame:
    """Rows of build/faces.parquet for one network; see docs/contracts.md."""
    embeddings = [one.embedding for one in numbers]
    return pd.DataFrame(
        {
            "image": pd.Series(images, dtype=str),
            "network": pd.Series([network] * len(images), dtype=str),
            "male": np.array([one.male for one in numbers], dtype=np.float32),
            "age": np.array([one.age for one in numbers], dtype=np.float32),
            # typed, or an empty table would get a column of type null
            "embedding": pd.Series(embeddings, dtype=pd.ArrowDtype(pa.list_(pa.float32()))),
        }
    )


if __name__ == "__main__":
    stage_command("faces", run, __doc__ or "")
