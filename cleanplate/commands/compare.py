"""Did it help? Compares experiments, tags, commits or the workspace with the first one named.

Every score has a 95 % interval (bootstrap over people). Every difference is paired (all people whom both have
answered), with an interval and the p-value of a permutation test, Holm-corrected for the number of variants.
The verdict says better, worse, or cannot tell and how many people would be needed; with --same-within also
same, where the difference is shown to be smaller than what matters to you. It holds for these trained models:
another train.seed gives other models. With --seeds each name stands for its recipe: itself and the
experiments that differ from it in train.seed alone are pooled, and intervals and p-values are over people and
seeds; five or more such names tell together what seeds do.

    cleanplate compare workspace black detect-off
    cleanplate compare main black --people
    cleanplate compare main black --answers truth.csv
    cleanplate compare main black --seeds
    cleanplate compare main black --same-within 0.02
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cleanplate.comparison.compare import ComparedRevisions


def main(
    revisions: Annotated[
        list[str],
        typer.Argument(
            help="Baseline first, then variants: experiment, tag, branch, commit, `workspace` or a .parquet."
        ),
    ],
    people: Annotated[bool, typer.Option("--people", help="List the people whose predictions flip.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    plot: Annotated[Path, typer.Option(help="Where to draw the differences.")] = Path("reports/compare.png"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw nothing.")] = False,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Revision of the true labels for scoring. Default: the common labels; if they differ, the "
            "workspace's."
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="Compare the submissions instead, by this table of the true answers: ImageID,ans,person."
        ),
    ] = None,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Pool each with the experiments that differ in train.seed alone.")
    ] = False,
    same_within: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.5,
            help="The difference in macro-F1 that matters: below it, the same.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of people.")] = 2000,
    swaps: Annotated[int, typer.Option(min=100, help="Permutations behind a p-value.")] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
) -> None:
    from cleanplate.comparison.compare import Options, compare_revisions
    from pipeline.runtime.errors import UserError

    names = list(dict.fromkeys(revisions))
    if len(names) < 2:
        raise UserError(
            "a comparison needs a baseline and at least one variant",
            got=", ".join(revisions),
            fix="e.g. `cleanplate compare workspace my-experiment`; `dvc exp list` lists experiments",
        )
    pairs = [(names[0], variant) for variant in names[1:]]
    found = compare_revisions(pairs, Options(labels, answers, seeds, draws, swaps, seed, same_within))
    print_comparison(found, people, json, None if no_plot else plot)


def print_comparison(comparison: ComparedRevisions, people: bool, json: bool, plot: Path | None) -> None:
    """Prints a comparison and draws it."""
    from json import dumps

    from cleanplate.comparison.compare import as_json
    from cleanplate.comparison.tables import print_tables

    result = as_json(comparison, people)
    if plot:
        from cleanplate.comparison.plot import draw

        draw(comparison.result, plot)
    if json:
        print(dumps(result, indent=2, ensure_ascii=False))
        return
    print_tables(result, people)
    if plot:
        print(f"drawn: {plot}")
