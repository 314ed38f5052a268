"""`cleanplate vote`: hard and soft votes over submissions and predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluate.vote import hard_vote, soft_vote
from tests.fixtures.experiments import cleanplate
from tests.fixtures.predictions import answers, people_and_truth, table


def submission(path: Path, ids: list[str], answered: list[int]) -> str:
    path.write_text("ImageID,ans\n" + "".join(f"{i},{a}\n" for i, a in zip(ids, answered, strict=True)))
    return str(path)


def with_probabilities(predictions: pd.DataFrame, sure: float, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(18), len(predictions)) * (1 - sure)
    p[np.arange(len(p)), predictions["predicted"]] += sure
    return predictions.assign(**{f"p{c}": p[:, c] for c in range(18)})


def test_majority_wins_and_a_tie_goes_to_the_first_of_the_heaviest() -> None:
    votes = np.array([[1, 1, 5, 4], [2, 2, 6, 5], [2, 3, 5, 5]])
    assert hard_vote(votes, np.ones(3)).tolist() == [2, 1, 5, 5]
    assert hard_vote(votes, np.array([1, 1, 1.5])).tolist() == [2, 3, 5, 5]
    assert hard_vote(votes, np.array([3, 1, 1])).tolist() == [1, 1, 5, 4]
    # 0.1 + 0.2 against 0.3 is a tie, though not in floating point
    assert hard_vote(np.array([[7], [7], [8]]), np.array([0.1, 0.2, 0.3])).tolist() == [8]


def test_soft_vote_is_the_weighted_mean() -> None:
    p = np.zeros((2, 1, 18))
    p[0, 0, [3, 4]] = 0.6, 0.4
    p[1, 0, [4, 5]] = 0.9, 0.1
    found = soft_vote(p, np.array([3.0, 1.0]))
    assert found[0, [3, 4, 5]].tolist() == pytest.approx([0.45, 0.525, 0.025])


def test_voting_helps_where_errors_are_independent() -> None:
    person, truth = people_and_truth(100, 7, 0)
    voters = np.stack([answers(truth, 7, 0.7, k, 100 + k) for k in range(5)])
    alone = (voters == truth).mean(axis=1).max()
    assert (hard_vote(voters, np.ones(5)) == truth).mean() > alone + 0.05
    assert len(person) == len(truth)


def test_submissions_are_voted_into_a_submission_in_the_order_of_the_first(project: Path) -> None:
    a = submission(project / "a.csv", ["x.jpg", "w.jpg", "y.jpg"], [1, 2, 3])
    b = submission(project / "b.csv", ["w.jpg", "x.jpg", "y.jpg"], [5, 1, 4])
    c = submission(project / "c.csv", ["y.jpg", "x.jpg", "w.jpg"], [4, 0, 5])
    done = cleanplate(project, "vote", a, b, c, "--out", "voted.csv")
    assert done.exit_code == 0, done.stderr
    assert (project / "voted.csv").read_text() == "ImageID,ans\nx.jpg,1\nw.jpg,5\ny.jpg,4\n"
    assert "agrees with" in done.stderr
    heavy = cleanplate(project, "vote", a, b, c, "--out", "voted.csv", "--weights", "5,1,1")
    assert heavy.exit_code == 0
    assert (project / "voted.csv").read_text() == "ImageID,ans\nx.jpg,1\nw.jpg,2\ny.jpg,3\n"


def test_predictions_are_voted_into_predictions_that_compare_reads(project: Path) -> None:
    person, truth = people_and_truth(60, 7, 2)
    names = []
    for k in range(3):
        names.append(f"{k}.parquet")
        own = table(person, truth, answers(truth, 7, 0.7, k, 50 + k))
        with_probabilities(own, 0.5, k).to_parquet(project / names[-1])
    done = cleanplate(project, "vote", *names, "--soft", "--out", "reports/vote.parquet")
    assert done.exit_code == 0, done.stderr
    voted = pd.read_parquet(project / "reports" / "vote.parquet")
    p = voted[[f"p{c}" for c in range(18)]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == voted["predicted"]).all()
    compared = cleanplate(project, "compare", "0.parquet", "reports/vote.parquet", "--no-plot")
    assert "reports/vote.parquet: better at 60 people" in compared.stdout


def probabilities(path: Path, rows: dict[str, dict[int, float]]) -> str:
    table = pd.DataFrame(0.0, index=range(len(rows)), columns=[f"p{c}" for c in range(18)])
    for at, answers_ in enumerate(rows.values()):
        for c, p in answers_.items():
            table.loc[at, f"p{c}"] = p
    table.insert(0, "ImageID", list(rows))
    path.parent.mkdir(exist_ok=True)
    table.to_csv(path, index=False)
    return str(path)


def test_soft_vote_over_submissions_of_files_and_of_runs(project: Path) -> None:
    sure = probabilities(project / "a.csv", {"x.jpg": {4: 0.9, 5: 0.1}, "y.jpg": {7: 0.6, 8: 0.4}})
    probabilities(
        project / "reports" / "submission_probabilities.csv", {"y.jpg": {8: 1.0}, "x.jpg": {5: 0.6, 4: 0.4}}
    )
    done = cleanplate(project, "vote", sure, "workspace", "--soft", "--out", "voted.csv")
    assert done.exit_code == 0, done.stderr
    assert (project / "voted.csv").read_text() == "ImageID,ans\nx.jpg,4\ny.jpg,8\n"
    heavy = cleanplate(project, "vote", sure, "workspace", "--soft", "--out", "voted.csv", "--weights", "9,1")
    assert heavy.exit_code == 0
    assert (project / "voted.csv").read_text() == "ImageID,ans\nx.jpg,4\ny.jpg,7\n"


def test_what_are_no_probabilities_is_listed_by_line(project: Path) -> None:
    good = {"x.jpg": {4: 0.9, 5: 0.1}, "y.jpg": {7: 1.0}, "z.jpg": {1: 1.0}}
    probabilities(project / "a.csv", good)
    probabilities(project / "b.csv", good | {"x.jpg": {4: 0.9}, "y.jpg": {4: 1.2, 5: -0.2}})
    text = (project / "b.csv").read_text().replace("z.jpg,0.0", "z.jpg,much")
    (project / "b.csv").write_text(text)
    done = cleanplate(project, "vote", "a.csv", "b.csv", "--soft", "--out", "voted.csv")
    assert done.exit_code == 1
    assert "line 2: p0 to p17 are not probabilities" in done.stderr
    assert "line 3: p0 to p17 are not probabilities" in done.stderr
    assert "line 4: could not convert string to float: 'much'" in done.stderr


@pytest.mark.parametrize(
    ("ids", "answered", "says"),
    [
        (["x.jpg", "z.jpg"], [1, 2], "b.csv lacks y.jpg"),
        (["x.jpg", "y.jpg", "z.jpg"], [1, 2, 3], "a.csv lacks z.jpg"),
        (["x.jpg", "y.jpg"], [1, 18], "line 3: ans is '18'; allowed: 0 to 17"),
        (["x.jpg", "x.jpg"], [1, 2], "line 3: x.jpg was answered in line 2"),
    ],
)
def test_what_does_not_fit_together_is_listed(
    project: Path, ids: list[str], answered: list[int], says: str
) -> None:
    submission(project / "a.csv", ["x.jpg", "y.jpg"], [1, 2])
    submission(project / "b.csv", ids, answered)
    done = cleanplate(project, "vote", "a.csv", "b.csv", "--out", "voted.csv")
    assert done.exit_code == 1
    assert says in done.stderr
    assert not (project / "voted.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.csv"], "at least two different voters"),
        (["a.csv", "a.csv"], "at least two different voters"),
        (["a.csv", "b.csv", "--soft"], "a soft vote needs probabilities"),
        (["a.csv", "b.csv", "--weights", "1"], "allowed: 2 numbers > 0"),
        (["a.csv", "b.csv", "--weights", "1,x"], "allowed: 2 numbers > 0"),
        (["a.csv", "b.csv", "--weights", "1,-1"], "allowed: 2 numbers > 0"),
        (["a.csv", "nothing.csv"], "there is no such file"),
        (["a.csv", "v.parquet"], "about different photos"),
    ],
)
def test_mistakes_are_sentences(project: Path, arguments: list[str], says: str) -> None:
    for name in ("a.csv", "b.csv"):
        submission(project / name, ["x.jpg"], [1])
    table(np.array(["p"]), np.array([0]), np.array([0])).to_parquet(project / "v.parquet")
    done = cleanplate(project, "vote", *arguments)
    assert done.exit_code == 1
    assert says in done.stderr
