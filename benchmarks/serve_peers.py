"""What ``benchmarks/serve.py`` compares with, each a process of its own; none of them imports pixelwise but ``graphs``.

- ``graphs RUN FOLDER``: writes the network as ``pixelwise export`` does it (bytes in, ids out) and as a textbook does it
  (normalised floats in, logits out), both for OpenVINO.
- ``bare GRAPH IMAGES``: the runtime alone on decoded images, with one setting of streams, threads and batch; nothing is served.
- ``plain GRAPH PORT``: FastAPI with what most examples do: decode, normalise in NumPy, run, argmax in NumPy, answer a PNG; in a
  coroutine, as tutorials have it (``async def``), or with ``--threaded`` in a handler that FastAPI gives to its threads. GRAPH
  may be a run folder: its network then runs in PyTorch, as it was trained.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def graphs(run: Path, folder: Path, size: int) -> None:
    """Write ``ours/`` and ``textbook.xml``."""
    export = ["export", str(run), "--to", "openvino", "--precision", "bf16", "--images", "8", "--out", str(folder / "ours")]
    subprocess.run([sys.executable, "-m", "pixelwise", *export], check=True, stdout=sys.stderr)

    import torch

    model = network_of(run)
    place = folder / "textbook.onnx"
    torch.onnx.export(model, (torch.zeros(1, 3, size, size),), place, dynamo=False, dynamic_axes={"values": {0: "n"}},
                      input_names=["values"], output_names=["logits"])  # fmt: skip
    openvino.save_model(openvino.convert_model(place), folder / "textbook.xml")


def network_of(run: Path) -> Any:
    """Load the network of a run as a textbook has it: normalised floats (N, 3, H, W) to logits (N, L, H, W)."""
    from torch import Tensor, nn

    from pixelwise.models import checkpoint

    class Logits(nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.network, self.head = model.network, model.head

        def forward(self, values: Tensor) -> Tensor:
            """Run network and head."""
            size = values.shape[-2:]
            logits = self.head(self.network(values), tuple(size), None).logits
            return nn.functional.interpolate(logits, size, mode="bilinear", align_corners=False)

    return Logits(checkpoint.load(run)).eval()


def bare(graph: Path, images: Path, streams: int, threads: int, batch: int, seconds: float) -> None:
    """Run the graph on decoded images for a while, as many calls at once as there are streams; print images a second."""
    options = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled = openvino.Core().compile_model(graph, "CPU", options)
    every = [np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]) for path in sorted(images.iterdir())]
    decoded = [np.stack(every[first : first + batch]) for first in range(0, len(every) - batch + 1, batch)]
    queue = openvino.AsyncInferQueue(compiled, streams)
    for image in decoded[: 4 * streams]:
        queue.start_async({0: image})
    queue.wait_all()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        queue.start_async({0: decoded[count % len(decoded)]})
        count += 1
    queue.wait_all()
    print(json.dumps({"rate": batch * count / (time.perf_counter() - begin)}))


class Textbook:
    """The steps of most examples around a session; any thread may take them."""

    def __init__(self, graph: Path) -> None:
        self._session = openvino.Core().compile_model(graph, "CPU")
        self._own = threading.local()  # a request of the runtime is one thread's

    def decode(self, content: bytes) -> np.ndarray:
        """Decode and normalise an image to (3, H, W)."""
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return ((image.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)

    def run(self, values: np.ndarray) -> np.ndarray:
        """Give the classes (N, H, W) of (N, 3, H, W)."""
        if not hasattr(self._own, "request"):
            self._own.request = self._session.create_infer_request()
        return self._own.request.infer({0: values})[0].argmax(1).astype(np.uint8)

    def encode(self, classes: np.ndarray) -> bytes:
        """Write a mask as PNG."""
        return cv2.imencode(".png", classes)[1].tobytes()


class Eager(Textbook):
    """The same steps around the network in PyTorch."""

    def __init__(self, run: Path) -> None:
        self._network = network_of(run)

    def run(self, values: np.ndarray) -> np.ndarray:
        """Give the classes (N, H, W) of (N, 3, H, W)."""
        import torch

        with torch.inference_mode():
            return self._network(torch.from_numpy(values)).argmax(1).to(torch.uint8).numpy()


def textbook_of(graph: Path) -> Textbook:
    """Give the steps around a graph, or around the network of a run folder."""
    return Eager(graph) if graph.is_dir() else Textbook(graph)


def plain(graph: Path, port: int, threaded: bool) -> None:
    """Serve with FastAPI."""
    import uvicorn
    from fastapi import Body, FastAPI, Request, Response

    app, textbook = FastAPI(), textbook_of(graph)

    def answer(content: bytes) -> Response:
        classes = textbook.run(textbook.decode(content)[None])[0]
        return Response(textbook.encode(classes), media_type="image/png")

    async def in_coroutine(request: Request) -> Response:
        return answer(await request.body())

    def in_thread(content: bytes = Body(media_type="image/jpeg")) -> Response:
        return answer(content)

    app.post("/predict")(in_thread if threaded else in_coroutine)
    uvicorn.run(app, port=port, log_level="warning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["graphs", "bare", "plain"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target")
    for name, default in (("size", 512), ("streams", 1), ("threads", 1), ("batch", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threaded", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    if given.what == "graphs":
        graphs(given.source, Path(given.target), given.size)
    elif given.what == "bare":
        bare(given.source, Path(given.target), given.streams, given.threads, given.batch, given.seconds)
    else:
        plain(given.source, int(given.target), given.threaded)


if __name__ == "__main__":
    main()
