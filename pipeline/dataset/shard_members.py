"""What is in a tar shard in webdataset's naming: `<key>.jpg`, and its labels in `<key>.json`.

A key ends at the last dot of the file name. A shard is untrusted: it is read header by header, nothing is
unpacked, and no link in it is followed.
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from pipeline.dataset.data_folder import MAX_HEADER, Root, open_shard
from pipeline.dataset.listing import Rejected, is_picture, stray_reason
from pipeline.dataset.safe_files import Unusable, name_problem
from pipeline.io.formula import formula_problem
from pipeline.io.system_files import is_system, system_folder
from pipeline.io.tar_shards import Place

LABELS_SUFFIX = ".json"
MAX_BYTES = MAX_HEADER  # of labels
COPY = "copy or download the shard again, or take it out of the data folder"
KEEP_ONE = "keep one of them"


class Refusal(NamedTuple):
    """Why labels cannot be read, and what to do about it; one phrase each."""

    reason: str
    fix: str


@dataclass
class Members:
    """The members of one shard.

    Attributes:
        photos: by image key, where each is. A key that comes twice is in `rejected` only.
        labels: by image key without suffix, the bytes of the JSON, or why they cannot be read.
        rejected: what cannot be used, with the reason.
        others: how many members are neither photo nor labels, by suffix.
        problem: why the shard cannot be used; "" if it can.
    """

    photos: dict[str, Place] = field(default_factory=dict)
    labels: dict[str, bytes | Refusal] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    problem: str = ""

    def add_photo(self, image: str, place: Place, known: set[str]) -> None:
        """Adds a photo; of a key that comes twice nobody knows which photo is meant."""
        if image not in known:
            known.add(image)
            self.photos[image] = place
            return
        if self.photos.pop(image, None):
            self.rejected.append(Rejected(image, f"{place.shard} holds it twice", KEEP_ONE))

    def add_labels(self, stem: str, labels: bytes | Refusal, shard: str) -> None:
        """Adds the labels of a photo; of two nobody knows which are true."""
        twice = stem in self.labels
        self.labels[stem] = Refusal(f"{shard} holds its labels twice", KEEP_ONE) if twice else labels


def read_members(root: Root, shard: str, with_labels: bool) -> Members:
    """Reads the headers of a shard, and its labels.

    Args:
        root: the data folder.
        shard: its path below `root`; the image keys begin with the shard's folder.
        with_labels: whether to read the bytes of `<key>.json`.
    """
    members, known = Members(), set[str]()
    try:
        with (
            open_shard(root, shard) as file,
            tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar,
        ):
            begin = -1
            for info in tar:
                if info.size < 0 or info.offset <= begin:  # tarfile would go round in circles
                    raise tarfile.ReadError(f"a damaged header at byte {info.offset}")
                begin = info.offset
                _take(info, tar, shard, members, known, with_labels)
            _require_end(file, tar.offset)
    except Unusable as e:
        members.problem = f"{e.reason}; {e.advice}"
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError) as e:
        members.problem = f"it is no whole tar ({e}); {COPY}"
    return members


def _require_end(file: BinaryIO, offset: int) -> None:
    """Refuses a tar without an end mark, or with more after it, as `cat a.tar b.tar` writes: photos would be
    missing, and nothing else would tell.
    """
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"cut off at byte {offset + len(block)}")
    if block.strip(b"\0"):
        raise tarfile.ReadError(f"a damaged header at byte {offset}")
    while rest := file.read(MAX_BYTES):
        if rest.strip(b"\0"):
            raise tarfile.ReadError(f"there is more after its end mark at byte {offset}")


def _take(
    info: tarfile.TarInfo,
    tar: tarfile.TarFile,
    shard: str,
    members: Members,
    known: set[str],
    with_labels: bool,
) -> None:
    """Adds one member."""
    if info.isdir():
        return
    folder, written = posixpath.dirname(shard), info.name
    name = posixpath.normpath(written)  # or `p//a.jpg` and `p/a.jpg` would be two photos of one output
    if outside := _outside(written):
        fix = "pack it under a plain name"
        path = posixpath.join(folder, written) if not written.startswith("/") else written
        members.rejected.append(Rejected(path, f"in {shard}: {outside}", fix, is_picture(name)))
        return
    image = posixpath.join(folder, name)
    stem, suffix = posixpath.splitext(image)
    refused = _refusal(info, name, shard)
    if suffix.lower() == LABELS_SUFFIX and not is_hidden(name):
        members.add_labels(stem, _labels(info, tar, refused, with_labels), shard)
    elif refused:
        reason, fix, counts = refused
        members.rejected.append(Rejected(image, reason, fix, counts))
    elif not is_picture(name):
        members.others[suffix] += 1
    elif stray := stray_reason(name):
        members.rejected.append(Rejected(image, *stray))
    elif problem := formula_problem(image):
        members.rejected.append(Rejected(image, f"its name {problem}", "rename it"))
    else:
        members.add_photo(image, Place(shard, info.offset_data, info.size), known)


def _labels(
    info: tarfile.TarInfo, tar: tarfile.TarFile, refused: tuple[str, str, bool] | None, with_labels: bool
) -> bytes | Refusal:
    """The bytes of a JSON, or why they are not read; b"" where nobody asks for them."""
    if refused:
        return Refusal(f"its labels: {refused[0]}", refused[1])
    if info.size > MAX_BYTES:
        return Refusal(
            f"its labels have {info.size} bytes, more than {MAX_BYTES}", "keep only labels in them"
        )
    file = tar.extractfile(info) if with_labels else None
    return file.read() if file else b""


def _outside(written: str) -> str:
    """Why the written name of a member is no plain one, or ""."""
    if written.startswith("/") or ".." in written.split("/") or not written:
        return "its name points outside the shard"
    return "its name holds a backslash" if "\\" in written else ""


def is_hidden(name: str) -> bool:
    """Whether a member is a hidden or system file, or in such a folder."""
    return bool(system_folder(name)) or is_system(posixpath.basename(name))


def _refusal(info: tarfile.TarInfo, name: str, shard: str) -> tuple[str, str, bool] | None:
    """(reason, fix, counts) of a member that is no file of the set, or None."""
    picture = is_picture(name)
    if is_hidden(name):
        return "a hidden or system file", "nothing to do; leave it out of the shard if you like", False
    if info.issym() or info.islnk():
        return f"in {shard}: a link to {info.linkname}", "pack the file itself", picture
    if not info.isreg() or info.issparse():
        return f"in {shard}: no plain file", "pack the file itself", picture
    if problem := name_problem(name):
        return problem, "rename it", picture
    return None


def read_cells(data: bytes) -> dict[str, str]:
    """The values of a JSON object as text; null is empty.

    Raises:
        ValueError: it is no JSON object; one phrase.
    """
    try:
        values = json.loads(data, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"its labels are no JSON ({e})") from e
    if not isinstance(values, _Pairs):
        raise ValueError(f"its labels are no JSON object but {str(values)[:40]!r}")
    cells = {key: "" if value is None else str(value).strip() for key, value in values}
    if len(cells) < len(values):
        twice = next(key for key, count in Counter(key for key, _ in values).items() if count > 1)
        raise ValueError(f"its labels name {twice!r} twice")
    return cells


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object; a dict would keep the last of two that have one name."""
