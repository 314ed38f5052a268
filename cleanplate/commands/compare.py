"""Did it help? Compares experiments, tags, commits or the workspace with the first one named.

Every score comes with its 95 % interval (bootstrap over people), every difference is paired: the same
people under both, with an interval and the p-value of a permutation test, corrected (Holm) for how many
variants were tried. The verdict in words says better, worse, or cannot tell and how many people would be
needed. It holds for these trained models: another train.seed gives other models.

    cleanplate compare workspace black detect-off
    cleanplate compare main black --people
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cleanplate.comparison.compare import Compared


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
            help="Whose true labels to score all by. Default: the common ones; where these differ, "
            "the workspace's."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of people.")] = 2000,
    swaps: Annotated[int, typer.Option(min=100, help="Permutations behind a p-value.")] = 5000,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
) -> None:
    from cleanplate.comparison.compare import Options, compared
    from pipeline.runtime.errors import UserError

    names = list(dict.fromkeys(revisions))
    if len(names) < 2:
        raise UserError(
            "comparing takes a baseline and at least one variant",
            got=", ".join(revisions),
            fix="e.g. `cleanplate compare workspace my-experiment`; `dvc exp list` lists experiments",
        )
    pairs = [(names[0], variant) for variant in names[1:]]
    found = compared(pairs, Options(labels, draws, swaps, seed))
    tell(found, people, json, None if no_plot else plot)


def tell(found: Compared, people: bool, json: bool, plot: Path | None) -> None:
    """Prints a comparison and draws it."""
    from json import dumps

    from cleanplate.comparison.compare import as_json
    from cleanplate.comparison.tables import show

    told = as_json(found, people)
    if plot:
        from cleanplate.comparison.plot import draw

        draw(found.result, plot)
    if json:
        print(dumps(told, indent=2, ensure_ascii=False))
        return
    show(told, people)
    if plot:
        print(f"drawn: {plot}")
