"""HSE_FaceRec_tf: its TensorFlow.js files as an OpenVINO graph, and the way of a face into it."""
