"""What is counted is counted under bounded names, and read by Prometheus's own parser."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from pixelwise.serve.telemetry import MOST_CLASSES, Telemetry, children, class_shares


@pytest.fixture
def telemetry() -> Telemetry:
    one = Telemetry()
    one.announce("streets", "2", "semantic", ["sky", "road"])
    return one


def samples(telemetry: Telemetry, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Read the samples of one name: labels -> value."""
    families = text_string_to_metric_families(telemetry.text().decode())
    found = [one for family in families for one in family.samples if one.name == name]
    return {tuple(sorted(one.labels.items())): one.value for one in found}


def test_a_request_counts_by_route_model_version_and_status(telemetry: Telemetry) -> None:
    telemetry.observe_request("streets", "2", 200, 0.04, "/v1/predict")
    telemetry.observe_request("streets", "2", 200, 0.06, "/v1/predict")
    assert samples(telemetry, "pixelwise_requests_total") == {
        (("model", "streets"), ("route", "/v1/predict"), ("status", "200"), ("version", "2")): 2
    }
    assert samples(telemetry, "pixelwise_request_seconds_sum") == {(("route", "/v1/predict"),): pytest.approx(0.1)}


def test_a_refusal_counts_by_its_code(telemetry: Telemetry) -> None:
    telemetry.observe_request("", "", 413, 0.0, "/v1/predict", "too_large")
    assert samples(telemetry, "pixelwise_errors_total") == {(("code", "too_large"),): 1}


def test_names_that_clients_make_up_are_one_series(telemetry: Telemetry) -> None:
    for number in range(50):
        telemetry.observe_request(f"evil{number}", "1", 404, 0.0)
        telemetry.observe_stages(f"evil{number}", "1", {"decode": 0.1}, 10)
        telemetry.observe_areas(f"evil{number}", {"sky": 1.0})
    assert [dict(labels)["model"] for labels in samples(telemetry, "pixelwise_requests_total")] == ["other"]
    assert samples(telemetry, "pixelwise_area_share_count") == {}


def test_codes_and_routes_are_bounded_in_number_and_form(telemetry: Telemetry) -> None:
    for number in range(1000):
        telemetry.observe_request("", "", 400, 0.0, "/v1/predict", f"code_{number}")
    telemetry.observe_request("", "", 400, 0.0, 'x"} 1\nfake_total 9', "bad\ncode")
    assert len(samples(telemetry, "pixelwise_errors_total")) <= 201
    assert samples(telemetry, "fake_total") == {}


def test_classes_past_the_first_count_together(telemetry: Telemetry) -> None:
    names = [f"class{number}" for number in range(MOST_CLASSES + 3)]
    telemetry.announce("many", "1", "semantic", names)
    telemetry.observe_areas("many", {names[0]: 0.25, names[-1]: 0.5, names[-2]: 0.125})
    assert samples(telemetry, "pixelwise_area_share_sum") == {
        (("class", names[0]), ("model", "many")): 0.25,
        (("class", "other"), ("model", "many")): 0.625,
    }


def test_batches_the_queue_and_the_stages_are_told(telemetry: Telemetry) -> None:
    telemetry.observe_batch(3, 3000, 0.2)
    telemetry.observe_queue(5, 5000)
    telemetry.observe_stages("streets", "2", {"decode": 0.01, "wait": 0.02, "predict": 0.03, "unknown": 1.0}, 640 * 480)
    assert samples(telemetry, "pixelwise_batch_size_sum") == {(): 3}
    assert samples(telemetry, "pixelwise_queue_pixels") == {(): 5000}
    assert {dict(labels)["stage"] for labels in samples(telemetry, "pixelwise_stage_seconds_sum")} == {
        "decode",
        "wait",
        "predict",
    }
    assert list(samples(telemetry, "pixelwise_pixels_total").values()) == [640 * 480]


def test_the_models_and_the_process_are_described(telemetry: Telemetry) -> None:
    (labels,) = samples(telemetry, "pixelwise_model_info")
    assert dict(labels) == {"model": "streets", "version": "2", "kind": "semantic", "classes": "2"}
    assert samples(telemetry, "pixelwise_memory_bytes")[()] > 2**20
    assert samples(telemetry, "process_cpu_seconds_total")[()] > 0


def test_every_alert_is_about_a_number_that_there_is(telemetry: Telemetry) -> None:
    rules = (Path(__file__).parents[2] / "deploy" / "alerts.yml").read_text("utf-8")
    asked = set(re.findall(r"\bpixelwise_\w+", rules))
    told = set(re.findall(r"^# TYPE (\w+)", telemetry.text().decode(), re.MULTILINE))
    assert asked
    assert {name for name in asked if name.removesuffix("_bucket") not in told} == set()


def test_two_servers_in_one_process_do_not_share_numbers(telemetry: Telemetry) -> None:
    telemetry.observe_batch(1, 1, 0.1)
    assert samples(Telemetry(), "pixelwise_batch_size_count") == {(): 0}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list children")
def test_processes_that_were_started_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children()
    assert child.pid not in children()


def test_several_processes_answer_with_their_sum(tmp_path: Path) -> None:
    program = (
        "from pixelwise.serve.telemetry import Telemetry; t = Telemetry(); t.announce('m', '1', 'semantic', ['a']);"
        "t.observe_batch(2, 10, 0.1); t.observe_request('m', '1', 200, 0.1); print(t.text().decode()); t.close()"
    )
    told = ""
    for _ in range(2):
        told = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = {one.name: one.value for family in text_string_to_metric_families(told) for one in family.samples}
    assert found["pixelwise_batch_size_sum"] == 4
    assert found["pixelwise_requests_total"] == 2
    assert found["pixelwise_model_info"] == 1


def test_regions_have_no_class_to_tell_the_area_of() -> None:
    ids = np.array([[1, 2]])
    regions = Segmentation.from_masks("regions", np.stack([ids == 1, ids == 2]), [0, 0], LabelSet.of(["region"]))
    assert class_shares(regions) == {}
