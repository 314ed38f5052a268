"""What the heads of a network are given of pictures, computed once and kept while the rest is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples, prefetch
from pipeline.train.device import autocast
from pipeline.train.face_layer import WithFaces
from pipeline.train.inference import BATCH
from pipeline.train.network import Classifier, to_images

Shown = Callable[[int], np.ndarray]  # epoch -> int positions of the examples that it shows
CLOSE = 1e-2  # of a head asked alone and within its network, in float32 or the 8 bits of bfloat16


def heads_of(net: nn.Module) -> tuple[nn.Module, ...]:
    """What turns features into outputs: one module, of distilled networks of timm two."""
    found = cast(Any, net).get_classifier()
    return tuple(found) if isinstance(found, tuple) else (found,)


class HeadInputs:
    """What the heads of a network are given of some examples: computed when first asked for, then kept.

    Args:
        model: the bare network.
        examples: pictures that no epoch changes.
        config: the resolved `train` section.
    """

    def __init__(self, model: Classifier, examples: Examples, config: TrainConfig) -> None:
        self.model, self.examples, self.config = model, examples, config
        self.known = np.zeros(len(examples), bool)
        self.epochs = 0  # whose examples are known
        self.features: list[torch.Tensor] = []  # of each of `Classifier.networks`, [n, …], on the CPU

    def compute(self, shown: Shown, epoch: int) -> bool:
        """Asks the network about what no epoch up to `epoch` has shown before; leaves it in eval mode.

        Args:
            shown: epoch → int positions of the examples that it shows.
            epoch: 0, 1, …

        Returns:
            Whether its heads answer the same without it; tried with the first pictures.
        """
        while self.epochs <= epoch:
            where = np.unique(shown(self.epochs))
            if not self._ask(where[~self.known[where]]):
                return False
            self.epochs += 1
        return True

    def _ask(self, missing: np.ndarray) -> bool:
        self.model.eval()
        parts = np.array_split(missing, -(-len(missing) // BATCH)) if len(missing) else []
        device = self.config.device
        for part, pixels in prefetch(self.examples, parts, 0, pin=device.type == "cuda"):
            images, faces = to_images(pixels, device), self._faces(part)
            with torch.no_grad(), autocast(self.config):
                given, outputs = asked(self.model, images, faces)
            if not self.features:
                if not given or not _agree(self._answers(self.model, given, faces), outputs):
                    say(
                        f"train: {self.config.train.model} does not answer by its head alone; nothing is kept"
                    )
                    return False
                self.features = [
                    torch.empty((len(self.known), *one.shape[1:]), dtype=one.dtype) for one in given
                ]
            for kept, one in zip(self.features, given, strict=True):
                kept[torch.from_numpy(part)] = one.cpu()
            self.known[part] = True
        return True

    def outputs(self, model: Classifier, where: np.ndarray) -> torch.Tensor:
        """Outputs [b, K] of the heads of `model` at `where` [b]; its frozen part is that of the network."""
        rows = torch.from_numpy(where)
        given = [kept[rows].to(self.config.device, non_blocking=True) for kept in self.features]
        return self._answers(model, given, self._faces(where))

    def probabilities(self, model: Classifier) -> np.ndarray:
        """float64 [n, 18] of all examples, as `pipeline.train.inference.predict_probabilities`."""
        heads: Any = load_plugin("objective.heads", self.config.train.heads)
        model.eval()
        parts = [np.empty((0, 18))]
        for start in range(0, len(self.known), BATCH):
            where = np.arange(start, min(start + BATCH, len(self.known)))
            with torch.inference_mode():
                p = heads.probabilities(self.outputs(model, where).float(), self.config.train).double().cpu()
            parts.append((p / p.sum(dim=1, keepdim=True)).numpy())
        return np.concatenate(parts)

    def _faces(self, where: np.ndarray) -> torch.Tensor | None:
        return self.examples.pictures.gather_faces(self.examples.rows[where], self.config.device)

    def _answers(
        self, model: Classifier, given: Sequence[torch.Tensor], faces: torch.Tensor | None
    ) -> torch.Tensor:
        answers = []
        with autocast(self.config):
            for net, features in zip(model.networks(), given, strict=True):
                if isinstance(net, WithFaces):
                    answers.append(net.join(features, cast(torch.Tensor, faces)))
                else:
                    answers.append(heads_of(net)[0](features))
        return torch.cat(answers, dim=1)


def asked(
    model: Classifier, images: torch.Tensor, faces: torch.Tensor | None
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What the head of each network is given of pictures [B, 3, S, S], and the outputs [B, K] of all.

    Nothing is given where a network has several heads, or asks its head not once, or about another number of
    things than pictures.
    """
    caught: list[list[torch.Tensor]] = [[] for _ in model.networks()]
    with _watched(model, caught):
        outputs = model(images, faces)
    given = [own[0] for own in caught if len(own) == 1 and len(own[0]) == len(images)]
    return (given if len(given) == len(caught) else []), outputs


@contextmanager
def _watched(model: Classifier, caught: list[list[torch.Tensor]]) -> Iterator[None]:
    """Within it, what the head of each network is given is added to its list in `caught`."""

    def before(own: list[torch.Tensor], _: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        own.append(given[0])

    def after(own: list[torch.Tensor], _: nn.Module, _given: Any, made: torch.Tensor) -> None:
        own.append(made)

    hooks = []
    for net, own in zip(model.networks(), caught, strict=True):
        if isinstance(net, WithFaces):
            hooks.append(net.backbone.register_forward_hook(partial(after, own)))
        else:
            hooks += [head.register_forward_pre_hook(partial(before, own)) for head in heads_of(net)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _agree(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and torch.allclose(ours.float(), theirs.float(), CLOSE, CLOSE)
