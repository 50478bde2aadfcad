"""Heads: a loss, and a reduction of raw output, for each kind of raw output."""
