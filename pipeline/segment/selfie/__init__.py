"""MediaPipe's selfie segmentation: the network's conversion, and the photo's way into it and back."""
