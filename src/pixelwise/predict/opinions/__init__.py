"""Several opinions of one image, from views or models, put together."""
