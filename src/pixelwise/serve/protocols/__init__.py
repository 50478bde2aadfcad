"""Speak the protocols of other servers, so that their clients and platforms work unchanged: one file a protocol.

Each has ``router(service, options)``, which ``http.app`` includes. What a request says becomes images and ``Wishes``; the
service does the rest. Images are bytes of a file or an array; nothing is ever unpickled.
"""
