"""YOLOv8, reduced to the best person box."""
