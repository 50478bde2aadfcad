"""Answer the calls of cloud functions with the application that the server runs, without a socket: one file a cloud.

The environment says what is served: ``PIXELWISE_MODEL`` is what ``pixelwise serve`` takes, several with spaces between;
``PIXELWISE_TOKEN_FILE`` is a file of tokens.
"""
