"""Rasters on the earth, or too large for memory, block by block."""
