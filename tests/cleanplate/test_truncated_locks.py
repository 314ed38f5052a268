"""Half a dvc.lock, wherever a kill cut it: what is left is often sound YAML that DVC refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cleanplate.integrity.dvc_records import outputs, truncated_locks
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT

CUTS = {
    "nothing": "",
    "the version": "schema: ",
    "a stage": "  ingest:",
    "a command": "    cmd: python3",
    "a list": "    deps:",
    "a key": "    deps:\n    - pa",
    "a path": "    deps:\n    - path: demo/data\n      hash: md5\n      md5",
}


@pytest.mark.parametrize("cut", CUTS)
def test_half_a_record_is_noticed_wherever_it_was_cut(tmp_path: Path, cut: str) -> None:
    lock = tmp_path / "dvc.lock"
    shutil.copy(ROOT / "dvc.lock", lock)
    assert truncated_locks(tmp_path) == []
    assert outputs(tmp_path)
    whole = lock.read_text(encoding="utf-8")
    end = CUTS[cut]
    assert end in whole
    lock.write_text(whole[: whole.index(end) + len(end)], encoding="utf-8")
    if cut == "a command":  # whole for DVC too: it runs the stage again
        assert truncated_locks(tmp_path) == []
        return
    assert truncated_locks(tmp_path) == [lock]
    with pytest.raises(UserError, match="a record of DVC"):
        outputs(tmp_path)
