"""InceptionResnetV1 for OpenVINO."""
