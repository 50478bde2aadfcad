"""Export: a trained network as a file of another runtime, with all that belongs to it inside."""

from pixelwise.catalog import Catalog

EXPORTERS = Catalog(
    "exporter",
    {
        "coreml": "pixelwise.export.coreml",
        "executorch": "pixelwise.export.executorch",
        "litert": "pixelwise.export.litert",
        "onnx": "pixelwise.export.onnx",
        "openvino": "pixelwise.export.openvino",
        "savedmodel": "pixelwise.export.savedmodel",
        "torch_export": "pixelwise.export.torch_export",
        "torchscript": "pixelwise.export.torchscript",
        "triton": "pixelwise.export.triton",
    },
)
