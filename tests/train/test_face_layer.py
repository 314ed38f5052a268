"""`train.face_features: append`: what face networks say of a photo decides where the picture says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from pipeline.objective.objective import target_of
from pipeline.params import Params
from pipeline.params.learning import Train
from pipeline.train.checkpoint import Progress
from pipeline.train.config import resolve_config
from pipeline.train.data import Pictures, keys_of
from pipeline.train.face_features import Features
from pipeline.train.inference import predict_probabilities
from pipeline.train.mix import Mixer
from pipeline.train.network import make_classifier, to_images
from stages import evaluate, predict
from stages.shared.command import Stage
from stages.shared.pseudo_labels import PseudoLabels
from stages.shared.training_set import training_set
from tests.fixtures.face_numbers import PREDICTED, face_set, with_faces
from tests.fixtures.small_set import small_params, write_faces
from tests.fixtures.small_training import before, followed, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def scored(params: Params) -> float:
    evaluate.run(Stage("evaluate", params))
    return json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))["macro_f1"]["value"]


@pytest.mark.parametrize(("heads", "folds"), [("joint", "one"), ("multitask", "all"), ("separate", "one")])
def test_the_numbers_answer_where_the_pictures_say_nothing(heads: str, folds: str) -> None:
    face_set()
    params = with_faces(heads=heads, folds=folds)
    trained(params)
    assert scored(params) > 0.5
    predict.run(Stage("predict", params))
    answers = pd.read_csv("reports/submission.csv")["ans"].tolist()
    assert sum(a == b for a, b in zip(answers, PREDICTED, strict=False)) >= 2


def test_every_view_of_a_photo_has_the_photo_s_numbers() -> None:
    params = with_faces(heads="joint")
    config, random = resolve_config(params.train), np.random.default_rng(0)
    net = make_classifier(config, face_numbers=4).eval()
    pixels = random.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    features = Features(random.standard_normal((3, 4)).astype(np.float32) * 9, np.zeros(4, int))
    faces, both = torch.from_numpy(features.numbers), []
    for view in (pixels, np.ascontiguousarray(pixels[:, :, ::-1])):
        with torch.no_grad():
            outputs = net(to_images(torch.from_numpy(view), config.device), faces)
        both.append(outputs.softmax(dim=1).numpy())
    found = predict_probabilities(net, Pictures((pixels,), features), config, flip=True, batch_size=2)
    np.testing.assert_allclose(found, (both[0] + both[1]) / 2, atol=1e-5)
    other = predict_probabilities(net, Pictures((pixels,), features.of(np.array([1, 2, 0]))), config)
    assert np.abs(other - both[0]).max() > 0.01


def test_without_them_the_same_pictures_say_nothing() -> None:
    face_set()
    params = with_faces(face_features="none", epochs=6)
    trained(params)
    assert scored(params) < 0.2
    assert not any("face" in name for name in weights())


def test_numbers_are_standardised_by_who_is_learnt_from_and_saved_with_the_model() -> None:
    table = face_set()
    params = with_faces(epochs=1)
    trained(params)
    faces = pd.read_parquet("build/faces.parquet").set_index("image")["embedding"]
    learnt = np.stack([faces[i] for i in table["image"][table["fold"] != 0]])
    torch.testing.assert_close(weights()["face_mean"], torch.from_numpy(learnt.mean(axis=0)))
    torch.testing.assert_close(weights()["face_scale"], torch.from_numpy(1 / learnt.std(axis=0)))


def test_each_block_is_heard_alike() -> None:
    random = np.random.default_rng(0)
    features = Features(random.standard_normal((500, 102)) * 7, np.repeat([0, 1], [100, 2]))
    params = with_faces()
    net = before_with(params, features)
    state = net.state_dict()
    scaled = (features.numbers - state["net.face_mean"].numpy()) * state["net.face_scale"].numpy()
    variance = scaled.var(axis=0)
    assert variance[:100].sum() == pytest.approx(variance[100:].sum())
    assert variance.mean() == pytest.approx(1)


def before_with(params: Params, features: Features) -> torch.nn.Module:
    net = make_classifier(resolve_config(params.train), face_numbers=features.numbers.shape[1])
    net.standardise(features)
    return net


def test_a_synthetic_copy_has_the_numbers_of_its_photo() -> None:
    face_set(12, synthetic=True)
    data = training_set(Stage("train", with_faces()))
    faces = data.examples.pictures.faces
    assert faces is not None
    by_image = pd.read_parquet("build/faces.parquet").set_index("image")["embedding"]
    np.testing.assert_array_equal(faces.numbers, np.stack([by_image[i] for i in data.table["image"]]))
    assert data.table["synthetic"].any()


@pytest.mark.parametrize("heads", ["joint", "separate"])
def test_an_interrupted_training_resumes_bit_for_bit(heads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    face_set(12)
    params = with_faces(heads=heads, epochs=4, ema_decay=0.5, mix="both")
    trained(params)
    whole = weights()
    saved = Progress.save

    def interrupted(self: Progress, path: Path) -> None:
        saved(self, path)
        if self.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(params)
    trained(params)
    assert same(weights(), whole)


def test_other_numbers_are_another_training() -> None:
    face_set(12)
    params = with_faces()
    first = training_set(Stage("train", params)).digest
    images = list(pd.read_parquet("build/faces.parquet")["image"])
    write_faces(images, "faceres", np.zeros((len(images), 8)))
    assert training_set(Stage("train", params)).digest != first
    off = with_faces(face_features="none")
    unused = training_set(Stage("train", off)).digest
    write_faces(images, "faceres", np.ones((len(images), 8)))
    assert training_set(Stage("train", off)).digest == unused


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_numbers_are_mixed_as_the_answers_are(mix: str) -> None:
    count = 32
    classes, faces = np.arange(count) % 18, torch.eye(18)[torch.arange(count) % 18]
    target = target_of(classes, np.zeros(count, np.float32), torch.device("cpu"))
    mixer = Mixer(Train.model_validate({"mix": mix, "mix_probability": 1.0}))
    eyes, keys = np.full((count, 4), np.nan, np.float32), keys_of([str(i) for i in range(count)], 0)
    _, answers, mixed = mixer(torch.rand(count, 3, 16, 16), target, keys, eyes, 0, faces)
    assert mixed is not None
    torch.testing.assert_close(mixed, answers.classes)
    assert (mixed.amax(dim=1) < 1).any()


def test_only_what_is_new_learns_while_the_backbone_is_frozen() -> None:
    face_set(12)
    params = with_faces(epochs=2, freeze_epochs=1, warmup_epochs=0, weight_decay=0.1)
    first, second = (found.parts["net"] for found in followed(params))
    moved = {name for name, now in second.items() if not torch.equal(first[name], now)}
    own = {n for n in first if n.startswith(("net.faces.", "net.head."))}
    assert own <= moved
    assert any(name.startswith("net.backbone.") for name in moved)
    features = training_set(Stage("train", params)).sides(0)[0].pictures.faces
    assert features is not None
    torch.manual_seed(0)
    start = {n: v for n, v in first.items() if n.startswith("net.backbone.")}
    unmoved = followed(with_faces(epochs=1, freeze_epochs=1, warmup_epochs=0, lr=1e-5))[0].parts["net"]
    assert all(torch.equal(v, unmoved[n]) for n, v in start.items())


def test_layer_decay_reaches_the_backbone_and_pretrained_weights_too() -> None:
    face_set(12)
    plain = before(small_params())
    save_file({k: v.contiguous() for k, v in plain.net.state_dict().items()}, "start.safetensors")
    params = with_faces(epochs=1, pretrained="start.safetensors", lr=1e-9, layer_decay=0.5, warmup_epochs=0)
    found = followed(params)[0].parts["net"]
    name = "conv1.0.weight" if "conv1.0.weight" in plain.net.state_dict() else "conv1.weight"
    torch.testing.assert_close(found[f"net.backbone.{name}"], plain.net.state_dict()[name])


def test_confident_answers_join_with_their_own_numbers() -> None:
    face_set(12)
    params = with_faces(epochs=1, pseudo_labels=0.01)
    trained(params)
    config = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))
    assert config["folds"]["0"]["pseudo_labels"]["added"] == 3
    data = training_set(Stage("train", params))
    learn, _ = data.sides(0, PseudoLabels(np.array([2, 0]), np.array([7, 15]), np.ones(2), 0.5, 3, 1.0))
    said = learn.pictures.gather_faces(learn.rows[-2:], torch.device("cpu"))
    assert said is not None
    by_image = pd.read_parquet("build/faces.parquet").set_index("image")["embedding"]
    np.testing.assert_array_equal(said.numpy(), np.stack([by_image[f"eval/images/e{i}.jpg"] for i in (2, 0)]))
