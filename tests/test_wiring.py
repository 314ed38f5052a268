"""dvc.yaml against the code: deps cover every module that a stage imports, params match what it reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.params.schema import Params
from pipeline.runtime.plugins import kind_names
from tests.imports import ROOT, closure

# Modules that cannot change what a stage writes: what they print, how they start and stop processes, and the
# schema of params (the values themselves are tracked by `params`). See docs/decisions.md.
NEUTRAL = {
    "pipeline/runtime/disk.py",
    "pipeline/runtime/errors.py",
    "pipeline/runtime/progress.py",
    "pipeline/runtime/process.py",
    "pipeline/runtime/plugins.py",
    "pipeline/runtime/torchvision_ops.py",
    "stages/shared/command.py",
    "stages/shared/costs.py",
    "stages/shared/dvc_cache.py",
    "stages/shared/rates.py",
}
NEUTRAL_FOLDERS = ("pipeline/params/",)

DVC: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, Any] = DVC["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def value_of(key: str) -> Any:
    value: Any = PARAMS
    for part in key.split("."):
        value = value[part]
    return value


def covered(relative: str, deps: list[str]) -> bool:
    for dep in deps:
        resolved = re.sub(r"\$\{([^}]+)\}", lambda m: str(value_of(m.group(1))), dep)
        if relative == resolved or relative.startswith(resolved.rstrip("/") + "/"):
            return True
    return False


def folder_of(kind: str) -> str:
    return f"pipeline/{kind.replace('.', '/')}"


def modules(name: str) -> tuple[set[str], set[str]]:
    files, kinds = closure(ROOT / "stages" / f"{name}.py")
    return {str(p.relative_to(ROOT)) for p in files}, kinds


@pytest.mark.parametrize("name", STAGES)
def test_deps_cover_every_imported_module(name: str) -> None:
    files, kinds = modules(name)
    deps = [d for d in STAGES[name]["deps"] if isinstance(d, str)]
    assert covered(f"stages/{name}.py", deps)
    of_a_kind = {f"{folder_of(kind)}/{n}.py" for kind in kinds for n in kind_names(kind)}
    missing = sorted(
        f
        for f in files - of_a_kind
        if f not in NEUTRAL
        and not f.startswith(NEUTRAL_FOLDERS)
        and Path(f).name != "__init__.py"
        and not covered(f, deps)
    )
    assert not missing, f"add to deps of {name} in dvc.yaml:\n" + "\n".join(f"      - {m}" for m in missing)
    for kind in kinds:
        assert any(d.startswith(f"{folder_of(kind)}/${{") or d == folder_of(kind) for d in deps), (
            f"{name} loads kind {kind}"
        )


@pytest.mark.parametrize("name", STAGES)
def test_deps_on_code_are_all_imported(name: str) -> None:
    files, kinds = modules(name)
    for dep in STAGES[name]["deps"]:
        if isinstance(dep, str) and dep.startswith(("pipeline/", "demo/", "stages/")) and "${" not in dep:
            used = any(f == dep or f.startswith(dep.rstrip("/") + "/") for f in files | {f"stages/{name}.py"})
            assert used or dep in {folder_of(kind) for kind in kinds}, (
                f"{name} lists {dep} but does not import it"
            )


def params_read(path: Path) -> set[str]:
    """`section` or `section.key` of every param that a script reads as `….params.section.key`."""
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
                outer = parents[node]
                field = Params.model_fields[node.attr].annotation
                known = getattr(field, "model_fields", {})
                deeper = isinstance(outer, ast.Attribute) and outer.attr in known
                found.add(
                    f"{node.attr}.{outer.attr}" if deeper and isinstance(outer, ast.Attribute) else node.attr
                )
    return {f for f in found if f.split(".")[0] != "machine"}


@pytest.mark.parametrize("name", STAGES)
def test_params_are_those_that_the_stage_reads(name: str) -> None:
    listed = {p for p in STAGES[name].get("params", []) if isinstance(p, str)}
    read = params_read(ROOT / "stages" / f"{name}.py")
    unlisted = {r for r in read if r not in listed and r.split(".")[0] not in listed}
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
