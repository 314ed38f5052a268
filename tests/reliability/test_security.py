"""Probes: what a hostile file, table, name or config tries. None may succeed; see docs/reliability.md."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.errors import UserError, printable
from pipeline.publish import published_folder, write_text
from tests.conftest import ROOT
from tests.data_folder import ANNA, add_person, run_ingest, run_relabel
from tests.reliability.repository import STAGES, cleanplate, dvc, make_repository, run, stage

SECRET = "hunter2-correct-horse"


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.trace}'",)


def plain_pickle(place: Path, trace: Path) -> None:
    place.write_bytes(pickle.dumps(Harm(trace), protocol=2))


def torch_file(place: Path, trace: Path) -> None:
    import torch

    torch.save({"state_dict": {"conv.weight": Harm(trace)}}, place)


def old_torch_file(place: Path, trace: Path) -> None:
    import torch

    torch.save({"model": Harm(trace)}, place, _use_new_zipfile_serialization=False)


def zipped(place: Path, trace: Path) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("../../evil.pth", pickle.dumps(Harm(trace), protocol=2))


def read_unet(place: Path) -> object:
    from pipeline.unet.weights import read_state

    return read_state(place)


def read_pretrained(place: Path) -> object:
    from pipeline.training.pretrained import read_state

    return read_state(str(place))


def read_yolo(place: Path) -> object:
    from pipeline.yolo.checkpoint import load_checkpoint

    return load_checkpoint(place, place.parent)


READERS = {"unet": read_unet, "pretrained": read_pretrained, "yolo": read_yolo}


@pytest.mark.parametrize("make", [plain_pickle, torch_file, old_torch_file, zipped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_code_in_weights_is_never_run(
    make: Callable[[Path, Path], None], reader: str, tmp_path: Path
) -> None:
    place, trace = tmp_path / "deep" / "weights.pt", tmp_path / "ran"
    place.parent.mkdir()
    make(place, trace)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        READERS[reader](place)
    assert not trace.exists()
    assert {p for p in tmp_path.rglob("*") if ".cache" not in p.parts} == before


def test_a_pickle_named_safetensors(tmp_path: Path) -> None:
    place = tmp_path / "model.safetensors"
    plain_pickle(place, tmp_path / "ran")
    for reader in (read_unet, read_pretrained):
        with pytest.raises(UserError):
            reader(place)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_smuggled_in_as_an_argument_of_the_model(project: Path) -> None:
    from pipeline.params import load_params
    from pipeline.training.network import classifier

    torch_file(project / "evil.pth", project / "ran")
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["train"] |= {"model": "test_resnet", "model_args": {"checkpoint_path": "evil.pth"}, "size": 32}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises((UserError, RuntimeError), match=r"blocked|not a checkpoint|cannot"):
        classifier(load_params(Path("params.yaml")).train)
    assert not (project / "ran").exists()


@pytest.mark.parametrize("name", ["hf-hub:stranger/model", "local-dir:/tmp/evil", "../../evil"])
def test_a_model_from_elsewhere_is_no_model(name: str) -> None:
    from pipeline.training.network import known_model

    with pytest.raises(UserError, match="timm has no model"):
        known_model(name)


def test_no_reader_in_the_code_runs_what_it_reads() -> None:
    forbidden = re.compile(
        r"pickle\.loads?\(|weights_only=False|allow_pickle=True|yaml\.(unsafe_load|full_load)|shell=True|"
        r"extractall\(|os\.system\(|(?<![\w.])(eval|exec)\("
    )
    loads = re.compile(r"torch\.load\((?!.*weights_only=True)")
    for folder in ("pipeline", "stages", "commands", "review"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not forbidden.search(line), f"{path.name} line {number}: {line.strip()}"
                harmless = "`" in line  # told about in a docstring
                assert harmless or not loads.search(line), f"{path.name} line {number}: {line.strip()}"


@pytest.mark.parametrize(
    "text",
    [
        "data: !!python/object/apply:os.system ['touch ran']\n",
        "data:\n  root: !!python/name:os.system\n",
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g]\ndata: {root: *h}\n",
    ],
    ids=["call", "name", "bomb"],
)
def test_yaml_that_does_something(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    code = (
        f"import sys, resource; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom pipeline.params import load_params\n"
        "from pipeline.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try:\n    load_params(Path('params.yaml'))\nexcept UserError as e:\n    print(len(str(e)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert int(done.stdout) < 20_000
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "param", ["data.layout", "detect.method", "compose.fill", "train.loss", "train.heads"]
)
def test_a_kind_is_a_name_not_a_path(param: str, project: Path) -> None:
    from pipeline.kinds import load_kind

    (project / "evil.py").write_text("open('ran', 'w')\n")
    kinds = {"data": "layout", "detect": "detectors", "compose": "fills", "train": "losses"}
    for name in ("../../evil", "evil", "..evil", ".evil", "__init__", str(project / "evil")):
        with pytest.raises((UserError, ModuleNotFoundError, ImportError, TypeError)):
            load_kind(kinds[param.split(".")[0]], name)
    assert not (project / "ran").exists()


def test_formulas_in_names_and_reasons_are_text_in_every_table(project: Path) -> None:
    root = project / "photos"
    folder = add_person(root, ANNA)
    (folder / "=cmd|'calc'!A1.jpg").write_bytes(b"x")
    (root / "+SUM(A1).jpg").write_bytes(b"x")
    run_ingest(root)
    reason = '=HYPERLINK("http://x")'
    table = pd.DataFrame([[ANNA, "mask1", "gender", "female", "male", reason, "@me"]])
    table.columns = ["person", "image", "field", "old", "new", "reason", "source"]
    table.to_csv("data/corrections.csv", index=False)
    run_relabel(root)
    for name in ("quarantine.csv", "relabel.csv"):
        cells = pd.read_csv(f"build/{name}", dtype=str, keep_default_na=False)
        for cell in cells.to_numpy().ravel():
            assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)
    assert "'" + reason in Path("build/relabel.csv").read_text().replace('""', '"')


def test_a_name_cannot_draw_on_the_terminal() -> None:
    assert printable("\x1b[2Jmask\u202egpj.\udcff\n") == "\\x1b[2Jmask\\u202egpj.\\udcff\\n"
    assert "\x1b" not in str(UserError("x", where="\x1b[31m", got="\x1b]0;title\x07"))


def test_an_output_that_is_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out.csv").symlink_to(victim)
    write_text(tmp_path / "out.csv", "new")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "out.csv").is_symlink()


def test_a_folder_that_is_a_link_is_replaced_not_emptied(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a").write_text("precious")
    for target in (victim, tmp_path / "nowhere"):
        (tmp_path / "out").unlink() if (tmp_path / "out").is_symlink() else None
        (tmp_path / "out").symlink_to(target)
        with published_folder(tmp_path / "out") as part:
            (part / "b").write_text("new")
        assert (tmp_path / "out" / "b").exists()
        shutil.rmtree(tmp_path / "out")
    (tmp_path / ".out.1.part").symlink_to(victim)
    with published_folder(tmp_path / "out"):
        pass
    assert [p.name for p in victim.iterdir()] == ["a"]
    assert (victim / "a").read_text() == "precious"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small project run with a secret in the environment and in DVC's config; all that was printed."""
    folder = make_repository(tmp_path_factory.mktemp("leaky") / "project", people=2, photos=1)
    (folder / ".dvc/config.local").write_text(
        f"['remote \"far\"']\n    url = s3://far\n    secret_access_key = {SECRET}\n", encoding="utf-8"
    )
    said = ""
    for command in (dvc("repro", "compose", "relabel", "split"), cleanplate("verify"), cleanplate("doctor")):
        code, text = run(folder, *command, AWS_SECRET_ACCESS_KEY=SECRET, HF_TOKEN=SECRET)
        assert code == 0, text
        said += text
    code, text = run(folder, *stage("relabel", "--debug"), HF_TOKEN=SECRET)
    return folder, said + text


