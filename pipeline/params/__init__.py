"""The schema of params.yaml, one file per group of sections."""

from pipeline.params.loading import load_params
from pipeline.params.schema import Params

__all__ = ["Params", "load_params"]
