"""How soon `audit` finds wrong genders by face networks, alone and together; whether its error rate is true.

    python -m benchmarks.audit_faces TRUTH/planted.csv      (in a folder where `stages.faces` has run)

Flips the gender of eight people, ten times, as `audit_planted` does; people who are wrong already stay so and
are not asked. A row per set of networks in build/faces.parquet: average precision, and how many of the ten
95 % intervals of the error rate hold the true rate.
"""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import numpy as np
import threadpoolctl

from benchmarks.audit_planted import ERRORS, SETS, command_line, judgement, planted_people, shifted
from pipeline.analysis.audit.error_rate import error_rate
from pipeline.params import load_params
from pipeline.seeds import generator
from stages.shared.audit_evidence import photo_table, predict_out_of_fold, read_answers
from stages.shared.command import Stage


def run(planted: Path) -> None:
    """Prints the table."""
    stage = Stage("audit", load_params(Path("params.yaml")))
    audit, photos = stage.params.audit, photo_table(stage)
    names = photos.drop_duplicates("person_id").sort_values("person_id")["person"].tolist()
    errors = planted_people(planted)["gender"]
    spared = {n for n in names if n in errors or n.split("_")[0] in errors}
    free = np.array([i for i, name in enumerate(names) if name not in spared])
    rate = (ERRORS + len(spared)) / len(names)
    answers = read_answers(list(photos["image"]))
    print("networks,average_precision,least,most,intervals_that_hold,of,people")
    for chosen in chain(*(combinations(answers, size) for size in range(1, len(answers) + 1))):
        precisions, held = [], 0
        for k in range(SETS):
            wrong = generator(k, "benchmark: planted", "gender").choice(free, ERRORS, replace=False)
            some = {network: answers[network] for network in chosen}
            flipped = shifted(photos, "gender", wrong)
            p, codes = predict_out_of_fold("gender", np.empty((0, 0)), some, flipped, audit.l2)
            doubts = 1 - p[np.arange(len(names)), codes]
            found = judgement(doubts[free], [names[i] for i in free], {names[i] for i in wrong})
            precisions.append(found.average_precision)
            estimate = error_rate(p, codes, np.arange(len(names)), audit.bootstrap, audit.seed)
            held += estimate["low"] <= rate <= estimate["high"]
        mean, low, high = np.mean(precisions), min(precisions), max(precisions)
        print(f"{' + '.join(chosen)},{mean:.3f},{low:.3f},{high:.3f},{held},{SETS},{len(names)}", flush=True)


def main() -> None:
    """The command."""
    planted = command_line(__doc__)
    with threadpoolctl.threadpool_limits(1):
        run(planted)


if __name__ == "__main__":
    main()
