"""YOLOv8 for one question: where is the best person box?"""
