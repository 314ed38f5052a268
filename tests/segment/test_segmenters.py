"""The contract that every file in pipeline/segment/methods keeps, and what the U-Net's own promises are."""

from __future__ import annotations

import json
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.params.preparation import Segment
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin, plugin_names
from pipeline.segment.methods import RunPlan
from pipeline.segment.unet.config import CONFIG, PEOPLE_B3, WEIGHTS, UnetConfig, locate, write_config
from tests.fixtures.tiny_unet import drawn, write_tiny

SIZES = [(64, 48), (48, 64), (100, 100), (31, 200)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `.cache`, with a fitted U-Net in `segmenter`."""
    folder = tmp_path_factory.mktemp("root")
    write_tiny(folder / "segmenter")
    return folder


def photos() -> list[np.ndarray]:
    return [drawn(f"photo {i}", *size)[0] for i, size in enumerate(SIZES)]


def unet(**changes: object) -> Segment:
    backend = changes.pop("backend", "auto")
    return Segment.model_validate({"method": "unet", "backend": backend, "unet": changes})


@pytest.mark.parametrize("name", plugin_names("segment.methods"))
def test_every_segmenter_keeps_the_contract(name: str, root: Path) -> None:
    module = load_plugin("segment.methods", name)
    args = (Segment(method=name), root, root / "segmenter")
    assert isinstance(module.VERSION, str)
    assert module.__doc__
    identity = module.identity(*args)
    assert json.loads(json.dumps(identity)) == module.identity(*args)
    assert str(root) not in json.dumps(identity)
    assert isinstance(module.prepare(*args), RunPlan)
    segment_photos = pickle.loads(pickle.dumps(partial(module.create, *args)))()  # workers get it by pickle
    if segment_photos is None:
        return
    together = segment_photos(photos())
    assert [a.shape for a in together] == SIZES
    assert {a.dtype for a in together} == {np.dtype(np.uint8)}
    for photo, alpha in zip(photos(), together, strict=True):
        assert np.array_equal(segment_photos([photo])[0], alpha), "an alpha depends on its neighbours"
    again = module.create(*args)(photos()[::-1])[::-1]
    assert all(np.array_equal(a, b) for a, b in zip(together, again, strict=True))
    assert segment_photos([]) == []


def test_openvino_and_torch_agree(root: Path) -> None:
    from pipeline.segment.methods import unet as module

    looks = [
        module.create(unet(backend=backend), root, root / "segmenter") for backend in ("openvino", "torch")
    ]
    for a, b in zip(*(segment_photos(photos()) for segment_photos in looks), strict=True):
        assert a.std() > 20
        assert np.abs(a.astype(int) - b).max() <= 2
    names = [module.identity(unet(backend=b), root, root / "segmenter") for b in ("openvino", "torch")]
    assert names[0] != names[1]


def test_the_size_and_the_weights_are_part_of_the_identity(root: Path, tmp_path: Path) -> None:
    from pipeline.segment.methods import unet as module

    fitted = root / "segmenter"
    same = module.identity(unet(), root, fitted)
    assert same["size"] == 64
    assert module.identity(unet(size=96), root, fitted) != same
    other = write_tiny(tmp_path / "other", bias=1.0)
    assert module.identity(unet(), root, other)["net"] != same["net"]
    assert module.identity(unet(weights=str(fitted)), root, other) == same


def test_the_conversion_is_done_once_and_kept_by_content(root: Path) -> None:
    from pipeline.segment.methods import unet as module

    module.prepare(unet(backend="openvino"), root, root / "segmenter")
    graphs = sorted((root / ".cache" / "compiled").glob("unet-*/net.xml"))
    times = [graph.stat().st_mtime_ns for graph in graphs]
    module.prepare(unet(backend="openvino", size=96), root, root / "segmenter")
    assert [graph.stat().st_mtime_ns for graph in graphs] == times
    assert sorted((root / ".cache" / "compiled").glob("*unet-*")) == [graph.parent for graph in graphs]


@pytest.mark.parametrize("form", ["plain", "lightning", "zipped"])
def test_a_foreign_state_dict_gives_the_same_net(form: str, root: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from pipeline.segment.unet.weights import load_net

    weights, config = locate(root / "segmenter")
    state: dict[str, object] = dict(load_file(weights))
    if form == "lightning":
        state = {"epoch": torch.tensor(3), "state_dict": {f"model.{k}": v for k, v in state.items()}}
    torch.save(state, tmp_path / "net.pth")
    write_config(tmp_path / CONFIG, config)
    path = tmp_path / "net.pth"
    if form == "zipped":
        with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
            archive.write(path, "net.pth")
        path = tmp_path / "net.zip"
    pixels = torch.from_numpy(drawn("foreign", 64, 64)[0][None])
    with torch.inference_mode():
        expected = load_net(weights, config)(pixels)
        assert torch.equal(load_net(*locate(path))(pixels), expected)


class Harmful:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("harm done",))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.networks.state_dict import read_state_dict

    (tmp_path / "net.pth").write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(UserError, match="cannot be read"):
        read_state_dict(tmp_path / "net.pth")
    assert "harm done" not in capsys.readouterr().out


def test_weights_of_another_net_are_refused_by_name(root: Path) -> None:
    from pipeline.segment.unet.weights import load_net

    other = UnetConfig(encoder="resnet18", size=64)
    with pytest.raises(UserError, match=r"resnet18[\s\S]*tensors missing"):
        load_net(root / "segmenter" / WEIGHTS, other)
    with pytest.raises(UserError, match="no_such_net"):
        load_net(root / "segmenter" / WEIGHTS, UnetConfig(encoder="no_such_net", size=64))


def test_damaged_and_missing_weights_are_named(root: Path, tmp_path: Path) -> None:
    from pipeline.segment.methods import unet as module

    with pytest.raises(UserError, match=r"missing[\s\S]*model.safetensors"):
        module.identity(unet(), root, tmp_path)
    folder = write_tiny(tmp_path / "damaged")
    _, config = locate(folder)
    write_config(folder / CONFIG, config.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(UserError, match="damaged"):
        module.identity(unet(), root, folder)
    (folder / CONFIG).unlink()
    with pytest.raises(UserError, match="which U-Net"):
        module.identity(unet(), root, folder)


def test_the_public_people_net_can_be_built() -> None:
    """Names as in the release of ternaus/people_segmentation (timm's EfficientNet-b3, smp's decoder)."""
    from pipeline.segment.unet.architecture import build

    names = set(build(PEOPLE_B3).state_dict())
    assert {
        "encoder.conv_stem.weight",
        "encoder.blocks.6.1.conv_pwl.weight",
        "decoder.blocks.4.conv2.1.bias",
        "segmentation_head.0.weight",
    } <= names
