"""Params and code: nothing that is read is run, and a name is never a path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.reliability.repository import printed


def test_no_reader_in_the_code_runs_what_it_reads() -> None:
    forbidden = re.compile(
        r"pickle\.loads?\(|weights_only=False|allow_pickle=True|yaml\.(unsafe_load|full_load)|shell=True|"
        r"extractall\(|os\.system\(|(?<![\w.])(eval|exec)\("
    )
    loads = re.compile(r"torch\.load\((?!.*weights_only=True)")
    for folder in ("pipeline", "stages", "cleanplate"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not forbidden.search(line), f"{path.name} line {number}: {line.strip()}"
                harmless = "`" in line  # told about in a docstring
                assert harmless or not loads.search(line), f"{path.name} line {number}: {line.strip()}"


@pytest.mark.parametrize(
    "text",
    [
        "data: !!python/object/apply:os.system ['touch ran']\n",
        "data:\n  root: !!python/name:os.system\n",
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g]\ndata: {root: *h}\n",
    ],
    ids=["call", "name", "bomb"],
)
def test_yaml_that_does_something(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    code = (
        "import resource\nfrom pathlib import Path\nfrom pipeline.params import load_params\n"
        "from pipeline.runtime.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try:\n    load_params(Path('params.yaml'))\nexcept UserError as e:\n    print(len(str(e)))\n"
    )
    assert int(printed(code, tmp_path, timeout=30)) < 20_000
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "param", ["data.layout", "detect.method", "compose.fill", "train.loss", "train.heads"]
)
def test_a_kind_is_a_name_not_a_path(param: str, project: Path) -> None:
    from pipeline.runtime.plugins import load_plugin

    (project / "evil.py").write_text("open('ran', 'w')\n")
    kinds = {
        "data": "dataset.layouts",
        "detect": "detect.methods",
        "compose": "compose.fills",
        "train": "objective.losses",
    }
    for name in ("../../evil", "evil", "..evil", ".evil", "__init__", str(project / "evil")):
        with pytest.raises((UserError, ModuleNotFoundError, ImportError, TypeError)):
            load_plugin(kinds[param.split(".")[0]], name)
    assert not (project / "ran").exists()
