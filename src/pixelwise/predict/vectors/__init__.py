"""Polygons of a raster of ids, traced and simplified in bands of rows."""
