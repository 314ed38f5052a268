"""A small build/ folder of drawn squares: what the stages before `train` would have left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipeline import labels
from pipeline.params import Params, load_params
from pipeline.photo import encode_jpeg
from pipeline.publish import published_folder
from pipeline.tables import write_table

PHOTOS = ("incorrect_mask", "mask1", "mask2", "normal")
SIZE = 32


def square(gender: str, age: int, mask: str, seed: int) -> np.ndarray:
    """uint8 [32, 32, 3]: gender is the colour on the left, age the gray on the right, mask a bar below."""
    image = np.random.default_rng(seed).integers(90, 120, (SIZE, SIZE, 3)).astype(np.uint8)
    image[4:16, 2:14] = (220, 40, 40) if gender == "female" else (40, 40, 220)
    image[4:16, 18:30] = (20, 110, 250)[labels.age_group(age)]
    if mask != "none":
        image[20:, 4:28] = (20, 200, 60) if mask == "worn" else (230, 230, 20)
    return image


def photo_table(people: int) -> pd.DataFrame:
    """Labels and folds of `people` × 4 photos, as in build/labels.parquet, and the fold."""
    rows = []
    for p in range(people):
        gender, age = labels.GENDERS[p % 2], (20, 45, 60)[p // 2 % 3]
        person = f"{p:06d}_{gender}_Drawn_{age}"
        for photo in PHOTOS:
            mask = labels.MASK_OF_STEM[photo]
            true = labels.true_class(mask, gender, age)
            image = f"train/images/{person}/{photo}.jpg"
            rows.append((image, person, gender, age, mask, true, true, p // 6 % 2))
    columns = ["image", "person", "gender", "age", "mask", "true_class", "train_class", "fold"]
    return pd.DataFrame(rows, columns=columns)


def write_build(people: int = 24, evals: int = 3, synthetic: bool = True) -> pd.DataFrame:
    """Writes build/ in the current folder and returns the photos' table."""
    table = photo_table(people)
    write_table(Path("build/labels.parquet"), table.drop(columns="fold"))
    folds = table.drop_duplicates("person")[["person", "fold"]]
    write_table(Path("build/folds.parquet"), folds.reset_index(drop=True))
    images = [f"eval/images/e{i}.jpg" for i in range(evals)]
    said = zip(table["gender"], table["age"], table["mask"], strict=True)
    facts = dict(zip(table["image"], said, strict=True))
    facts |= dict.fromkeys(images, ("female", 20, "none"))
    with published_folder(Path("build/images")) as out:
        for seed, (image, fact) in enumerate(facts.items()):
            save(out / image, fact, seed)
        crops = pd.DataFrame({"image": list(facts), "x1": 0, "y1": 0, "x2": 64, "y2": 64, "scale": 0.5})
        write_table(out / "images.parquet", crops)
    ids = [*(f"e{i}.jpg" for i in range(evals)), "lost.jpg"]
    answers = pd.DataFrame({"ImageID": ids, "image": [*images, ""], "position": range(len(ids))})
    write_table(Path("build/eval.parquet"), answers.sort_values("ImageID", ascending=False))
    write_synthetic(table if synthetic else table.head(0))
    return table


def write_synthetic(table: pd.DataFrame) -> None:
    """One synthetic picture per photo."""
    with published_folder(Path("build/synthetic")) as out:
        files = [image.removesuffix(".jpg") + "__0.jpg" for image in table["image"]]
        for seed, (file, row) in enumerate(zip(files, table.itertuples(), strict=True), 5000):
            save(out / file, (str(row.gender), int(str(row.age)), str(row.mask)), seed)
        made = table[["image", "person", "fold", "train_class"]].assign(file=files, donor="")
        write_table(out / "synthetic.parquet", made.astype({"file": "str", "donor": "str"}))


def save(path: Path, fact: tuple[str, int, str], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_jpeg(square(*fact, seed)))


def small_params(**train: object) -> Params:
    """The project's params with a tiny network, 2 folds and changes to `train`, also in params.yaml."""
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    small = {
        "model": "test_resnet",
        "size": SIZE,
        "epochs": 2,
        "batch_size": 16,
        "augment": "none",
        "mix": "none",
    }
    raw["train"] |= small | {"lr": 0.01, "device": "cpu", "precision": "f32"} | train
    raw["split"] |= {"folds": 2, "validation_fold": 0}
    raw["evaluate"]["bootstrap"] = 100
    Path("params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    return load_params(Path("params.yaml"))
