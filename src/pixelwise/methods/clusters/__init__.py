"""Clusters of pixels that are alike in colour, texture and place.

What a pixel is described by is told by ``features``, alike for all methods. How they get along with millions of pixels:

- ``points``: k-means, mini-batch k-means, Gaussian mixture, mean shift and fuzzy c-means find their clusters on the distinct
  colours of the image with their counts, or on a sample of its pixels, and then every pixel takes the cluster that fits it;
- ``pieces``: DBSCAN, Ward's tree and spectral clustering join superpixels.

``number`` chooses how many clusters there are where nobody says.
"""
