"""Named recipes and single operations (`train.augment`), applied to whole batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch

from pipeline.runtime.errors import UserError, nearest
from pipeline.train.augment import colour, geometry, occlusion, texture
from pipeline.train.augment.draws import Draws

Operation = Callable[..., torch.Tensor]
MODULES = (geometry, colour, texture, occlusion)
OPERATIONS: dict[str, Operation] = {
    name: cast(Operation, function)
    for module in MODULES
    for name, function in vars(module).items()
    if callable(function) and getattr(function, "__module__", "") == module.__name__ and name[0] != "_"
}
OF_FACES = {name for name, function in OPERATIONS.items() if function.__module__ == occlusion.__name__}


@dataclass(frozen=True)
class Step:
    """One operation of a recipe.

    Args:
        name: of the operation.
        chance: share of the pictures that get it.
        settings: arguments that differ from the operation's own.
    """

    name: str
    chance: float = 1.0
    settings: dict[str, float] = field(default_factory=dict)


RECIPES: dict[str, tuple[Step, ...]] = {
    "none": (),
    "flip": (Step("flip", 0.5),),
    "flip_affine": (Step("flip", 0.5), Step("affine")),
    # the three that the teams used
    "flip_affine_blur": (
        Step("flip", 0.5),
        Step("affine", 0.5, {"degrees": 0, "shift": 0.1, "scale": 0.1, "shear": 8}),
        Step("rotate", 0.5),
        Step("blur", 0.3),
    ),
    "flip_shift_colour_noise": (
        Step("flip", 0.5),
        Step("affine", 0.5, {"degrees": 15, "shift": 0.06, "scale": 0.1}),
        Step("hue", 0.5),
        Step("saturation", 0.5),
        Step("brightness", 0.5),
        Step("contrast", 0.5),
        Step("noise", 0.3),
    ),
    "jitter_noise_relief": (
        Step("jitter", 0.5),
        Step("noise", 0.3),
        Step("gray", 0.1),
        Step("clahe", 0.2),
        Step("equalize", 0.1),
        Step("emboss", 0.2),
    ),
}
# TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158): one operation a picture, drawn evenly,
# strength drawn evenly up to the paper's limits: geometry of its standard space (no face is upside down),
# colour of its wide one
TRIVIAL = (
    Step("identity"),
    Step("shear", settings={"degrees": 30}),
    Step("translate", settings={"shift": 0.2}),
    Step("rotate", settings={"degrees": 30}),
    Step("brightness", settings={"amount": 0.9}),
    Step("saturation", settings={"amount": 0.9}),
    Step("contrast", settings={"amount": 0.9}),
    Step("sharpen", settings={"amount": 0.9}),
    Step("posterize", settings={"fewest": 2}),
    Step("solarize", settings={"lowest": 0.0}),
    Step("autocontrast"),
    Step("equalize"),
)
TRIVIAL_NAME = "trivial"


def recipe_names() -> list[str]:
    """What `train.augment` may say, besides a list of operations."""
    return [*RECIPES, TRIVIAL_NAME]


class Recipe:
    """Augments batches.

    Args:
        augment: the name of a recipe or of an operation, or names of operations, applied in order with a
            chance of one half each; those of occlusion.py come first, since they know where the eyes were.

    Raises:
        UserError: no such name.
    """

    def __init__(self, augment: str | Sequence[str]) -> None:
        self.trivial = augment == TRIVIAL_NAME
        self.steps: tuple[Step, ...]
        if isinstance(augment, str) and augment in RECIPES:
            self.steps = RECIPES[augment]
        elif self.trivial:
            self.steps = ()
        else:
            names = [augment] if isinstance(augment, str) else list(augment)
            ordered = sorted(names, key=lambda name: name not in OF_FACES)
            self.steps = tuple(Step(known(name), 0.5) for name in ordered)

    def __call__(
        self, images: torch.Tensor, keys: np.ndarray, epoch: int, eyes: np.ndarray | None = None
    ) -> torch.Tensor:
        """Augmented images, in [0, 1].

        Args:
            images: float32 [B, 3, S, S], RGB in [0, 1].
            keys: int64 [B], of the pictures; with `epoch` they decide everything that is drawn.
            epoch: 0, 1, …
            eyes: float32 [B, 4], box `xyxy` around both eyes in shares of the side, NaN where unknown; None:
                all unknown.
        """
        found = None if eyes is None else torch.from_numpy(eyes).to(images.device)
        draws = Draws.for_epoch(keys, epoch, images.device)
        if self.trivial:
            return one_each(images, draws)
        for number, step in enumerate(self.steps):
            own = draws.of(torch.arange(len(draws), device=images.device), f"{number}")
            images = applied(step, images, own, found)
        return images


def applied(step: Step, images: torch.Tensor, draws: Draws, eyes: torch.Tensor | None = None) -> torch.Tensor:
    """The images, with the step done to those that are drawn for it; `eyes` as for `Recipe`."""
    rows = torch.nonzero(draws.uniform("chosen") < step.chance)[:, 0]
    if step.name in OF_FACES:
        if eyes is None:
            return images
        hidden = OPERATIONS[step.name](images[rows], draws.of(rows), eyes[rows], **step.settings)
        return images.index_copy(0, rows, hidden)
    return _on_rows(step, images, draws, rows)


def one_each(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """One operation of TRIVIAL on each image."""
    choice = (draws.uniform("operation") * len(TRIVIAL)).long()
    for number, step in enumerate(TRIVIAL):
        images = _on_rows(step, images, draws, torch.nonzero(choice == number)[:, 0])
    return images


def _on_rows(step: Step, images: torch.Tensor, draws: Draws, rows: torch.Tensor) -> torch.Tensor:
    if step.name == "identity" or len(rows) == 0:
        return images
    operation = OPERATIONS[step.name]
    return images.index_copy(0, rows, operation(images[rows], draws.of(rows), **step.settings))


def known(name: str) -> str:
    """`name`, if there is such an operation.

    Raises:
        UserError: there is not; lists recipes and operations.
    """
    if name not in OPERATIONS:
        close = nearest(name, [*recipe_names(), *OPERATIONS])
        raise UserError(
            "there is no such augmentation",
            where="train.augment",
            got=name,
            allowed=f"recipes {', '.join(recipe_names())}; operations {', '.join(sorted(OPERATIONS))}",
            fix=f"did you mean `{close}`?" if close else "choose one of these",
        )
    return name
