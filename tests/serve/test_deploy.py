"""What stands in ``deploy/`` and in ``requirements-runtime.txt`` fits the project it deploys."""

import base64
import importlib.util
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Request
from pixelwise.load import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted(DEPLOY.glob("Dockerfile*"))
TORCH = ("torch", "torchvision", "timm", "segmentation_models_pytorch", "transformers", "lightning")
IMAGE = base64.b64decode(json.loads((Path(__file__).parent / "events" / "lambda_url.json").read_text("utf-8"))["body"])
FOUND = [[0, 0, 0, 1, 1, 1]] * 4
ABSENT = (*TORCH, "skimage", "sklearn", "matplotlib", "jinja2", "tensorboard", "hotcoco", "pandas")


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_check", DEPLOY / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def requirements() -> dict[str, str]:
    """Read requirements-runtime.txt: name -> which versions."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements-runtime.txt").read_text("utf-8").splitlines())
    return {found[1]: found[2] for line in lines if (found := re.fullmatch(r"([\w-]+)(.*)", line))}


def test_the_runtime_list_asks_for_the_versions_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    stated = {found[1]: found[2] for each in lists for one in each if (found := re.fullmatch(r"([\w-]+)(.*)", one))}
    assert {name: stated[name] for name in requirements() if name in stated} == {
        name: versions for name, versions in requirements().items() if name in stated
    }


def test_the_runtime_list_has_no_torch() -> None:
    assert not {name.replace("-", "_") for name in requirements()} & set(ABSENT)


def test_exported_files_run_and_are_served_with_what_the_runtime_list_has(tmp_path: Path) -> None:
    for package in ("fastapi", "onnxruntime"):
        pytest.importorskip(package)
    model = exported(tmp_path / "bright.onnx")
    (tmp_path / "image.png").write_bytes(IMAGE)
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(f"""
            import importlib, pkgutil, sys

            class Absent:
                def find_spec(self, name, path=None, target=None):
                    if name.partition(".")[0] in {ABSENT!r}:
                        raise ModuleNotFoundError(name + " is no part of the runtime", name=name)

            sys.meta_path.insert(0, Absent())
            import pixelwise as pw
            import pixelwise.serve
            from pixelwise.cli import main

            for one in pkgutil.walk_packages(pixelwise.serve.__path__, "pixelwise.serve."):
                importlib.import_module(one.name)
            image, out, model = "{tmp_path}/image.png", "{tmp_path}/out", "{model}"
            assert pw.load("otsu")([pw.read_image(image)])[0].class_map().tolist() == {FOUND}
            assert pw.load(model)([pw.read_image(image)])[0].class_map().tolist() == {FOUND}
            assert main(["predict", model, image, "--out", out, "--overlay", "--tile", "64,64"]) == 0
            assert main(["show", "unet"]) == 2
        """),
        "utf-8",
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "error: this needs torch, which is not installed" in done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_copy_what_is_there_and_run_as_nobody(dockerfile: Path, check: ModuleType) -> None:
    found = list(check.instructions(dockerfile.read_text("utf-8")))
    assert (found[0][0], found[-1][0]) == ("FROM", "CMD")
    for name, words in found:
        if name == "COPY":
            assert all((ROOT / source).exists() or source == "models" for source in words.split()[:-1]), words
    if "lambda" not in dockerfile.name:  # there the platform brings a user of its own
        assert dict(found)["USER"] == "10001:10001"
        assert "/readyz" in dict(found)["HEALTHCHECK"]


def test_lambdas_command_is_a_function_that_is_there(check: ModuleType) -> None:
    pytest.importorskip("fastapi")
    command = dict(check.instructions((DEPLOY / "Dockerfile.lambda").read_text("utf-8")))["CMD"]
    module, _, function = command.strip('[]"').rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_check_refuses_what_it_does_not_know(check: ModuleType) -> None:
    with pytest.raises(check.Failed, match="ONBUILD"):
        list(check.instructions("FROM a\nONBUILD RUN b"))


def test_the_check_skips_the_systems_packages_and_says_so(check: ModuleType, tmp_path: Path) -> None:
    image = check.Image(tmp_path)
    assert check._run(image, "apt-get update && apt-get install -y x && echo made > here") == "skipped: apt-get, apt-get"
    assert (tmp_path / "here").read_text() == "made\n"
    with pytest.raises(check.Failed, match="exit code 3"):
        check._run(image, "exit 3")
    with pytest.raises(check.Failed, match="root"):
        check._user(image, "root")


def read(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def test_compose_starts_what_is_there(check: ModuleType) -> None:
    (compose,) = read("compose.yaml")
    server, prometheus = compose["services"]["pixelwise"], compose["services"]["prometheus"]
    assert (DEPLOY / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    assert server["read_only"]
    mounted = [one.split(":")[0] for one in prometheus["volumes"] if one.startswith("./")]
    assert all((DEPLOY / one).is_file() for one in mounted)
    (scraped,) = read("prometheus.yml")
    assert scraped["scrape_configs"][0]["metrics_path"] == "/metrics"
    assert scraped["scrape_configs"][0]["static_configs"][0]["targets"] == ["pixelwise:8000"]


def test_alerts_are_about_numbers_that_the_server_has() -> None:
    pytest.importorskip("prometheus_client")
    from pixelwise.serve.telemetry import Telemetry

    telemetry = Telemetry()
    telemetry.observe_request("none", "none", 200, 0.1, "/v1/predict", "")
    known = set(re.findall(r"^([a-z_]+)", telemetry.text().decode(), re.MULTILINE))
    (alerts,) = read("alerts.yml")
    rules = alerts["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"\b(?:pixelwise|process)_\w+", rule["expr"])}
    assert named
    assert named <= known


def test_kubernetes_waits_as_long_as_the_server_drains() -> None:
    from pixelwise.serve.options import ServeOptions

    (deployment, service, _) = read("kubernetes.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    options = ServeOptions()
    assert pod["terminationGracePeriodSeconds"] > before + options.grace_seconds + options.drain_seconds
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]


def exported(path: Path) -> Path:
    """Write an ONNX file as ``pixelwise export`` does, of a network that calls a pixel bright from 128 up."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from pixelwise.core.card import Card
    from pixelwise.core.labels import LabelSet
    from pixelwise.decode.decoders import Decoder
    from pixelwise.export.sheet import KEY, Sheet

    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "bands"], ["grey"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["grey", "level"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["classes"], to=TensorProto.UINT8),
        helper.make_node("Div", ["grey", "white"], ["confidence"]),
    ]
    numbers = {"level": 128.0, "white": 255.0}
    stored = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in numbers.items()]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])],
        [
            helper.make_tensor_value_info("classes", TensorProto.UINT8, ["n", "h", "w"]),
            helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["n", "h", "w"]),
        ],
        [helper.make_tensor("bands", TensorProto.INT64, [1], [3]), *stored],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    card = Card("bright", "semantic", LabelSet.of(["dark", "bright"]))
    sheet = Sheet(card, Decoder("pixel"), ("classes", "confidence"))
    helper.set_model_props(model, {KEY: sheet.to_text()})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("depth", "request_"), [(np.uint16, Request()), (np.uint8, Request(threshold=0.3))])
def test_what_an_exported_model_refuses_does_not_tell_where_its_file_is(
    depth: type[np.generic], request_: Request, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    model = load(exported(tmp_path / "bright.onnx"))
    with pytest.raises((DataError, OptionError), match=r"^bright\.onnx: "):  # a server passes these on to its clients
        model([Image(np.zeros((4, 6, 3), depth))], request_)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.lambda"])
def test_an_images_lines_give_a_server_without_torch_that_segments_by_an_exported_network(name: str, tmp_path: Path) -> None:
    command = [sys.executable, DEPLOY / "check.py", DEPLOY / name, "--model", exported(tmp_path / "bright.onnx")]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    installed = re.search(r"^installed +(\d+) MB, without torch$", done.stdout, re.MULTILINE)
    assert installed is not None
    assert int(installed[1]) < 500
