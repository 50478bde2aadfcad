"""What the server says when it does not give a mask: a status, a stable code and one plain sentence."""

from typing import Any

from pixelwise.core.errors import PixelwiseError


class Refusal(PixelwiseError):
    """Report a request that is not met.

    Attributes:
        status: the one of HTTP that says it; transports without statuses map it as they can.
        code: a word for programs, which stays as it is when the sentence is put better.
        message: one sentence for people; no path of this machine and no trace stands in it.
        retry_after: seconds after which to try again, where that would help.

    >>> Refusal(404, "unknown_model", "no model is called 'unett'; did you mean 'unet'?").as_json()
    {'error': {'code': 'unknown_model', 'message': "no model is called 'unett'; did you mean 'unet'?"}}
    """

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:  # an exception is rebuilt from its message alone otherwise
        return type(self), (self.status, self.code, self.message, self.retry_after)

    def as_json(self) -> dict[str, Any]:
        """Write as the body of an answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"error": error}
