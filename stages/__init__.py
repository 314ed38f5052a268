"""One script per DVC stage: read files, call `pipeline`, publish files."""

import sys
from pathlib import Path

if getattr(sys, "argv", [])[:1] == ["-m"]:  # `python -m stages.NAME` is starting; other imports do nothing
    from stages.shared.start import begin

    begin(Path(__file__).resolve().parent.parent)
