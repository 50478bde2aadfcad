"""The ground floor: the types every other folder speaks in, and the doors (files, images, options) they come through."""
