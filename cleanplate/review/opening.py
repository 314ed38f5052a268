"""Opens a review session from the project's files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cleanplate.review.decisions import Decisions
from cleanplate.review.heatmaps import HeatMaps
from cleanplate.review.people import People
from cleanplate.review.photos import SmallPhotos
from cleanplate.review.security import SessionTokens
from cleanplate.review.server import Review
from cleanplate.review.suspects import Suspect, read_suspects
from pipeline.io.url_folder import is_url
from pipeline.params import load_params
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import INDEX
from stages.shared.photos import open_photo_store

NEEDED = ["image", "split", "person", "gender", "age", "mask"]


def open_review(params_file: Path, suspects_file: Path, source: str, tokens: SessionTokens) -> Review:
    """Reads index, suspects and decisions.

    Raises:
        UserError: a file is missing, or the existing decisions do not fit the data.
    """
    params = load_params(params_file)
    index = INDEX.read(*NEEDED)
    labels = index[index["split"] == "train"].reset_index(drop=True)
    root = params.data.root
    if not is_url(root) and not Path(root).is_dir():
        raise UserError("the data folder is missing", where=f"data.root in {params_file}", got=root)
    people = People(labels, tokens.csrf.encode())
    decisions = Decisions(Path(params.relabel.corrections), labels, source)
    decisions.tables()
    suspects, note = _suspects(suspects_file, people)
    photos = SmallPhotos(open_photo_store(params.data.root), params.ingest.max_pixels)
    return Review(people, suspects, decisions, photos, HeatMaps(), note)


def _suspects(path: Path, people: People) -> tuple[list[Suspect], str]:
    if not path.exists():
        return [], f"There is no {path}: `dvc repro audit` makes it. You can look at any person (press /)."
    suspects, unknown = read_suspects(path, people)
    if unknown:
        return (
            suspects,
            f"{unknown} rows of {path} are about unknown people: `dvc repro audit` updates it.",
        )
    return suspects, ""


def reviewer(name: str | None) -> str:
    """A row's `source`: `review by NAME`."""
    if name is None:
        done = subprocess.run(
            ["git", "config", "user.name"], capture_output=True, text=True, check=False, errors="replace"
        )
        name = done.stdout
    name = " ".join(name.split())
    return f"review by {name}" if name else "review"
