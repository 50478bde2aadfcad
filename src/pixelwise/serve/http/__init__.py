"""The service over HTTP: the application, its routes, and the connections it is reached by."""
