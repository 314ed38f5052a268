"""A clone of this checkout to measure in, with a set of photos of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parent.parent


class Checkout:
    """A clone of this checkout that works on a copy (hard links) of a set of photos."""

    def __init__(self, place: Path, photos: Path) -> None:
        self.root, self.data = place / "clone", place / "photos"
        shutil.copytree(photos, self.data, copy_function=os.link)
        subprocess.run(["git", "clone", "-q", str(REPO), str(self.root)], check=True)
        binaries = str(Path(sys.executable).parent)
        self.env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.run("cleanplate", "init", "photos", "--data", str(self.data))

    def run(self, *command: str) -> str:
        """Output of a command in the clone, stderr included.

        Raises:
            SystemExit: it failed; prints what it said.
        """
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
        return done.stdout

    def set(self, param: str, value: object) -> None:
        """One line of params.yaml."""
        code = (
            "from pathlib import Path; from cleanplate.experiments.preset import write_params; "
            f"write_params(Path('params.yaml'), {{{param!r}: {value!r}}})"
        )
        self.run("python3", "-c", code)

    def correct_label(self) -> None:
        """A row of data/corrections.csv: the gender of the first person."""
        person = min(path.name for path in (self.data / "train/images").iterdir())
        gender = person.split("_")[1]
        other = "male" if gender == "female" else "female"
        with (self.root / "data/corrections.csv").open("a", encoding="utf-8") as f:
            f.write(f"{person},,gender,{gender},{other},benchmark,benchmark\n")

    def people(self) -> list[Path]:
        """The folders of the people to train on."""
        return sorted((self.data / "train/images").iterdir())
