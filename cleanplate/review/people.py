"""People, photos and labels under ids that are valid only in this session."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd


@dataclass(frozen=True)
class Photo:
    """A photo and its labels as the data folder has them."""

    id: str
    image: str
    person: str
    gender: str
    age: str
    mask: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.image).name


@dataclass
class Person:
    """A person: the folder's name and the photos, sorted by key."""

    id: str
    name: str
    photos: list[Photo] = field(default_factory=list)

    def label(self, field: str, image: str = "") -> str:
        """The data folder's label of the person, or of one photo; `a / b` if photos differ."""
        photos = [p for p in self.photos if image in ("", p.image)]
        return " / ".join(sorted({getattr(p, field) for p in photos}))


class People:
    """All people, found by name or by id; photos by id.

    Args:
        labels: columns image, person, gender, age, mask.
        secret: of this session; ids are keyed hashes, so that addresses expire with it.
    """

    def __init__(self, labels: pd.DataFrame, secret: bytes) -> None:
        self.by_name: dict[str, Person] = {}
        self.by_id: dict[str, Person] = {}
        self.photos: dict[str, Photo] = {}
        self._secret = hashlib.sha256(secret).digest()
        table = labels[["image", "person", "gender", "age", "mask"]].sort_values(["person", "image"])
        for row in table.itertuples(index=False):
            image, name, gender, age, mask = (str(v) for v in row)
            person = self.by_name.get(name)
            if person is None:
                person = self.by_name[name] = Person(self._id("person", name), name)
                self.by_id[person.id] = person
            photo = Photo(self._id("photo", image), image, name, gender, age, mask)
            person.photos.append(photo)
            self.photos[photo.id] = photo

    def _id(self, kind: str, name: str) -> str:
        data = f"{kind}\0{name}".encode("utf-8", "surrogateescape")
        return hashlib.blake2s(data, key=self._secret, digest_size=9).hexdigest()
