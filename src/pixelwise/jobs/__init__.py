"""Jobs that train and score several models, or many images, one after the other."""
