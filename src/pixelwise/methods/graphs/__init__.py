"""Graphs of pixels or of regions, cut and merged."""
