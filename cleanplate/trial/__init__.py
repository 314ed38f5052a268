"""The page on which an exported model is tried: photos, the camera, other backgrounds."""
