"""One script per DVC stage: reads files, calls `pipeline`, publishes files."""

import sys
from pathlib import Path

if getattr(sys, "argv", [])[:1] == ["-m"]:  # `python -m stages.NAME` is starting; other imports do nothing
    from stages.shared.start import begin

    begin(Path(__file__).resolve().parent.parent)
