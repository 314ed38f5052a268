"""What `train.processes` on a cluster sends to its nodes, and what it refuses."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from pipeline.runtime.errors import UserError
from pipeline.train.data import OtherBackgrounds
from pipeline.train.launchers.ray import movable
from stages.shared.command import Stage
from stages.shared.training_set import training_set
from tests.fixtures.small_set import small_params, write_build

pytestmark = pytest.mark.usefixtures("project")


def test_pictures_leave_their_files() -> None:
    write_build()
    learn, valid = training_set(Stage("train", small_params())).sides(0)
    sent = movable(learn, valid)
    assert not any(isinstance(a, np.memmap) for side in sent for a in side.pictures.arrays)
    assert sent[0].pictures is sent[1].pictures, "the pictures would travel twice"
    (again, _), where = pickle.loads(pickle.dumps(sent)), np.arange(3)
    assert again.load_batch(where, 0).equal(learn.load_batch(where, 0))


def test_plates_that_nodes_may_not_see_are_refused() -> None:
    class Plates(OtherBackgrounds):
        pass

    write_build()
    learn, valid = training_set(Stage("train", small_params())).sides(0)
    with pytest.raises(UserError, match=r"train\.background_swap: 0, or machine\.engine: local"):
        movable(dataclasses.replace(learn, plates=Plates()), valid)
