"""Imports point one way: from a room to rooms of the layers below it, never up, sideways or in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports import ROOT, imported

LAYERS: tuple[tuple[str, ...], ...] = (
    ("pipeline/runtime", "pipeline/seeds.py", "cleanplate/setup"),
    ("pipeline/labels.py", "pipeline/io"),
    ("pipeline/params",),
    ("pipeline/workers",),
    ("pipeline/networks", "pipeline/compose"),
    ("pipeline/dataset", "pipeline/detect", "pipeline/faces", "pipeline/segment"),
    ("pipeline/objective", "pipeline/evaluate"),
    ("pipeline/train",),
    ("pipeline/analysis", "pipeline/export"),
    ("stages/shared",),
    ("stages",),
    ("cleanplate/experiments", "cleanplate/corrections", "cleanplate/weights", "cleanplate/predict"),
    ("cleanplate/comparison", "cleanplate/integrity", "cleanplate/review"),
    ("cleanplate/preflight", "cleanplate/trial", "cleanplate/quantization"),
    ("cleanplate/commands",),
    ("cleanplate/cli.py",),
)
LAYER = {room: number for number, layer in enumerate(LAYERS) for room in layer}
MODULES = sorted(p for folder in ("pipeline", "stages", "cleanplate") for p in (ROOT / folder).rglob("*.py"))


def room_of(path: Path) -> str:
    """The most special room that holds a module."""
    file = path.relative_to(ROOT).as_posix()
    return max((room for room in LAYER if file == room or file.startswith(room + "/")), key=len)


def own_imports(path: Path) -> list[Path]:
    """Modules of the project that one imports; packages' own `__init__` stand for no room."""
    return sorted(p for p in imported(path)[0] if p.name != "__init__.py")


@pytest.mark.parametrize("room", LAYER)
def test_a_room_imports_only_from_layers_below(room: str) -> None:
    modules = [p for p in MODULES if p.name != "__init__.py" and room_of(p) == room]
    assert modules, f"{room} is empty"
    for path in modules:
        for other in own_imports(path):
            below = room_of(other)
            assert below == room or LAYER[below] < LAYER[room], (
                f"{path.relative_to(ROOT)} ({room}) imports {other.relative_to(ROOT)} ({below})"
            )


def test_every_module_is_in_a_room() -> None:
    for path in MODULES:
        assert path.name == "__init__.py" or room_of(path)


def test_no_module_imports_itself_in_a_circle() -> None:
    done: set[Path] = set()

    def follow(path: Path, way: tuple[Path, ...]) -> None:
        assert path not in way, " -> ".join(p.relative_to(ROOT).as_posix() for p in (*way, path))
        if path not in done:
            for other in own_imports(path):
                follow(other, (*way, path))
            done.add(path)

    for module in MODULES:
        follow(module, ())


def test_visible_folders_are_the_rooms_of_the_house() -> None:
    made = {"build", "reports", "quick"}  # by the stages; git does not track them
    folders = (p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.endswith(".egg-info"))
    visible = {name for name in folders if not name.startswith((".", "_"))} - made
    assert visible == {
        "benchmarks", "cleanplate", "data", "demo", "docs", "examples", "pipeline", "stages", "tests",
    }  # fmt: skip


PURE = ("pipeline/labels.py", "pipeline/seeds.py", "pipeline/evaluate", "pipeline/compose/composite.py",
        "pipeline/compose/crop.py", "pipeline/detect/boxes.py", "pipeline/dataset/folds.py",
        "pipeline/dataset/relabel.py")  # fmt: skip


@pytest.mark.parametrize("place", PURE)
def test_pure_modules_know_neither_torch_nor_disk(place: str) -> None:
    files = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).glob("*.py"))
    for path in files:
        text = path.read_text(encoding="utf-8")
        for word in ("import torch", "from torch", "pathlib", "open("):
            assert word not in text, f"{path.relative_to(ROOT)} has `{word}`"
