"""Frozen epochs (`train.freeze_epochs`): only the heads learn, and what the rest says of a picture is kept.

The frozen part is in evaluation mode: batch norm takes its running statistics and nothing is dropped, so that
it says the same of the same picture in every frozen epoch. Where no epoch changes the pictures, the heads
learn from what was said once, as in linear probing. Pictures to validate on never change.
"""

from __future__ import annotations

from pipeline.params.learning import Train
from pipeline.train.augment.recipe import Recipe
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples
from pipeline.train.head_inputs import HeadInputs, Shown, heads_of
from pipeline.train.network import Classifier


def freeze(model: Classifier, params: Train, epoch: int) -> None:
    """Lets only the heads learn during the first `train.freeze_epochs`; also holds batch norm still then."""
    frozen = epoch < params.freeze_epochs
    for net in model.networks():
        heads = heads_of(net)
        own = {id(p) for head in heads for p in head.parameters()}
        for p in net.parameters():
            p.requires_grad_(not frozen or id(p) in own)
        if frozen:
            net.eval()
            for head in heads:
                head.train()


def changing(params: Train) -> list[str]:
    """The params that show a picture otherwise in another epoch, as `param: value`; none: always the same."""
    recipe = Recipe(params.augment)
    found = {"augment": bool(recipe.steps) or recipe.trivial, "mix": params.mix != "none"}
    found["background_swap"] = params.background_swap > 0
    return [f"train.{name}: {getattr(params, name)}" for name, changes in found.items() if changes]


class FrozenPart:
    """What the frozen part of a network says, of the pictures to learn from and to validate on.

    Args:
        model: the bare network.
        config: the resolved `train` section.
    """

    def __init__(self, model: Classifier, config: TrainConfig) -> None:
        self.model, self.config = model, config
        self.separable = True
        self._kept: dict[str, HeadInputs] = {}

    def inputs(self, side: str, examples: Examples, shown: Shown, epoch: int) -> HeadInputs | None:
        """What the heads are given of the examples that an epoch shows; what is not known is computed.

        Args:
            side: `learn` or `valid`, whose examples these are.
            shown: epoch → int positions of its examples. A training that resumes asks in the batches of the
                epochs before, so that it ends bit for bit as if it had not been interrupted.
            epoch: 0, 1, …

        Returns:
            None where the whole network has to look at the pictures: nothing is frozen, an epoch changes
            them, or the network does more with its head's answer than hand it out.
        """
        params = self.config.train
        if epoch >= params.freeze_epochs or not self.separable:
            self._kept.clear()
            return None
        if side == "learn" and changing(params):
            return None
        if side not in self._kept:
            self._kept[side] = HeadInputs(self.model, examples, self.config)
        kept = self._kept[side]
        self.separable = kept.compute(shown, epoch)
        return kept if self.separable else None

    def describe(self) -> str:
        """For the log: which epochs are frozen, and what they cost."""
        params = self.config.train
        last = min(params.freeze_epochs, params.epochs)
        epochs = "epoch 1" if last == 1 else f"epochs 1 to {last}"
        why = ", ".join(changing(params))
        said = f"their features are computed in each of them, as {why} changes the pictures"
        return f"train: the heads alone learn in {epochs}; {said if why else 'features are computed once'}"
