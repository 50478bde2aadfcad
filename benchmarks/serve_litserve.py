"""LitServe with the steps of most examples, for ``benchmarks/serve.py``; run by a Python that has it.

GRAPH may be a run folder, as in ``serve_peers.py``; that Python then needs pixelwise as well.

Run: python benchmarks/serve_litserve.py GRAPH PORT [--batch 8] [--workers 1]
"""

import argparse
from pathlib import Path
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body, Response
from serve_peers import textbook_of


class Api(litserve.LitAPI):
    """Decode, normalise, run in batches, answer a PNG."""

    graph: Path

    def setup(self, device: str) -> None:
        """Load the network in a process of LitServe's."""
        self.textbook = textbook_of(self.graph)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> np.ndarray:
        """Decode and normalise an image to (3, H, W)."""
        return self.textbook.decode(request)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Stack images."""
        return np.stack(inputs)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Give the classes of a batch, or of one image where there are no batches."""
        return self.textbook.run(values) if values.ndim == 4 else self.textbook.run(values[None])[0]

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        """Take a batch apart."""
        return list(output)

    def encode_response(self, output: np.ndarray) -> Response:
        """Write a mask as PNG."""
        return Response(self.textbook.encode(output), media_type="image/png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    api = Api(max_batch_size=given.batch, batch_timeout=0.01)
    api.graph = given.graph
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=given.workers)
    server.run(port=given.port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
