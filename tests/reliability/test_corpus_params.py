"""params.yaml as people write it and programs mangle it: refused in a sentence before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.ingest import run as run_ingest
from stages.shared.command import run_stage
from tests.fixtures.data_folder import ANNA, add_person

MERGES = "m0: &m0 {k: 1}\n" + "".join(
    f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 8)}]}}\n" for i in range(1, 12)
)
LISTS = ", ".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 12))
TWICE = f"s: {{a0: &a0 [x], {LISTS}}}\nt: {{u: {{v: {{w: {{x: *a11, x: *a11}}}}}}}}\n"

PARAMS: dict[str, tuple[str, str]] = {
    "unknown key": ("compose:\n  fil: black\n", "did you mean `fill`"),
    "wrong type": ("compose:\n  size: big\n", "compose.size"),
    "no such kind": ("detect:\n  method: mtcn\n", "did you mean `mtcnn`"),
    "impossible": (
        "segment:\n  method: none\ncompose:\n  fill: black\nsynthesize:\n  copies: 0\n",
        "needs mattes",
    ),
    "no yaml": ("a: [", "not readable YAML"),
    "a list": ("- a\n", "no sections"),
    "python object": ("a: !!python/object/apply:os.system ['touch pwned']\n", "not readable YAML"),
    "traversal in a kind": ("detect:\n  method: ../../evil\n", "Allowed"),
    "number for a word": ("detect:\n  method: 3\n", "detect.method"),
    "yes for a number": ("train:\n  epochs: yes\n", "train.epochs: Input should be a valid integer"),
    "true for a number": (
        "train:\n  epochs: true\n",
        "train.epochs: Value error, true and false are not allowed",
    ),
    "no for a word": ("detect:\n  method: no\n", "detect.method: got 'no'"),
    "true for a word": ("detect:\n  method: true\n", "in quotes"),
    "yes for true": ("evaluate:\n  tta_flip: yes\n", "evaluate.tta_flip: Value error, write true or false"),
    "1 for true": ("evaluate:\n  tta_flip: 1\n", "evaluate.tta_flip: Value error, write true or false"),
    "no for false or a file": ("train:\n  pretrained: no\n", "write true or false"),
    "an argument that DVC overlooks": ("train:\n  model_args: {size: 9}\n", "DVC overlooks a change of size"),
    "off in a mapping": ("train:\n  model_args: {pad: off}\n", "write true or false"),
    "time of day": ("train:\n  epochs: 1:30\n", "train.epochs: Input should be a valid integer"),
    "another YAML": ("%YAML 1.1\n---\ntrain:\n  epochs: 010\n", "`%YAML 1.1` is not supported"),
    "merge bomb": (MERGES, "too many merged keys"),
    "key twice, a bomb": (TWICE, "duplicate key `x`"),
    "date": ("train:\n  epochs: 2026-01-01\n", "train.epochs"),
    "half an epoch": ("train:\n  epochs: 1.5\n", "fractional part"),
    "negative": ("train:\n  batch_size: -64\n", "train.batch_size"),
    "a billion": ("train:\n  batch_size: 1000000000\n", "less than or equal to 65536"),
    "20 digits": ("train:\n  epochs: 99999999999999999999\n", "train.epochs"),
    "infinite": ("train:\n  lr: .inf\n", "finite"),
    "too large for a float": ("train:\n  lr: 1e400\n", "finite"),
    "decimal comma": ("train:\n  lr: 0,002\n", "train.lr"),
    "per cent": ("ingest:\n  max_quarantine: 1%\n", "ingest.max_quarantine"),
    "colour of the web": ('ingest:\n  transparent_rgb: "#ffffff"\n', "ingest.transparent_rgb"),
    "two channels": ("ingest:\n  transparent_rgb: [255, 255]\n", "ingest.transparent_rgb"),
    "section without params": ("compose:\n", "compose: a section needs indented params"),
    "section of one word": ("compose: black\n", "compose: a section needs indented params"),
    "section misspelt": ("trian:\n  epochs: 3\n", "did you mean `train`"),
    "section in capitals": ("Train:\n  epochs: 3\n", "did you mean `train`"),
    "dots as on the command line": ("train.epochs: 3\n", "train.epochs: no such param"),
    "tab": ("compose:\n\tsize: 64\n", "not readable YAML"),
    "key twice": ("compose: {size: 64, size: 96}\n", "duplicate key `size`"),
    "alias of itself": ("compose: &a {size: *a}\n", "compose.size"),
    "quote without end": ('compose:\n  fill: "black\n', "not readable YAML"),
    "two documents": ("---\ncompose:\n  size: 64\n", "not readable YAML"),
    "hard spaces": ("compose:\n\xa0\xa0size: 64\n", "no such param"),
    "bell": ("compose:\n  size: 64\x07\n", "not readable YAML"),
    "empty": ("", "no sections"),
    "one word": ("hello\n", "no sections"),
    "fold that is not there": ("split:\n  folds: 3\n  validation_fold: 3\n", "allowed 0 to 2"),
    "nan": ("compose:\n  margin: .nan\n", "compose.margin"),
}


@pytest.mark.parametrize("case", PARAMS)
def test_params_are_refused_before_any_work(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, wanted = PARAMS[case]
    whole = f"data:\n  root: photos\n{text}" if ":" in text else text
    monkeypatch.chdir(tmp_path)
    add_person(Path("photos"), ANNA)
    Path("params.yaml").write_text(whole, encoding="utf-8")
    said: list[str] = []
    monkeypatch.setattr("stages.shared.command.say", said.append)
    assert run_stage("ingest", run_ingest, Path("params.yaml")) == 1
    assert wanted in "\n".join(said)
    assert "error: unexpected " not in "\n".join(said)
    assert not Path("build").exists()
    assert not Path("pwned").exists()
