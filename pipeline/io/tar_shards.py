"""Tar shards with the pictures of a folder, and an index of the pictures in them.

    <folder>/<folder's name>-000000.tar …    members in the order of their names, <name> = key.extension
    <folder>/INDEX.json                      {"<shard>": {"<name>": [offset, bytes], …}, …}

The naming is webdataset's, so its readers accept the shards (they end a key at the first dot of a file name).
Headers contain only name and size, so the same pictures give the same bytes. Long or non-ASCII names go into
PAX records, which preserve any bytes.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from pipeline.runtime.errors import UserError

INDEX = "INDEX.json"


FEW_PHOTOS = 5000  # up to so many are a file each with data.shards: auto
AUTO_SHARD = 1000  # pictures in a tar, above


def per_shard(shards: int | Literal["auto"] | None, photos: int) -> int | None:
    """Pictures in each tar of an output folder; None = a file each.

    Args:
        shards: `data.shards`.
        photos: how many the set has.
    """
    if shards == "auto":
        return AUTO_SHARD if photos > FEW_PHOTOS else None
    return shards or None


EMPTY_HEADER = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)
SIZE_FIELD, CHECKSUM_FIELD = slice(124, 136), slice(148, 156)  # POSIX.1-1988, ustar


class Place(NamedTuple):
    """Location of a picture's bytes: shard file, offset, size."""

    shard: str
    offset: int
    size: int


def read_part(path: Path, offset: int, size: int) -> bytes:
    """`size` bytes of a shard from `offset` on.

    Raises:
        OSError: it cannot be read, or ends before.
    """
    with path.open("rb", buffering=0) as f:
        f.seek(offset)
        data = f.read(size)
    if len(data) != size:
        raise OSError(0, "the shard is cut off", str(path))
    return data


def write_shards(
    folder: Path, stem: str, names: Iterable[str], content: Callable[[str], bytes], per_shard: int
) -> None:
    """Packs pictures into `folder`, sorted by name, `per_shard` in each tar, and writes the index.

    Args:
        stem: prefix of the shards' names.
        names: relative names with `/`, unique.
        content: returns the bytes of a name; called once for each, in order.
    """
    index: dict[str, dict[str, tuple[int, int]]] = {}
    ordered = sorted(names, key=os.fsencode)
    for number, start in enumerate(range(0, len(ordered), per_shard)):
        shard = f"{stem}-{number:06d}.tar"
        with (folder / shard).open("wb") as f:
            index[shard] = write_tar(f, ordered[start : start + per_shard], content)
    # ASCII: JSON escapes also preserve the surrogates of non-UTF-8 bytes
    (folder / INDEX).write_text(json.dumps(index, indent=0) + "\n", encoding="ascii")


def write_tar(
    f: BinaryIO, names: Sequence[str], content: Callable[[str], bytes]
) -> dict[str, tuple[int, int]]:
    """Writes one tar; returns offset and size of each member."""
    places: dict[str, tuple[int, int]] = {}
    for name in names:
        data = content(name)
        f.write(_header(name, len(data)))
        places[name] = (f.tell(), len(data))
        f.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
    f.write(bytes(2 * tarfile.BLOCKSIZE))
    f.write(bytes(-f.tell() % tarfile.RECORDSIZE))
    return places


def _header(name: str, size: int) -> bytes:
    """The header of a member: mode 644, owner 0, time 0.

    `TarInfo.tobuf` takes ten times as long; its header of no name and no bytes is filled in here, but for
    names that need a PAX record.
    """
    if len(name) > tarfile.LENGTH_NAME or not name.isascii() or size >= 8**11:
        info = tarfile.TarInfo(name)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    header = bytearray(EMPTY_HEADER)
    header[: len(name)] = name.encode("ascii")
    header[SIZE_FIELD] = b"%011o\0" % size
    header[CHECKSUM_FIELD] = b" " * 8  # as which it counts itself
    header[CHECKSUM_FIELD] = b"%06o\0 " % sum(header)
    return bytes(header)


def read_index(folder: Path) -> dict[str, Place] | None:
    """Location of each picture of the folder; None if it has no shards.

    Raises:
        UserError: the index is damaged.
    """
    path = folder / INDEX
    try:
        raw = json.loads(path.read_bytes())
        return {
            name: Place(shard, int(offset), int(size))
            for shard, rows in raw.items()
            for name, (offset, size) in rows.items()
        }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as e:
        raise UserError(
            "the index of packed pictures cannot be read",
            where=path,
            got=str(e),
            fix=f"run `dvc checkout --force {folder}`, or the stage that wrote it again",
        ) from e
