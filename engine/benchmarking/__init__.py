"""`pavescope benchmark`: methods x data sets x seeds, their tables, tests, plots and pictures.

Torch-free but for `engine.benchmarking.training`, which is imported only where a run is made.
"""
