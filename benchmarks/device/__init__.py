"""Every network path that can run on a GPU, tried there: `python -m benchmarks.device`."""
