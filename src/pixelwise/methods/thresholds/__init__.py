"""Thresholds: which grey levels are foreground."""
