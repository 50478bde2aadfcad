"""Convert a program of ``torch.export`` to LiteRT: ``python litert_convert.py PROGRAM.pt2 EXAMPLE.npy MODEL.tflite``."""

import sys

import litert_torch
import numpy as np
import torch

if __name__ == "__main__":
    program, example, target = sys.argv[1:]
    images = torch.from_numpy(np.load(example))
    litert_torch.convert(torch.export.load(program).module(), (images,)).export(target)
