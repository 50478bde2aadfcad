"""Core ML (``.mlpackage``): for Apple's machines; of one size, one image at a time.

coremltools converts anywhere and runs on macOS alone. Where it cannot run, what it wrote is read again and checked: the input,
the outputs, and that the normalisation's numbers stand in the program; the proof on images is that of the ONNX file of the
same graph, and the sheet and the proof say so.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.errors import ExportError, MissingExtra, first_line
from pixelwise.core.files import make_folder
from pixelwise.core.image import RGB
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.one_size import with_one_size
from pixelwise.export.program import program, silence
from pixelwise.export.savedmodel import replace_folder
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".mlpackage"
PRECISIONS = ("fp32", "fp16")
TWIN = "onnx"  # the target whose file is proved in this one's stead where nothing here can run this one
UNSEEN = "made on a machine without Core ML: input, outputs and normalisation were checked; what ran is the same graph in ONNX"


class _Planes(nn.Module):
    """The graph as Core ML feeds it: pixels (1, 3, H, W) from 0 to 255 in, class numbers as 32-bit integers out."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.inside = graph

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.inside((image / 255).permute(0, 2, 3, 1))
        return tuple(part if part.is_floating_point() else part.to(torch.int32) for part in found)


def export(graph: Graph, sheet: Sheet, path: Path) -> Sheet:
    """Write a graph to the folder ``path``; give the sheet that lies inside.

    Raises:
        ExportError: torch or coremltools cannot turn the network into a program, or it is not for images of red, green, blue.
        MissingExtra: coremltools is not installed.
    """
    if sheet.card.bands != RGB:
        raise ExportError(
            f"Core ML takes images of red, green and blue here; this model's bands are {', '.join(sheet.card.bands)}"
        )
    sheet = with_one_size(replace(sheet, input=replace(sheet.input, batch=1, values="uint8")))
    with silence():
        tools = coreml_module("exporting to Core ML")
        made = {**sheet.made, **versions(torch=torch, coremltools=tools)}
        sheet = replace(sheet, made=made if runs_here() else {**made, "proof": UNSEEN})
        model = _converted(tools, graph, sheet)
    model.user_defined_metadata[KEY] = sheet.to_text()
    model.short_description = f"{sheet.card.name}: {sheet.card.kind} segmentation of {len(sheet.card.labels)} classes"
    make_folder(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder, silence():
        unfinished = Path(folder) / f"model{SUFFIX}"
        model.save(str(unfinished))
        check(unfinished, sheet)
        replace_folder(unfinished, path)
    return sheet


def runs_here() -> bool:
    """Tell whether this machine can run what it made."""
    return sys.platform == "darwin"


def _converted(tools: Any, graph: Graph, sheet: Sheet) -> Any:
    height, width = sheet.input.size or (0, 0)
    example = torch.zeros(1, 3, height, width)
    precision = tools.precision.FLOAT16 if sheet.precision == "fp16" else tools.precision.FLOAT32
    try:
        with torch.no_grad():
            recorded = program(_Planes(graph), example, sheet.card.name).run_decompositions({})
        _say_strides(recorded)
        return tools.convert(
            recorded,
            inputs=[tools.ImageType(name=sheet.input.name, shape=tuple(example.shape), color_layout=tools.colorlayout.RGB)],
            outputs=[tools.TensorType(name=name) for name in sheet.outputs],
            minimum_deployment_target=tools.target.iOS16,
            compute_precision=precision,
        )
    except Exception as error:  # its passes raise anything
        raise ExportError(f"Core ML cannot take the graph of '{sheet.card.name}': {first_line(error)}") from error


def _say_strides(program: Any) -> None:
    """Write out, in place, the stride of pools that have their kernel's: coremltools does not know that it may be left out."""
    for node in program.graph.nodes:
        if "max_pool2d" in str(node.target) and len(node.args) == 2:
            node.args = (*node.args, node.args[1])


def check(path: Path, sheet: Sheet) -> None:
    """Check what was written against its sheet: the input, the outputs, the normalisation's numbers, the sheet itself.

    Raises:
        ExportError: one of them is not as it should be.
    """
    tools = coreml_module("checking a Core ML program")
    model = tools.models.MLModel(str(path), skip_model_load=True)
    spec = model.get_spec()
    (given,), named = spec.description.input, tuple(one.name for one in spec.description.output)
    shape = given.type.imageType
    is_colour = shape.colorSpace == tools.proto.FeatureTypes_pb2.ImageFeatureType.RGB
    found = (given.name, (shape.height, shape.width), is_colour, named)
    wanted = (sheet.input.name, sheet.input.size, True, sheet.outputs)
    if found != wanted:
        raise ExportError(f"the Core ML program should have had (input, size, is RGB, outputs) {wanted}, and has {found}")
    numbers = _numbers(model, tools)
    for what, values in (("mean", sheet.card.mean), ("deviation", sheet.card.deviation)):
        forms = (values, [1 / value for value in values if value])  # dividing may have become multiplying
        if not any(_holds(numbers, form) for form in forms):
            raise ExportError(f"the Core ML program does not hold the normalisation's {what} {list(values)}")
    if spec.description.metadata.userDefined[KEY] != sheet.to_text():
        raise ExportError("the Core ML program does not hold its description")


def _numbers(model: Any, tools: Any) -> list[list[float]]:
    """Give the small constants of a program."""
    program = model._mil_program
    if program is None:  # read from a file
        program = tools.converters.mil.frontend.milproto.load.load(
            model.get_spec(), model.get_spec().specificationVersion, model.weights_dir
        )
    constants = (one.outputs[0].val for one in program.functions["main"].operations if one.op_type == "const")
    return [value.ravel().tolist() for value in constants if getattr(value, "size", 0) in (1, 3)]


def _holds(numbers: list[list[float]], wanted: Any) -> bool:
    wanted = list(wanted)
    forms = (wanted, wanted[:1]) if len(set(wanted)) == 1 else (wanted,)
    near = [abs(number) * 2e-3 for number in wanted]  # 16 bits keep three digits
    return any(
        len(one) == len(form) and all(abs(a - b) <= off for a, b, off in zip(one, form, near, strict=False))
        for one in numbers
        for form in forms
    )


def coreml_module(purpose: str) -> Any:
    """Import coremltools.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import coremltools
    except ImportError:
        raise MissingExtra("coremltools", extra="coreml", purpose=purpose) from None
    return coremltools
