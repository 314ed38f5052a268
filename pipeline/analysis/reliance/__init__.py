"""Whether a model looks at the background: backgrounds exchanged, and Grad-CAM."""
