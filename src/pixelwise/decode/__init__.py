"""From what a network puts out to segmentations, in NumPy alone: one file a kind of raw output."""
