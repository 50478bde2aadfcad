"""The server keeps to its own OpenAPI description, whatever requests that description allows or forbids."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from real_server import Running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

pytestmark = pytest.mark.slow
# no schema can say which bytes are an image; and 503 and 504 are said on purpose, and are in the description
NOT_ASKED = [positive_data_acceptance, not_a_server_error]
DELIBERATE = {503, 504}
KNOWN = {"name": "otsu", "model": "otsu", "version": "1"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = Running(tmp_path_factory.mktemp("server"))
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    assert server.predict() == 200
    server.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "against it"])
def test_answers_are_as_the_description_says(described: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=mode), is_known=booleans())
        @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        def asked(case: Any, is_known: bool) -> None:
            if is_known:  # names made up at random are of no model
                case.path_parameters |= {name: KNOWN[name] for name in case.path_parameters if name in KNOWN}
            answer = case.call()
            assert answer.status_code < 500 or answer.status_code in DELIBERATE, answer.text
            case.validate_response(answer, excluded_checks=NOT_ASKED)

        with contextlib.suppress(Unsatisfiable):  # anything goes: a name, or the bytes of a body
            asked()
