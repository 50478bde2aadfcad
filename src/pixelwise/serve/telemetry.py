"""Numbers of a running server in Prometheus's text form: requests, errors, queue, batches, times, pixels, areas, the process.

No label comes from a request: models and classes are those announced, routes are templates, codes are our own. So the number
of series is bounded, whatever is sent. With several server processes, ``PROMETHEUS_MULTIPROC_DIR`` names a folder that they
share, as the Prometheus client has it; each then answers with the sum of all, and memory and CPU are the system's to tell.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelwise.core.errors import MissingExtra
from pixelwise.core.resources import resident_memory
from pixelwise.core.segmentation import Segmentation

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("decode", "wait", "predict", "encode")
MOST_CLASSES = 50  # of a model that have a series of their own; those after them are "other" together
_MOST_WORDS = 200  # of one kind of label that is not announced: routes, codes
_WORD = re.compile(r"[A-Za-z0-9_./{}:-]{1,80}")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_MANY_PROCESSES = "PROMETHEUS_MULTIPROC_DIR"


class Telemetry:
    """What a server counts; each method may be called from any thread."""

    def __init__(self) -> None:
        """Begin at zero.

        Raises:
            MissingExtra: prometheus-client is not installed.
        """
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise MissingExtra("prometheus-client", extra="serve", purpose="counting requests") from None
        self._registry = registry = prometheus.CollectorRegistry(auto_describe=True)
        self._classes: dict[str, frozenset[str]] = {}
        self._versions: set[tuple[str, str]] = set()
        self._words: dict[str, set[str]] = {}
        self._lock = threading.Lock()

        def counter(name: str, what: str, *labels: str) -> Any:
            return prometheus.Counter(f"pixelwise_{name}", what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str, across: Any = "livesum") -> Any:
            return prometheus.Gauge(f"pixelwise_{name}", what, labels, registry=registry, multiprocess_mode=across)

        def histogram(name: str, what: str, *labels: str, buckets: Sequence[float] = _SECONDS) -> Any:
            return prometheus.Histogram(f"pixelwise_{name}", what, labels, registry=registry, buckets=buckets)

        self._requests = counter("requests", "Requests answered", "route", "model", "version", "status")
        self._errors = counter("errors", "Requests refused or failed, by the code in the answer", "code")
        self._seconds = histogram("request_seconds", "Seconds from a request to the end of its answer", "route")
        self._stages = histogram("stage_seconds", "Seconds a request spent in one stage", "model", "stage")
        self._pixels = counter("pixels", "Pixels of images segmented", "model", "version")
        self._batches = histogram("batch_size", "Images in one call of a model", buckets=_SIZES)
        self._batch_pixels = counter("batch_pixels", "Pixels of images in calls of models")
        self._batch_seconds = histogram("batch_seconds", "Seconds one call of a model took")
        self._queued = gauge("queue_requests", "Requests that wait for a model")
        self._queued_pixels = gauge("queue_pixels", "Pixels of images that wait for a model")
        self._areas = prometheus.Summary(
            "pixelwise_area_share", "Share of an image's pixels under a class", ("model", "class"), registry=registry
        )
        self._models = gauge("model_info", "1 for each model served", "model", "version", "kind", "classes", across="max")
        if _MANY_PROCESSES not in os.environ:
            prometheus.ProcessCollector(registry=registry)
            prometheus.GCCollector(registry=registry)
            registry.register(_Workers())

    def announce(self, model: str, version: str, kind: str, classes: Sequence[str]) -> None:
        """Make a model known, before its first request: what is not announced is counted as ``other``."""
        with self._lock:
            self._classes[model] = self._classes.get(model, frozenset()) | frozenset(classes[:MOST_CLASSES])
            self._versions.add((model, version))
        self._models.labels(model, version, kind, str(len(classes))).set(1)

    def observe_request(
        self, model: str, version: str, status: int, seconds: float, route: str = "predict", code: str = ""
    ) -> None:
        """Count a request that was answered; ``code`` is that of the refusal, if it was refused."""
        route = self._bounded("route", route)
        self._requests.labels(route, *self._announced(model, version), str(status) if 100 <= status < 600 else "other").inc()
        self._seconds.labels(route).observe(max(seconds, 0.0))
        if code:
            self._errors.labels(self._bounded("code", code)).inc()

    def observe_stages(self, model: str, version: str, seconds: Mapping[str, float], pixels: int = 0) -> None:
        """Count the seconds that one image spent decoding, waiting, being predicted and encoded, and its pixels."""
        model, version = self._announced(model, version)
        for stage in STAGES:
            if stage in seconds:
                self._stages.labels(model, stage).observe(max(seconds[stage], 0.0))
        if pixels > 0:
            self._pixels.labels(model, version).inc(pixels)

    def observe_batch(self, size: int, pixels: int, seconds: float) -> None:
        """Count one call of a model with ``size`` images."""
        self._batches.observe(size)
        self._batch_pixels.inc(pixels)
        self._batch_seconds.observe(seconds)

    def observe_queue(self, requests: int, pixels: int) -> None:
        """State how much waits now."""
        self._queued.set(requests)
        self._queued_pixels.set(pixels)

    def observe_areas(self, model: str, areas: Mapping[str, float]) -> None:
        """Count the share of one image's pixels under each class: its mean over images shows when the input drifts."""
        known = self._classes.get(model)
        if known is None:
            return
        rest = [share for name, share in areas.items() if name not in known]
        for name, share in areas.items():
            if name in known:
                self._areas.labels(model, name).observe(share)
        if rest:
            self._areas.labels(model, "other").observe(sum(rest))

    def text(self) -> bytes:
        """Write all numbers in the text form that Prometheus reads (``MEDIA_TYPE``)."""
        from prometheus_client import generate_latest

        return generate_latest(self._summed())

    def close(self) -> None:
        """Take this process's gauges out of the sum of several processes; its counts stay, as they happened."""
        if folder := os.environ.get(_MANY_PROCESSES):
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(os.getpid(), folder)  # type: ignore[no-untyped-call]

    def _summed(self) -> "CollectorRegistry":
        if not (folder := os.environ.get(_MANY_PROCESSES)):
            return self._registry
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return together

    def _announced(self, model: str, version: str) -> tuple[str, str]:
        """Give a model and its version as labels; what was never announced, as a name that a client made up, is one series."""
        if not model:
            return "none", "none"
        return (model, version) if (model, version) in self._versions else ("other", "other")

    def _bounded(self, what: str, word: str) -> str:
        """Give a word as a label while there are few of its kind; words of odd form, and those that come too late, are one."""
        seen = self._words.setdefault(what, set())
        if word in seen:
            return word
        with self._lock:
            if len(seen) >= _MOST_WORDS or not _WORD.fullmatch(word):
                return "other"
            seen.add(word)
        return word


