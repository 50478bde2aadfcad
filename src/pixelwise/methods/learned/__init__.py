"""Methods that learn from labelled images or strokes."""
