"""Weights that are programs: nothing in a file of weights is ever run, wherever it is read."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.trace}'",)


def plain_pickle(place: Path, trace: Path) -> None:
    place.write_bytes(pickle.dumps(Harm(trace), protocol=2))


def torch_file(place: Path, trace: Path) -> None:
    import torch

    torch.save({"state_dict": {"conv.weight": Harm(trace)}}, place)


def old_torch_file(place: Path, trace: Path) -> None:
    import torch

    torch.save({"model": Harm(trace)}, place, _use_new_zipfile_serialization=False)


def zipped(place: Path, trace: Path) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("../../evil.pth", pickle.dumps(Harm(trace), protocol=2))


def read_checkpoint(place: Path) -> object:
    from pipeline.networks.state_dict import read_state_dict

    return read_state_dict(place)


def read_yolo(place: Path) -> object:
    from pipeline.detect.yolo.checkpoint import load_checkpoint

    return load_checkpoint(place, place.parent)


READERS = {"checkpoint": read_checkpoint, "yolo": read_yolo}


@pytest.mark.parametrize("make", [plain_pickle, torch_file, old_torch_file, zipped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_code_in_weights_is_never_run(
    make: Callable[[Path, Path], None], reader: str, tmp_path: Path
) -> None:
    place, trace = tmp_path / "deep" / "weights.pt", tmp_path / "ran"
    place.parent.mkdir()
    make(place, trace)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        READERS[reader](place)
    assert not trace.exists()
    assert {p for p in tmp_path.rglob("*") if ".cache" not in p.parts} == before


def test_a_pickle_named_safetensors(tmp_path: Path) -> None:
    place = tmp_path / "model.safetensors"
    plain_pickle(place, tmp_path / "ran")
    with pytest.raises(UserError):
        read_checkpoint(place)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_smuggled_in_as_an_argument_of_the_model(project: Path) -> None:
    from pipeline.params import load_params
    from pipeline.train.config import resolve_config
    from pipeline.train.network import make_classifier

    torch_file(project / "evil.pth", project / "ran")
    raw = parse_yaml(Path("params.yaml").read_text())
    raw["train"] |= {"model": "test_resnet", "model_args": {"checkpoint_path": "evil.pth"}, "size": 32}
    Path("params.yaml").write_text(yaml_text(raw))
    with pytest.raises((UserError, RuntimeError), match=r"blocked|not a checkpoint|cannot"):
        make_classifier(resolve_config(load_params(Path("params.yaml")).train))
    assert not (project / "ran").exists()


@pytest.mark.parametrize("name", ["hf-hub:stranger/model", "local-dir:/tmp/evil", "../../evil"])
def test_a_model_from_elsewhere_is_no_model(name: str) -> None:
    from pipeline.networks.timm_names import timm_name

    with pytest.raises(UserError, match="timm has no model"):
        timm_name(name)
