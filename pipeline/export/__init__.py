"""The trained chain in open formats: networks as ONNX and OpenVINO IR, steps as JSON, a model card."""

FORMAT = 1  # of chain.json; raise it when an older `cleanplate predict` would misread it
