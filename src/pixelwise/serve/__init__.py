"""Answer requests for masks over HTTP: a queue bounded by pixels, batches, decoding in processes of its own, telemetry.

``service.Service`` knows nothing of HTTP; ``http``, ``protocols`` and ``handlers`` all call it.
"""
