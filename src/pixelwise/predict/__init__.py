"""Run a predictor over images and folders."""
