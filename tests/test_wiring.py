"""dvc.yaml against the code: deps cover every module that a stage imports, params match what it reads."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pipeline.params.loading import parse_yaml
from pipeline.params.schema import Params
from tests.imports import ROOT, closure, folder_of, imported, plugins

# Cannot change what a stage writes: what it prints, how processes start and stop, who does the work, and the
# schema of params (their values are tracked by `params`). See docs/decisions.md.
NEUTRAL_ROOMS = ("pipeline/runtime", "pipeline/params", "pipeline/workers")
NEUTRAL = {
    "stages/shared/artefacts.py",  # checks what is read and written
    "stages/shared/command.py",
    "stages/shared/costs.py",
    "stages/shared/dvc_cache.py",
    "stages/shared/rates.py",
    "stages/shared/start.py",  # which Python runs, and how it ends
}
NOT_NEUTRAL = {"pipeline/params/overrides.py"}  # the report prints what it makes
FILES_AT_MOST = 2
PLUGIN_PARAMS = {"objective.heads": "train.heads"}

DVC: dict[str, Any] = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, Any] = DVC["stages"]
PARAMS: dict[str, Any] = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))


def value_of(key: str) -> Any:
    value: Any = PARAMS
    for part in key.split("."):
        value = value[part]
    return value


def is_neutral(file: str) -> bool:
    return file in NEUTRAL or (file.startswith(NEUTRAL_ROOMS) and file not in NOT_NEUTRAL)


def code_deps(name: str) -> set[str]:
    """What dvc.yaml has to name of the code of a stage, by the one rule:

    a stage depends on every room that it imports from, or, where these are one or two files, on the files;
    `train` on files wherever the room is not its own or pipeline/io, but on all losses, since train.loss may
    name several.
    """
    python = {p for folder in ("pipeline", "stages") for p in (ROOT / folder).rglob("*.py")}
    ends = frozenset(p for p in python if is_neutral(p.relative_to(ROOT).as_posix()))
    files, kinds = closure(ROOT / "stages" / f"{name}.py", ends)
    rooms: dict[str, set[str]] = {}
    for path in files:
        file = path.relative_to(ROOT).as_posix()
        if path.name != "__init__.py" and not is_neutral(file):
            rooms.setdefault(room_of(file), set()).add(file)
    of_train = name == "train"
    for kind in kinds:
        found = rooms.setdefault(room_of(f"{folder_of(kind)}/x.py"), set())
        chosen = f"/${{{PLUGIN_PARAMS[kind]}}}.py" if kind in PLUGIN_PARAMS else ""
        found |= (
            {f"{folder_of(kind)}{chosen}"}
            if of_train
            else {p.relative_to(ROOT).as_posix() for p in plugins(kind)}
        )
    deps = {f"stages/{name}.py"}
    for room, found in rooms.items():
        whole = room in ("pipeline/train", "pipeline/io") if of_train else len(found) > FILES_AT_MOST
        deps |= {room} if whole and room not in ("pipeline", "stages/shared") else found
    return deps


def room_of(file: str) -> str:
    """A room is a package of pipeline/, pipeline/analysis/ or stages/; its sub-packages belong to it."""
    parts = file.split("/")[:-1]
    return "/".join(parts[: 3 if parts[:2] == ["pipeline", "analysis"] else 2])


@pytest.mark.parametrize("name", STAGES)
def test_deps_on_code_are_the_rooms_that_are_imported(name: str) -> None:
    listed = {d for d in STAGES[name]["deps"] if d.startswith(("pipeline/", "stages/"))}
    wanted = code_deps(name)
    assert listed == wanted, (
        f"dvc.yaml, {name}: missing {sorted(wanted - listed)}, not needed {sorted(listed - wanted)}"
    )


def test_neutral_rooms_import_nothing_that_could_change_a_result() -> None:
    """Or an output could change unseen: what they import is not followed."""
    for room in NEUTRAL_ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for own in imported(path)[0]:
                file = own.relative_to(ROOT).as_posix()
                # who reads or writes files for a worker elsewhere depends on pipeline/io anyway
                known = ("pipeline/labels.py", "pipeline/io/parcel.py", "pipeline/io/spool.py")
                allowed = is_neutral(file) or file in known or own.name == "__init__.py"
                assert allowed or room == "pipeline/params", f"{path} imports {file}"


def fields_of(field: Any) -> dict[str, Any]:
    """The fields of a section of the params; {} of a value."""
    return getattr(field.annotation, "model_fields", {})


def params_read(path: Path) -> set[str]:
    """`section`, `section.key` or deeper of every param that a script reads as `….params.section.key`."""
    found: set[str] = set()
    parents: dict[ast.AST, ast.AST] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            parents[child] = node
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in Params.model_fields:
            source = node.value
            name = source.attr if isinstance(source, ast.Attribute) else getattr(source, "id", "")
            if name == "params":
                names, outer = [node.attr], parents[node]
                known = fields_of(Params.model_fields[node.attr])
                while isinstance(outer, ast.Attribute) and outer.attr in known:
                    names.append(outer.attr)
                    known, outer = fields_of(known[outer.attr]), parents[outer]
                found.add(".".join(names))
    return {f for f in found if f.split(".")[0] != "machine"}


@pytest.mark.parametrize("name", STAGES)
def test_params_are_those_that_the_stage_reads(name: str) -> None:
    listed = {p for p in STAGES[name].get("params", []) if isinstance(p, str)}
    read = params_read(ROOT / "stages" / f"{name}.py")
    unlisted = {r for r in read if not any(r == p or r.startswith(f"{p}.") for p in listed)}
    assert not unlisted, f"{name} reads {sorted(unlisted)}; add them to its params in dvc.yaml"
    unread = {
        p for p in listed if not any(r == p or r.startswith(p + ".") or p.startswith(r + ".") for r in read)
    }
    assert not unread, f"{name} lists {sorted(unread)} in dvc.yaml but does not read them"
    assert not any(p.split(".")[0] == "machine" for p in listed), "machine.* changes speed only"


@pytest.mark.parametrize("name", STAGES)
def test_params_listed_exist(name: str) -> None:
    for param in STAGES[name].get("params", []):
        if isinstance(param, str):
            value_of(param)


def test_dvc_tells_params_called_size_apart() -> None:
    """DVC leaves keys of these names inside a section out of the key of its run cache (CONTRIBUTING.md)."""
    overlooked = {k for k in keys(PARAMS) if k.split(".")[-1] in ("size", "nfiles")}
    assert {"compose.size", "train.size"} <= overlooked
    for name, stage in STAGES.items():
        listed = set(stage.get("params", []))
        inside = {k for k in overlooked if any(k.startswith(f"{p}.") for p in listed)}
        assert not inside - listed, f"{name} must list {sorted(inside - listed)} beside their sections"
    (demo,) = parse_yaml((ROOT / "demo/dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    assert not {"size", "nfiles"} & set(demo["params"][0]["demo/params.yaml"])


def test_every_stage_has_script_section_and_test() -> None:
    for name in STAGES:
        assert (ROOT / "stages" / f"{name}.py").exists(), name
        assert (ROOT / "tests/stages" / f"test_{name}.py").exists(), f"tests/stages/test_{name}.py"
        assert STAGES[name]["cmd"] == f"python3 -m stages.{name}"


def test_params_yaml_has_every_param_of_the_schema_at_a_valid_value() -> None:
    params = Params.model_validate(PARAMS)
    written, defined = keys(PARAMS), keys(params.model_dump(by_alias=True))
    assert written == defined, f"only in one of params.yaml and the schema: {sorted(written ^ defined)}"


def keys(value: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, inner in value.items():
        found |= keys(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}"}
    return found


def test_imports_point_one_way() -> None:
    for path in (ROOT / "pipeline").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert name.split(".")[0] not in ("stages", "cleanplate", "demo", "dvc"), (
                    f"{path} imports {name}"
                )