class _Workers:
    """The processes that decode images: how many there are and what they hold, which the server's own numbers leave out."""

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        held = [resident for process in children() if (resident := _resident(process)) > 0]
        yield GaugeMetricFamily("pixelwise_worker_processes", "Processes that decode images", value=len(held))
        yield GaugeMetricFamily("pixelwise_worker_memory_bytes", "Memory these processes hold", value=sum(held))
        yield GaugeMetricFamily(
            "pixelwise_memory_bytes", "Memory the server and they hold", value=resident_memory() + sum(held)
        )

    def describe(self) -> Iterable[Any]:
        return []


def children() -> list[int]:
    """List the processes that this one started and that still run, and theirs; none where the system does not say."""
    found: list[int] = []
    to_ask = [os.getpid()]
    while to_ask:
        process = to_ask.pop()
        for thread in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                to_ask += (more := [int(word) for word in thread.read_text().split()])
            except OSError:  # it ended meanwhile
                continue
            found += more
    return found


def _resident(process: int) -> int:
    """Give the bytes of memory a process holds; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def class_shares(segmentation: Segmentation) -> dict[str, float]:
    """Give the share of the pixels under each class that is there; shares of overlapping segments may pass 1 together.

    >>> from pixelwise.core.labels import LabelSet
    >>> one = Segmentation.from_class_map(np.array([[0, 1, 1, 1]]), LabelSet.of(["sky", "road"]))
    >>> class_shares(one)
    {'sky': 0.25, 'road': 0.75}
    """
    if segmentation.kind == "regions":
        return {}
    height, width = segmentation.size
    areas = np.bincount(segmentation.class_ids, segmentation.masks.areas(), len(segmentation.labels))
    names = segmentation.labels.names
    return {names[index]: float(areas[index] / max(height * width, 1)) for index in np.unique(segmentation.class_ids).tolist()}