def test_a_planted_secret_is_in_no_output(leaky: tuple[Path, str]) -> None:
    folder, said = leaky
    assert SECRET not in said
    looked = 0
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "config.local":
            looked += 1
            assert SECRET.encode() not in path.read_bytes(), path
    assert looked > 20


SPY = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        if not isinstance(address, (str, bytes)) or event.startswith("socket.get"):
            with open(os.environ["SPY_LOG"], "a") as f:
                f.write(f"{event} {address!r} {sys.argv[:2]}\\n")
sys.addaudithook(hook)
"""


def test_the_stages_open_no_connection_and_need_none(tmp_path: Path) -> None:
    """Watched from inside (Python's audit events), and run where there is no network at all."""
    folder = make_repository(tmp_path / "project", people=4, photos=2, git=False)
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(SPY)
    log = spy / "log"
    without = ["unshare", "-n"]
    if subprocess.run([*without, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a network namespace cannot be made here (unshare -n)")
    for name in STAGES:
        code, said = run(folder, *without, *stage(name), PYTHONPATH=str(spy), SPY_LOG=str(log))
        assert code == 0, said
    assert not log.exists(), log.read_text()
    probe = "import socket; socket.create_connection(('127.0.0.1', 9))"
    code, said = run(folder, *without, sys.executable, "-c", probe, PYTHONPATH=str(spy), SPY_LOG=str(log))
    assert code != 0
    assert "socket.connect" in log.read_text(), "the spy sees nothing"


def test_the_settings_keep_libraries_from_phoning_home() -> None:
    config = (ROOT / ".dvc/config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for setting in ("DVC_NO_ANALYTICS := 1", "YOLO_AUTOINSTALL := false", "HF_HUB_DISABLE_TELEMETRY := 1"):
        assert setting in makefile


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A project to plant a hostile dvc.lock in, and a victim outside it.

    The doctor moves files: a probe must never be able to reach anything but a file made for it right here.
    """
    victim = tmp_path / "victim" / "precious.txt"
    victim.parent.mkdir()
    victim.write_text("precious")
    folder = tmp_path / "deep" / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "build").mkdir()
    for name in ("params.yaml", "weights.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder, victim


def lock_with(folder: Path, path: str) -> None:
    outs = [{"path": path, "hash": "md5", "md5": "0123456789abcdef" * 2, "size": 1}]
    lock = {"schema": "2.0", "stages": {"a": {"cmd": "true", "outs": outs}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


@pytest.mark.parametrize("way", ["parent", "absolute", "link"])
def test_a_hostile_dvc_lock_makes_the_doctor_move_nothing_outside(
    hostile: tuple[Path, Path], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from commands._tracked import is_own
    from commands.doctor import _put_aside

    folder, victim = hostile
    (folder / "build/out").symlink_to(victim.parent)
    named = {
        "parent": "../../victim/precious.txt",
        "absolute": str(victim),
        "link": "build/out/precious.txt",
    }[way]
    monkeypatch.chdir(folder)
    assert not is_own(Path(), Path(named))
    with pytest.raises(UserError, match="outside the project"):
        _put_aside(Path(), Path(named))
    lock_with(folder, named)
    code, said = run(folder, *cleanplate("doctor", "--mend"))
    assert code == 1, said
    assert "not touched" in said
    assert "Traceback" not in said
    assert victim.read_text() == "precious"
    assert not (folder / ".cache/damaged").exists()


def test_a_dvc_lock_that_does_something(hostile: tuple[Path, Path]) -> None:
    folder, _ = hostile
    (folder / "dvc.lock").write_text("!!python/object/apply:os.system ['touch ran']\n")
    code, said = run(folder, *cleanplate("doctor"))
    assert code == 1, said
    assert "cannot be read" in said
    assert "Traceback" not in said
    assert not (folder / "ran").exists()


def test_the_item_cache_believes_no_entry_that_was_changed(tmp_path: Path) -> None:
    from pipeline.item_cache import ItemCache

    cache = ItemCache(tmp_path, "segment", {})
    entry = cache.add_file("ab" * 32, b"matte", ".png")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    entry.unlink()
    entry.symlink_to(secret)
    assert cache.read(entry) is None
    assert not entry.exists()
    assert secret.exists()


def test_a_picture_made_to_explode_is_refused_in_time_and_memory(tmp_path: Path) -> None:
    from tests.reliability.corpus import huge

    (tmp_path / "bomb.png").write_bytes(huge(60_000))
    code = (
        f"import sys, resource; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom pipeline.ingest import opener\n"
        "open_photo = opener(Path.cwd(), True, 50_000_000)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "print(open_photo('bomb.png').reason)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert "max_pixels" in done.stdout
