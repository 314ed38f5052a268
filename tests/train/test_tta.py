"""Test-time augmentation: the mean of the answers about each view, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin
from pipeline.train.config import resolve_config
from pipeline.train.data import Pictures
from pipeline.train.inference import predict_probabilities
from pipeline.train.network import Classifier, make_classifier

SIZE = 32
PARAMS = Train(model="test_resnet", size=SIZE, heads="joint", device="cpu", precision="f32")
CONFIG = resolve_config(PARAMS)
PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    net = make_classifier(CONFIG)
    net(torch.rand(64, 3, SIZE, SIZE))  # its norms have seen pictures
    for p in net.parameters():
        p.data *= 2  # or its answers hardly depend on the picture
    return net.eval()


def answered(model: Classifier, images: np.ndarray) -> np.ndarray:
    """About float [N, S, S, 3] in [0, 1]."""
    planes = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    with torch.no_grad():
        return load_plugin("objective.heads", "joint").probabilities(model(planes), PARAMS).double().numpy()


def zoomed(images: np.ndarray, scale: float) -> np.ndarray:
    """Bilinear, about the centre; what is outside is mirrored at the edge."""
    weights = np.zeros((SIZE, SIZE))
    for row in range(SIZE):
        place = (row + 0.5 - SIZE / 2) / scale + SIZE / 2 - 0.5
        low = int(np.floor(place))
        for at, share in ((low, low + 1 - place), (low + 1, place - low)):
            inside = -1 - at if at < 0 else 2 * SIZE - 1 - at if at >= SIZE else at
            weights[row, inside] += share
    return np.einsum("ij,njkc,lk->nilc", weights, images, weights)


@pytest.mark.parametrize(
    ("flip", "scales"), [(True, (1.0,)), (False, (1.0, 1.25)), (True, (0.8, 1.0, 1.5))], ids=str
)
def test_answers_are_the_mean_over_the_views(
    model: Classifier, flip: bool, scales: tuple[float, ...]
) -> None:
    images = PIXELS / 255
    views = [zoomed(images, scale) for scale in scales]
    views += [view[:, :, ::-1] for view in views] if flip else []
    each = np.stack([answered(model, view) for view in views])
    assert np.ptp(each, axis=0).max() > 0.02, "all views are answered alike: this shows nothing"
    found = predict_probabilities(model, Pictures((PIXELS,)), CONFIG, flip=flip, scales=scales, batch_size=2)
    np.testing.assert_allclose(found, each.mean(axis=0), atol=1e-4)


def test_without_views_it_is_the_plain_answer(model: Classifier) -> None:
    found = predict_probabilities(model, Pictures((PIXELS,)), CONFIG)
    np.testing.assert_allclose(found, answered(model, PIXELS / 255), atol=1e-5)
