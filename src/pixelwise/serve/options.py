"""How a server runs: its address, its limits and its times."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.serve.headers import checked_hosts, checked_origins

_ABOVE_ZERO = (
    "max_pixels", "max_bytes", "queue_pixels", "queue_seconds", "upload_bytes", "deadline", "header_seconds",
    "body_seconds", "write_seconds", "idle_seconds", "decode_seconds", "decode_bytes", "connections", "log_days",
)  # fmt: skip
_FROM_ZERO = ("batch", "workers", "decoders", "batch_wait", "grace_seconds", "drain_seconds")


@dataclass(frozen=True)
class ServeOptions:
    """What a server allows and waits for.

    Attributes:
        host, port: where it listens; port 0 takes a free one.
        workers: calls of models that run at once; 0 chooses by the models and the cores.
        decoders: processes that decode images; 0 chooses by the cores.
        device, precision: of networks, as ``pixelwise.load`` takes them.
        max_pixels: of an image; a larger one is refused by its header (413).
        max_bytes: of a request's body; a larger one is refused before it is read to its end (413).
        queue_pixels: of all images that wait or are in work; what does not fit is refused (429).
        queue_seconds: a request that would wait longer than this, at the speed measured, is refused (429).
        batch: images that share a call at most, of equal size and equal wishes; 0 chooses by the models.
        batch_wait: seconds that a request waits for others on their way to share its call; one that is alone never waits.
        deadline: seconds from a request's arrival to its answer (504).
        header_seconds, body_seconds: a client may take to send (408).
        write_seconds: a client may take to read on, before it is cut off.
        idle_seconds: a connection without a request is kept.
        connections: that may be open.
        decode_seconds, decode_bytes: of processor time and of memory that decoding an image may take.
        grace_seconds: after the signal to stop, the server is no longer ready and still answers.
        drain_seconds: after that, what is under way may take.
        token_file: with a token a line; None lets everybody in.
        metrics_open: whether ``/metrics`` is read without a token.
        hosts: names under which the server answers; none of them means any.
        cors_origins: web pages of which addresses may call; none.
        allow_urls: whether a request may name an address that the server fetches the image from.
        log_images: a folder to keep images in, with the share of them that is kept and for how many days.
        has_page: whether there is a page at ``/``.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 0
    decoders: int = 0
    device: str = "auto"
    precision: str = "auto"
    max_pixels: int = 25_000_000
    max_bytes: int = 32 * 2**20
    queue_pixels: int = 100_000_000
    queue_seconds: float = 10.0
    upload_bytes: int = 256 * 2**20
    batch: int = 0
    batch_wait: float = 0.005
    deadline: float = 60.0
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    idle_seconds: float = 30.0
    connections: int = 1000
    decode_seconds: float = 10.0
    decode_bytes: int = 2 * 2**30
    grace_seconds: float = 2.0
    drain_seconds: float = 30.0
    token_file: Path | None = None
    metrics_open: bool = False
    hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allow_urls: bool = False
    log_images: Path | None = None
    log_share: float = 0.01
    log_days: float = 7.0
    has_page: bool = True

    def __post_init__(self) -> None:
        for name in _ABOVE_ZERO:
            if not 0 < getattr(self, name) < float("inf"):
                raise OptionError(f"{_said(name)} must be a number above 0, got {getattr(self, name)}")
        for name in _FROM_ZERO:
            if not 0 <= getattr(self, name) < float("inf"):
                raise OptionError(f"{_said(name)} must be a number from 0 up, got {getattr(self, name)}")
        if not 0 <= self.port <= 65535:
            raise OptionError(f"the port must lie between 0 and 65535, got {self.port}")
        if not 0 <= self.log_share <= 1:
            raise OptionError(f"the share of images that is kept must lie between 0 and 1, got {self.log_share}")
        if self.queue_pixels < self.max_pixels:
            raise OptionError(
                f"a queue of {self.queue_pixels:,} pixels has no room for one image of {self.max_pixels:,}; raise "
                f"--queue-pixels or lower --max-pixels"
            )
        if self.upload_bytes < self.max_bytes:
            raise OptionError(
                f"--upload-bytes {self.upload_bytes:,} leaves no room for one request of {self.max_bytes:,}; raise it or lower "
                f"--max-bytes"
            )
        checked_origins(self.cors_origins)
        checked_hosts(self.hosts)

    @property
    def decoder_count(self) -> int:
        """The processes that decode: as many as cores, and at most eight, unless stated."""
        return self.decoders or min(usable_cores(), 8)


def _said(name: str) -> str:
    """Write an option as the command line has it."""
    return "--" + name.replace("_", "-")
