"""The U-Net behind `segment.method: unet`: its files, its input, how it runs and how it is fitted.

config, frame and matte_pairs know no torch; architecture, weights, torch_net and fitting do; openvino_net
does only while it converts.
"""
