"""The embedded demo: drawn people, so that a fresh clone has photographs to work on."""

import sys
from pathlib import Path

if getattr(sys, "argv", [])[:1] == ["-m"]:  # `python -m demo.dataset` is starting; other imports do nothing
    from stages.shared.start import begin

    begin(Path(__file__).resolve().parent.parent)
