"""Answer with what a model gives for images: ``python answer.py RUNTIME MODEL THREADS``, for as long as images come.

Each message on the standard input is 8 bytes, its length, and an ``.npy`` file with images. Each answer is a byte (1 for good,
0 for an error in words), 8 bytes, its length, and an ``.npz`` file with the arrays under 0, 1, 2 …; the first answer comes
before any image: it has no arrays, and says that the model is open.
"""

import importlib
import io
import os
import struct
import sys

import numpy as np


def serve(runtime: str, model: str, threads: int) -> None:
    """Open a model and answer until the input ends."""
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a runtime prints must not come between the answers

    def say(good: bool, content: bytes) -> None:
        answers.write(struct.pack("<BQ", good, len(content)) + content)
        answers.flush()

    try:
        run = importlib.import_module(runtime).opened(model, threads)
        say(True, b"")
        while head := given.read(8):
            images = np.load(io.BytesIO(given.read(struct.unpack("<Q", head)[0])), allow_pickle=False)
            written = io.BytesIO()
            np.savez(written, *run(images))
            say(True, written.getvalue())
    except Exception as error:  # whatever it is, the one who waits must be told
        say(False, f"{type(error).__name__}: {error}".encode())
        sys.exit(1)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
