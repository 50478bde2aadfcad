"""Regions: grown from seeds, flooded, split and merged."""
