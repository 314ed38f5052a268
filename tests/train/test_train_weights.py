"""What a training starts from (`train.pretrained`), and what it leaves behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import torch

from pipeline.params.learning import Train
from pipeline.runtime.errors import UserError
from pipeline.train.config import resolve_config
from pipeline.train.inference import load_model
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import WEIGHTS, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def test_model_files_load_into_plain_timm() -> None:
    import timm

    write_build(12)
    trained(small_params(epochs=1))
    timm.create_model("test_resnet", num_classes=8).load_state_dict(weights())


def test_local_checkpoint_is_started_from_and_a_head_of_another_size_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_build(12)
    trained(small_params(epochs=1))
    own = load_model(Path("build/model"), resolve_config(small_params().train), 0).net.state_dict()
    shutil.copy(WEIGHTS, "start.safetensors")
    trained(small_params(epochs=1, heads="joint", pretrained="start.safetensors", freeze_epochs=1))
    assert "the head of start.safetensors is not this one" in capsys.readouterr().err
    assert torch.equal(
        weights()["conv1.0.weight" if "conv1.0.weight" in own else "conv1.weight"],
        own["conv1.0.weight" if "conv1.0.weight" in own else "conv1.weight"],
    )


def test_imagenet_backbone_of_the_shared_weights_loads(test_data: Path) -> None:
    from pipeline.train.network import make_classifier

    path = test_data.parent / "weights" / "mobilenetv2_100_imagenet1k_int8deq_timm.pth"
    if not path.is_file():
        pytest.skip("no ImageNet backbone beside the test data")
    params = Train(
        model="mobilenetv2_100", model_args={"pad_type": "same"}, normalize="half", pretrained=str(path)
    )
    net = make_classifier(resolve_config(params))
    assert torch.equal(
        net.net.state_dict()["conv_stem.weight"], torch.load(path, weights_only=True)["conv_stem.weight"]
    )


def test_weights_that_do_not_fit_are_refused_with_the_list() -> None:
    write_build(12)
    torch.save({"layer.weight": torch.zeros(3)}, "other.pth")
    with pytest.raises(UserError, match=r"unexpected layer\.weight"):
        trained(small_params(pretrained="other.pth"))


def test_weights_that_cannot_be_fetched_are_said_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing-here")
    write_build(12)
    start = time.monotonic()
    with pytest.raises(UserError, match="cannot be fetched"):
        trained(small_params(model="resnet18", pretrained=True))
    assert time.monotonic() - start < 20


def test_packaged_imagenet_weights_need_no_network_and_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchvision's network answers with the same file, so does timm's with the renamed tensors."""
    import torchvision
    from huggingface_hub import constants

    from pipeline.networks.weights import resolve
    from pipeline.train.network import backbone_maker

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing-here")
    train = Train(model="mobilenetv2_100", pretrained=True, size=64)
    net = backbone_maker(train, weights=True)(1000).eval()
    reference = torchvision.models.mobilenet_v2().eval()
    path = resolve("mobilenet_v2-b0353104.pth", Path())
    reference.load_state_dict(torch.load(path, weights_only=True))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net(images), reference(images), atol=1e-5, rtol=1e-5)
    eight = backbone_maker(train, weights=True)(8).state_dict()
    assert eight["classifier.weight"].shape[0] == 8
    assert torch.equal(eight["conv_stem.weight"], net.state_dict()["conv_stem.weight"])
