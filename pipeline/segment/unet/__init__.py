"""The U-Net of `segment.method: unet`: its files, input, inference and fitting.

config, frame and matte_pairs never import torch; openvino_net does so only to convert; the others always.
"""
