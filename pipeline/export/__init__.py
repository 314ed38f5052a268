"""The trained chain in open formats: networks as ONNX and OpenVINO IR, steps as JSON, a model card."""
