"""Combines several submissions: a hard vote over classes, or a soft one over probabilities.

Voters are submission files (ImageID,ans; for a soft vote ImageID,p0 … p17, as in
reports/submission_probabilities.csv), predictions (.parquet), or experiments, tags, commits and `workspace`.
For these it takes the submission, or with --validation the validation predictions. `cleanplate compare`
accepts a vote over predictions and shows whether it helps.

    cleanplate vote first.csv second.csv third.csv --out reports/vote.csv
    cleanplate vote base focal age-soft --soft --out reports/vote.csv
    cleanplate vote base focal age-soft --validation --soft --out reports/vote.parquet
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    voters: Annotated[list[str], typer.Argument(help="Submission files, predictions, or revisions.")],
    out: Annotated[
        Path | None, typer.Option(help="Default: reports/vote.csv, with predictions .parquet.")
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="Average probabilities instead of counting votes.")
    ] = False,
    weights: Annotated[str | None, typer.Option(help="One number > 0 per voter, e.g. 2,1,1.")] = None,
    validation: Annotated[
        bool, typer.Option("--validation", help="Of revisions, take reports/predictions.parquet.")
    ] = False,
) -> None:
    import numpy as np

    from cleanplate.comparison.submission import PROBABILITIES, align_rows
    from pipeline.evaluate.vote import hard_vote
    from pipeline.io.tables import write_csv, write_table
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    if len(set(voters)) < len(voters) or len(voters) < 2:
        raise UserError("a vote needs at least two different voters", got=", ".join(voters))
    shares = _weights(weights, len(voters))
    ballots = {name: _ballot(name, validation, soft) for name in voters}
    key_columns = {name: "image" if "image" in table else "ImageID" for name, table in ballots.items()}
    if len(set(key_columns.values())) > 1:
        raise UserError(
            "submissions and validation predictions are about different photos",
            got=", ".join(f"{name}: {column}" for name, column in key_columns.items()),
            fix="name only submissions, or only predictions (revisions: --validation)",
        )
    key = key_columns[voters[0]]
    answer = "predicted" if key == "image" else "ans"
    ballots = align_rows(ballots, key)
    result = ballots[voters[0]].copy()
    if soft:
        mean = _soft(ballots, shares)
        result[list(PROBABILITIES)] = mean
        result[answer] = mean.argmax(axis=1).astype(np.int64)
    else:
        result = result.drop(columns=[c for c in PROBABILITIES if c in result])
        result[answer] = hard_vote(np.stack([b[answer].to_numpy(np.int64) for b in ballots.values()]), shares)
    if key == "image":
        place = out or Path("reports/vote.parquet")
        write_table(place, result)
    else:
        place = out or Path("reports/vote.csv")
        write_csv(place, result[["ImageID", "ans"]])
    say(f"{len(voters)} voters, {len(result)} photos: {place}")
    for name, ballot in ballots.items():
        say(f"  the vote agrees with {name} on {(ballot[answer] == result[answer]).mean():.1%}")


def _ballot(name: str, validation: bool, soft: bool) -> Any:
    import pandas as pd

    from cleanplate.comparison.submission import read_probabilities, read_submission
    from cleanplate.experiments.revisions import Revision
    from pipeline.runtime.errors import UserError

    if name.endswith(".csv"):
        if not Path(name).is_file():
            raise UserError("there is no such file", got=name)
        data = Path(name).read_bytes()
        return (read_probabilities if _has_probabilities(data) else read_submission)(data, name)
    if name.endswith(".parquet") or validation:
        return Revision(name).predictions()
    path = "reports/submission_probabilities.csv" if soft else "reports/submission.csv"
    data = Revision(name).read(path)
    if data is None:
        raise UserError("there is no submission", where=f"{path} of {name}", fix="run `dvc repro`")
    return pd.DataFrame((read_probabilities if soft else read_submission)(data, f"{path} of {name}"))


def _has_probabilities(data: bytes) -> bool:
    """Whether the first line names p17 as a column."""
    return b"p17" in data.split(b"\n", 1)[0].lower()


def _soft(ballots: dict[str, Any], shares: Any) -> Any:
    import numpy as np

    from cleanplate.comparison.submission import PROBABILITIES
    from pipeline.evaluate.vote import soft_vote
    from pipeline.runtime.errors import UserError

    without = [name for name, b in ballots.items() if any(c not in b for c in PROBABILITIES)]
    if without:
        raise UserError(
            "a soft vote needs probabilities (p0 … p17)",
            got=f"none in {', '.join(without)}",
            fix="omit --soft, or name files that have them: reports/submission_probabilities.csv of a run, "
            "a revision, or predictions (.parquet)",
        )
    return soft_vote(
        np.stack([b[list(PROBABILITIES)].to_numpy(np.float64) for b in ballots.values()]), shares
    )


def _weights(text: str | None, voters: int) -> Any:
    import numpy as np

    from pipeline.runtime.errors import UserError

    if text is None:
        return np.ones(voters)
    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = np.array([])
    if len(numbers) != voters or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise UserError(
            "the weights do not fit", got=text, allowed=f"{voters} numbers > 0, separated by commas"
        )
    return numbers
