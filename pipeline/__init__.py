"""What Cleanplate computes. Knows no DVC, no command line and no stage's file names."""

import sys

# OpenVINO reports every import and conversion to Google Analytics, and no setting turns that off for a single
# project. Where this package of its cannot be imported, it takes a stub that reports nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
