"""The backgrounds for `train.background_swap` within one side of a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.io.image_store import composed_name, matte_name
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import PLATE_TABLE, PLATES
from stages.shared.command import Stage

if TYPE_CHECKING:
    from pipeline.train.background_swap import Plates

INSIDE = ["left", "top", "right", "bottom"]


@dataclass(frozen=True)
class PlateFolder:
    """build/plates, decoded.

    Args:
        share: `train.background_swap`.
        table: plates.parquet, indexed by image; `row` is the row of both arrays.
        mattes, backgrounds: uint8 [P, S, S, 3].
        digest: of table and arrays.
    """

    share: float
    table: pd.DataFrame
    mattes: np.ndarray
    backgrounds: np.ndarray
    digest: str

    def plates_for(self, rows: pd.DataFrame) -> Plates:
        """The plates for a fold's training examples, `rows`: `image, person`; uses only their photos as
        donors.

        Raises:
            UserError: a person has only their own background.
        """
        from pipeline.train.background_swap import Plates

        own = self.table.reindex(rows["image"])
        people = {person: code for code, person in enumerate(sorted(set(rows["person"])))}
        usable = (self.table["donor_person"] == "") | self.table["donor"].isin(set(rows["image"]))
        owners = np.array([people.get(p, -1) for p in self.table.loc[usable, "donor_person"]], np.int64)
        order = np.argsort(owners, kind="stable")
        visible = own["person_seen"].eq(True).to_numpy()
        plates = Plates(
            share=self.share,
            mattes=self.mattes,
            backgrounds=self.backgrounds,
            matte_of=np.where(visible, own["row"].fillna(-1), -1).astype(np.int64),
            inside=own[INSIDE].to_numpy(np.float64),
            people=rows["person"].map(people).to_numpy(np.int64),
            offered=self.table.loc[usable, "row"].to_numpy(np.int64)[order],
            owners=owners[order],
        )
        without_plate = rows["person"].to_numpy()[plates.others() == 0]
        if len(without_plate):
            raise UserError(
                "there is no other background for a person",
                where="train.background_swap",
                got=str(without_plate[0]),
                fix="set synthesize.backgrounds: procedural, or take more people",
            )
        return plates


def load_plates(stage: Stage) -> PlateFolder | None:
    """The output of stage `plates`, or None if `train.background_swap` is 0."""
    params = stage.params
    if params.train.background_swap == 0:
        return None
    table = PLATE_TABLE.read().sort_values("image", ignore_index=True)
    arrays, digests = [], [table.to_csv()]
    for name_of in (matte_name, composed_name):
        names = [name_of(image) for image in table["image"]]
        array, digest = stage.decoded(PLATES, names, params.train.size)
        arrays.append(array)
        digests.append(digest)
    indexed = table.assign(row=np.arange(len(table))).set_index("image")
    return PlateFolder(params.train.background_swap, indexed, arrays[0], arrays[1], " ".join(digests))
