"""What will this submission score? Estimates it from the agreement with a scored one.

    new accuracy = known accuracy + share of disagreement x (new right - old right, where they disagree)

The last factor is unknown, so the interval is wide unless the two agree on nearly all photos. --validation
OLD NEW, the experiments behind the two submissions, estimates it on labelled people and narrows the interval.
Assumptions and formula: cleanplate/comparison/agreement.py.

    cleanplate score known.csv new.csv --accuracy 0.79 --macro-f1 0.752
    cleanplate score known.csv new.csv --macro-f1 0.752 --validation base focal
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    known: Annotated[Path, typer.Argument(help="The scored submission (ImageID,ans).")],
    new: Annotated[Path, typer.Argument(help="The new submission.")],
    accuracy: Annotated[float | None, typer.Option(min=0, max=1, help="Accuracy of the scored one.")] = None,
    macro_f1: Annotated[float | None, typer.Option(min=0, max=1, help="Macro-F1 of the scored one.")] = None,
    validation: Annotated[
        tuple[str, str] | None,
        typer.Option(help="The experiments (or prediction files) behind the known and the new submission."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from dataclasses import asdict
    from json import dumps

    from cleanplate.comparison.agreement import forecast
    from cleanplate.comparison.submission import align_rows, read_submission
    from pipeline.runtime.errors import UserError

    if accuracy is None and macro_f1 is None:
        raise UserError("a known score is needed", allowed="--accuracy, --macro-f1, or both")
    tables = {}
    for path in (known, new):
        if not path.is_file():
            raise UserError("there is no such file", got=str(path))
        tables[str(path)] = read_submission(path.read_bytes(), str(path))
    if len(tables) < 2:
        raise UserError("both submissions are the same file", got=str(known))
    a, b = (t["ans"].to_numpy() for t in align_rows(tables, "ImageID").values())
    evidence = _evidence(*validation) if validation else (0.0, 0.0, 0.0)
    forecasts = forecast(a, b, accuracy, macro_f1, evidence)
    agreement = float((a == b).mean())
    if json:
        scores = {name: asdict(f) for name, f in forecasts.items()}
        print(dumps({"photos": len(a), "agreement": agreement, "evidence": evidence, **scores}, indent=2))
        return
    print(f"the two agree on {agreement:.1%} of {len(a)} photos")
    if validation:
        old, fresh, neither = evidence
        print(
            f"where the models disagree about validation people: {validation[0]} right {old:.1f}, "
            f"{validation[1]} right {fresh:.1f}, neither {neither:.1f} (each person counts once)"
        )
    for name, f in forecasts.items():
        print(f"expected {name.replace('_f1', '-F1')}: {f.value:.3f} (95 %: {f.low:.3f} to {f.high:.3f})")
    if not validation:
        print("without --validation the mean is a guess: trust the interval")


def _evidence(old: str, new: str) -> tuple[float, float, float]:
    """Counts of validation people on whom the models disagree: the old, the new, neither one right."""
    from cleanplate.comparison.agreement import disagreements
    from cleanplate.comparison.alignment import align
    from cleanplate.experiments.revisions import Revision

    data = align({name: Revision(name).predictions() for name in (old, new)})
    return disagreements(data.truth, data.predicted[old], data.predicted[new], data.person)
