"""All of params.yaml: one section per stage, plus `data` and `machine`."""

from __future__ import annotations

from pipeline.params.audit import Audit, Explore
from pipeline.params.data import Data, Ingest, Machine
from pipeline.params.labels import Relabel, Split
from pipeline.params.pixels import Compose, Detect, FitSegmenter, Segment, Synthesize
from pipeline.params.reporting import Reliance
from pipeline.params.scoring import Evaluate, Predict
from pipeline.params.section import Section
from pipeline.params.training import Train


class Params(Section):
    """The whole file. A section may be left out; its defaults then hold."""

    data: Data
    ingest: Ingest = Ingest()
    relabel: Relabel = Relabel()
    split: Split = Split()
    detect: Detect = Detect()
    fit_segmenter: FitSegmenter = FitSegmenter()
    segment: Segment = Segment()
    compose: Compose = Compose()
    synthesize: Synthesize = Synthesize()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    predict: Predict = Predict()
    reliance: Reliance = Reliance()
    audit: Audit = Audit()
    explore: Explore = Explore()
    machine: Machine = Machine()
