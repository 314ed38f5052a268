"""The schema of params.yaml, its checks, and overrides."""

from pipeline.params.loading import load_params
from pipeline.params.schema import Params

__all__ = ["Params", "load_params"]
