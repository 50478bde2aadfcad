"""Videos that are read frame by frame."""
