"""Checkpoints as training loops write them: one network, however it is wrapped."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pipeline.runtime.errors import Problems, UserError
from pipeline.train.pretrained import load_local

State = dict[str, torch.Tensor]


def network(outputs: int = 8) -> Any:
    import timm

    return timm.create_model("test_resnet", num_classes=outputs)


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(3)
    return network().state_dict()


def named(prefix: str) -> Callable[[State], Any]:
    return lambda state: {prefix + k: v for k, v in state.items()}


def zeros(state: State) -> State:
    return {k: torch.zeros_like(v) for k, v in state.items()}


def compiled_inside(state: State) -> State:
    return {k.replace("layer1.", "layer1._orig_mod."): v for k, v in state.items()}


def lightning(prefix: str) -> Callable[[State], Any]:
    return lambda state: {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": named(prefix)(state) | {"loss.weight": torch.ones(18)},
        "hyper_parameters": {"lr": 0.1},
        "optimizer_states": [{"state": {}, "param_groups": []}],
    }


FORMS: dict[str, Callable[[State], Any]] = {
    "plain": lambda s: s,
    "torch.compile": named("_orig_mod."),
    "torch.compile of a part": compiled_inside,
    "DataParallel": named("module."),
    "torch.compile of DDP": named("_orig_mod.module."),
    "DDP of torch.compile": named("module._orig_mod."),
    "FSDP": named("_fsdp_wrapped_module."),
    "Lightning, model": lightning("model."),
    "Lightning, net": lightning("net."),
    "Lightning, backbone": lightning("backbone."),
    "Lightning, any name": lightning("classifier_network."),
    "Lightning, compiled": lightning("model._orig_mod."),
    "Lightning, DDP in a wrapper": lightning("module.model.backbone."),
    "mmcv": lambda s: {"meta": {"epoch": 1}, "state_dict": named("backbone.")(s) | {"neck.w": torch.ones(1)}},
    "timm's train.py": lambda s: {
        "arch": "test_resnet",
        "args": argparse.Namespace(lr=0.1),
        "state_dict": zeros(s),
        "state_dict_ema": named("module.")(s),
    },
    "model_ema": lambda s: {"model": zeros(s), "model_ema": s},
    "averaged beside the other": lambda s: named("model.")(zeros(s)) | named("ema_model.module.")(s),
    "student and teacher": lambda s: {"model": named("student.")(zeros(s)) | named("teacher.")(s)},
    "AveragedModel": lambda s: named("module.")(s) | {"n_averaged": torch.tensor(4)},
    "wrapped twice": lambda s: {"model": {"state_dict": s}},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_network_comes_out(
    tmp_path: Path, state: State, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(FORMS[form](state), tmp_path / "start.pth")
    model = network()
    load_local(model, str(tmp_path / "start.pth"))
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    said = capsys.readouterr().err
    assert "start.pth: the averaged weights are taken" in said or not form.endswith(("ema", "train.py"))
    assert ("1 other tensors are left out" in said) == ("Lightning" in form or form == "mmcv")


def test_safetensors_are_read_alike(tmp_path: Path, state: State) -> None:
    save_file(named("model._orig_mod.")(state), tmp_path / "start.safetensors")
    model = network()
    load_local(model, str(tmp_path / "start.safetensors"))
    assert torch.equal(model.state_dict()["conv1.0.weight"], state["conv1.0.weight"])


def test_a_head_of_another_size_starts_afresh_below_a_prefix_too(
    tmp_path: Path, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(lightning("model.")(state), tmp_path / "start.ckpt")
    load_local(network(18), str(tmp_path / "start.ckpt"))
    assert "the head of start.ckpt is not this one" in capsys.readouterr().err


def test_two_networks_that_nothing_tells_apart_are_refused(tmp_path: Path, state: State) -> None:
    torch.save(named("left.")(state) | named("right.")(state), tmp_path / "two.pth")
    with pytest.raises(UserError, match=r"several networks[\s\S]*left\.\*, right\.\*"):
        load_local(network(), str(tmp_path / "two.pth"))


def test_another_network_is_refused_below_a_prefix_too(tmp_path: Path, state: State) -> None:
    some = {k: v for k, v in state.items() if not k.startswith("layer2.")}
    torch.save(lightning("model.")(some), tmp_path / "other.pth")
    with pytest.raises(Problems, match=r"missing layer2\."):
        load_local(network(), str(tmp_path / "other.pth"))


class Config:
    """Of the program that made the checkpoint."""


@pytest.mark.parametrize("old", [False, True])
def test_a_checkpoint_with_objects_says_how_to_save_the_tensors_alone(
    tmp_path: Path, state: State, old: bool
) -> None:
    whole = {"state_dict": state, "hyper_parameters": Config()}
    torch.save(whole, tmp_path / "start.ckpt", _use_new_zipfile_serialization=not old)
    with pytest.raises(UserError) as refused:
        load_local(network(), str(tmp_path / "start.ckpt"))
    said = str(refused.value)
    assert "\x1b" not in said
    assert "\\x1b" not in said
    assert "torch.save(model.state_dict(), PATH)" in said
    assert "weights_only" not in said
    assert old or "test_state_dict.Config" in said


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3, "loss": "x"}, {"state_dict": {"a": 1}}])
def test_what_holds_no_tensors_is_outlined(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "start.pth")
    with pytest.raises(UserError, match="holds no state dict") as refused:
        load_local(network(), str(tmp_path / "start.pth"))
    assert isinstance(content, list) or "(int)" in str(refused.value)


@pytest.mark.parametrize("encoder", ["resnet18", "tu-test_resnet"])
@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "model.", "module.encoder.", "net.backbone."])
def test_an_encoder_is_found_below_any_prefix(tmp_path: Path, encoder: str, prefix: str) -> None:
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import UnetConfig
    from pipeline.segment.unet.weights import load_encoder

    config = UnetConfig(encoder=encoder, size=64)
    made: Any = build(config).get_submodule("encoder").state_dict()
    bare = {k.removeprefix("model."): torch.full_like(v, 2) for k, v in made.items()}
    torch.save({"state_dict": named(prefix)(bare)}, tmp_path / "start.pth")
    net = build(config)
    assert load_encoder(net, tmp_path / "start.pth") == len(made)
    assert all((v == 2).all() for v in net.get_submodule("encoder").state_dict().values())


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module.", "model._orig_mod.", "unet."])
def test_a_whole_unet_is_found_below_any_prefix(tmp_path: Path, prefix: str) -> None:
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import UnetConfig
    from pipeline.segment.unet.weights import load_net

    config = UnetConfig(encoder="tu-test_resnet", size=64)
    state = build(config).state_dict()
    torch.save({"state_dict": named(prefix)(state)}, tmp_path / "net.ckpt")
    loaded = load_net(tmp_path / "net.ckpt", config).net.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in loaded.items())
