"""What opens an exported file: one module a runtime, by the file's ending."""

from pixelwise.catalog import Catalog

SESSIONS = Catalog(
    "runtime",
    {
        ".mlpackage": "pixelwise.export.sessions.coreml",
        ".onnx": "pixelwise.export.sessions.onnxruntime",
        ".pt2": "pixelwise.export.sessions.torch_export",
        ".pte": "pixelwise.export.sessions.executorch",
        ".savedmodel": "pixelwise.export.sessions.savedmodel",
        ".tflite": "pixelwise.export.sessions.litert",
        ".torchscript": "pixelwise.export.sessions.torchscript",
        ".triton": "pixelwise.export.sessions.triton",
        ".xml": "pixelwise.export.sessions.openvino",
    },
)
