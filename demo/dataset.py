"""Draws the demo: `python -m demo.dataset` writes data, truth and mattes below demo/."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import typer

from demo.drawing.people import Person, choose_people, class_of, image_id, mask_of
from demo.drawing.person import PHOTOS, draw
from demo.files import UNREADABLE, encode_matte, encode_photo
from pipeline.io.atomic import atomic_folder
from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import die_with_dvc
from pipeline.runtime.progress import say, track
from pipeline.seeds import seed_of
from pipeline.workers.run import run_parallel

HERE = Path(__file__).parent
FREE = 0.0  # how far eval backgrounds are tied to the age group
Row = list[object]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Order:
    """One photo to draw, small enough to hand to a worker."""

    person: Person
    photo: str


@dataclass(frozen=True)
class Params:
    """What demo/params.yaml holds. `size` is width and height, pixels."""

    seed: int
    people: int
    eval_people: int
    size: tuple[int, int]


def write_demo(target: Path, params: Params, workers: int | None) -> int:
    """Write `data`, `truth` and `mattes` below `target`, each whole or not at all; return the photos' number.

    The bytes depend on `params` alone, not on `workers`.
    """
    seed, size = params.seed, params.size
    chosen = choose_people(seed, params.people, params.eval_people)
    orders = [Order(person, photo) for person in chosen for photo in PHOTOS]
    with ExitStack() as whole:
        data, truth, mattes = (
            whole.enter_context(atomic_folder(target / n)) for n in ("data", "truth", "mattes")
        )
        draw_one = partial(_drawer, seed, size, data, mattes)
        boxes = run_parallel(
            draw_one,
            orders,
            machine=Machine(workers=workers),
            chunk=7,
            name=lambda o: o.person.path(seed, o.photo),
        )
        found = list(track(boxes, len(orders), "demo"))
        _write_tables(data, chosen, seed)
        _write_truth(truth, orders, found, seed)
    return len(orders)


def _drawer(seed: int, size: tuple[int, int], data: Path, mattes: Path) -> Callable[[Order], Box]:
    cv2.setNumThreads(1)
    return partial(_draw_one, seed, size, data, mattes)


def _draw_one(seed: int, size: tuple[int, int], data: Path, mattes: Path, order: Order) -> Box:
    person, kind = order.person, order.person.special.get(order.photo, "jpeg")
    tied = {} if person.split == "train" else {"tied": FREE}
    content = person.drawn_photo(order.photo)
    rgb, alpha, box = draw(seed, person.key, content, drawn_age=person.drawn_age, size=size, **tied)
    path = person.path(seed, order.photo)
    _write(data / path, encode_photo(rgb, kind))
    if person.split == "train" and kind not in UNREADABLE:
        _write((mattes / path).with_suffix(".png"), encode_matte(alpha))
    return box


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_csv(path: Path, header: list[str], rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_tables(data: Path, chosen: list[Person], seed: int) -> None:
    """The two tables that the competition gives; the order of info.csv says nothing about the people."""
    train: list[Row] = [
        [f"{p.number:06d}", p.said_gender or p.gender, p.folder.split("_")[2], p.age, p.folder]
        for p in chosen
        if p.split == "train"
    ]
    _write_csv(data / "train" / "train.csv", ["id", "gender", "race", "age", "path"], train)
    ids = [image_id(seed, p, photo) for p in chosen if p.split != "train" for photo in PHOTOS]
    ids.sort(key=lambda name: seed_of(seed, "info order", name))
    _write_csv(data / "eval" / "info.csv", ["ImageID", "ans"], [[name, 0] for name in ids])


def _write_truth(truth: Path, orders: list[Order], boxes: list[Box], seed: int) -> None:
    rows: list[Row] = []
    planted: list[Row] = []
    for order, box in zip(orders, boxes, strict=True):
        person, photo = order.person, order.photo
        path, content = person.path(seed, photo), person.drawn_photo(photo)
        label = class_of(person.gender, person.age, content)
        corners = [f"{v:.1f}" for v in box]
        rows.append(
            [path, person.split, person.folder, person.gender, person.age, mask_of(content), label, *corners]
        )
        if content != photo:
            planted.append([person.folder, path, "swapped", mask_of(content), mask_of(photo)])
        if photo in person.special:
            planted.append([person.folder, path, person.special[photo], "", ""])
        if photo == PHOTOS[0] and person.said_gender:
            planted.append([person.folder, "", "wrong_gender", person.gender, person.said_gender])
        if photo == PHOTOS[0] and person.drawn_age is not None:
            planted.append([person.folder, "", "drawn_old", person.age, f"{person.drawn_age:.0f}"])
    header = ["image", "split", "person", "gender", "age", "mask", "class", "x0", "y0", "x1", "y1"]
    _write_csv(truth / "truth.csv", header, rows)
    planted.sort(key=lambda row: (str(row[2]), str(row[0]), str(row[1])))
    _write_csv(truth / "planted.csv", ["person", "image", "kind", "truth", "said"], planted)


def read_params(path: Path) -> Params:
    """The params in `path`, checked.

    Raises:
        UserError: a name is unknown or missing, or a value is not allowed.
    """
    from pipeline.params.loading import parse_yaml  # here: drawing processes do without

    given = parse_yaml(path.read_text(encoding="utf-8")) or {}
    known = ["seed", "people", "eval_people", "size"]
    for name in sorted(set(given) ^ set(known)):
        problem = "unknown param of the demo" if name in given else "a param of the demo is missing"
        raise UserError(problem, got=name, allowed=known, where=path)
    for name, low in {"seed": 0, "people": 18, "eval_people": 6}.items():
        if type(given[name]) is not int or given[name] < low:
            raise UserError(f"`{name}` is out of range", got=given[name], allowed=f"int >= {low}", where=path)
    size = given["size"]
    if type(size) is not list or [type(v) for v in size] != [int, int] or min(size) < 128:
        raise UserError("`size` is not a size", got=size, allowed="[width, height], both >= 128", where=path)
    return Params(given["seed"], given["people"], given["eval_people"], (size[0], size[1]))


def main(
    out: Annotated[
        Path, typer.Option(help="Folder that data/, truth/ and mattes/ are written to.", show_default="demo")
    ] = HERE,
    params: Annotated[
        Path, typer.Option(help="YAML file with the demo's params.", show_default="demo/params.yaml")
    ] = HERE / "params.yaml",
    workers: Annotated[int | None, typer.Option(help="Processes; one per CPU if left out.")] = None,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    """Draw the demo's people: photos in the competition's layout, the truth about them, and their mattes."""
    try:
        p = read_params(params)
        count = write_demo(out, p, workers)
    except UserError as e:
        if debug:
            raise
        say(f"error: {e}")
        raise typer.Exit(1) from e
    people = f"{p.people} people to train on and {p.eval_people} to predict"
    say(f"demo: {people}, {count} photos in {out / 'data'}")


if __name__ == "__main__":
    die_with_dvc()
    typer.run(main)
