"""The engine: training, evaluation, checkpoints, inference and exporting."""
