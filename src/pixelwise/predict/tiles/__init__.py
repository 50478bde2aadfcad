"""Tiles: how images too large for one pass are cut, and put together again."""
