"""Edges: where the image changes, closed into regions, and contours that settle on them."""
