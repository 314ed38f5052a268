"""What will this submission score? Expects it from its agreement with one of known score.

    new accuracy = known accuracy + share of disagreement x (new right - old right, where they disagree)

Of the last factor nothing is known from the answers alone, so the interval is wide unless the two agree
nearly everywhere. --validation OLD NEW, the experiments behind the two submissions, shows who is right
where they disagree on labelled people, and narrows it. Assumptions and formula:
cleanplate/comparison/agreement.py.

    cleanplate score known.csv new.csv --accuracy 0.79 --macro-f1 0.752
    cleanplate score known.csv new.csv --macro-f1 0.752 --validation base focal
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    known: Annotated[Path, typer.Argument(help="The submission (ImageID,ans) whose score is known.")],
    new: Annotated[Path, typer.Argument(help="The one whose score is wanted.")],
    accuracy: Annotated[float | None, typer.Option(min=0, max=1, help="Accuracy of the known one.")] = None,
    macro_f1: Annotated[float | None, typer.Option(min=0, max=1, help="Macro-F1 of the known one.")] = None,
    validation: Annotated[
        tuple[str, str] | None,
        typer.Option(help="The experiments (or prediction files) behind the known and the new submission."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from dataclasses import asdict
    from json import dumps

    from cleanplate.comparison.agreement import forecast
    from cleanplate.comparison.submission import lined_up, read_submission
    from pipeline.runtime.errors import UserError

    if accuracy is None and macro_f1 is None:
        raise UserError("a known score is needed", allowed="--accuracy, --macro-f1, or both")
    tables = {}
    for path in (known, new):
        if not path.is_file():
            raise UserError("there is no such file", got=str(path))
        tables[str(path)] = read_submission(path.read_bytes(), str(path))
    if len(tables) < 2:
        raise UserError("a submission is being compared with itself", got=str(known))
    a, b = (t["ans"].to_numpy() for t in lined_up(tables, "ImageID").values())
    evidence = _evidence(*validation) if validation else (0.0, 0.0, 0.0)
    found = forecast(a, b, accuracy, macro_f1, evidence)
    agreement = float((a == b).mean())
    if json:
        scores = {name: asdict(f) for name, f in found.items()}
        print(dumps({"photos": len(a), "agreement": agreement, "evidence": evidence, **scores}, indent=2))
        return
    print(f"the two agree on {agreement:.1%} of {len(a)} photos")
    if validation:
        old, fresh, neither = evidence
        print(
            f"where the models disagree about validation people: {validation[0]} right {old:.1f}, "
            f"{validation[1]} right {fresh:.1f}, neither {neither:.1f} (each person counts once)"
        )
    for name, f in found.items():
        print(f"expected {name.replace('_f1', '-F1')}: {f.value:.3f} (95 %: {f.low:.3f} to {f.high:.3f})")
    if not validation:
        print("without --validation the middle is a guess: trust the interval")


def _evidence(old: str, new: str) -> tuple[float, float, float]:
    """How often the old, the new, neither model was right about validation people where they disagree."""
    from cleanplate.comparison.agreement import disagreements
    from cleanplate.comparison.alignment import aligned
    from cleanplate.experiments.revisions import Revision

    data = aligned({name: Revision(name).predictions() for name in (old, new)})
    return disagreements(data.truth, data.predicted[old], data.predicted[new], data.person)
