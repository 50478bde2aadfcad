"""Clusters of pixels that are alike in colour, texture and place."""
