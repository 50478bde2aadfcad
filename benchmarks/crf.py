"""Time the dense CRF against pydensecrf2, the authors' C++ program in Python's hands: 360 x 480 pixels, 11 classes, 10 rounds.

Both get the same drawn scene, the same probabilities and the same widths and weights, on one thread, turn by turn; medians of
processor time are compared, which a busy machine does not stretch. ``pydensecrf2`` has no wheels: ``pip install pydensecrf2``
builds it where a C++ compiler is, and without it our own time alone is told. How many labels are equal is told too.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.image import read_image
from pixelwise.refine.meanfield import Pull, mean_field
from pixelwise.scenes import scenes

SIZE, CLASSES, ROUNDS = (360, 480), 11, 10
PULLS = {
    "the authors' widths": Pull(10, 80, 13, 3, 3),
    "narrow": Pull(10, 40, 6, 3, 3),
    "our defaults": Pull(4, 10, 6, 0, 2),
}


def given(photo: Path | None) -> tuple[FloatArray, FloatArray]:
    """Make blurred and noisy probabilities (L, H, W) of a scene, and its colours (H, W, 3), or those of a photo."""
    sample = scenes(1, size=SIZE, seed=0)[0]
    classes = np.minimum(sample.truth.semantic().class_map(), CLASSES - 1)
    hot = cv2.GaussianBlur(np.eye(CLASSES, dtype=np.float32)[classes], (0, 0), 3)
    hot += np.random.default_rng(0).random(hot.shape, np.float32) * np.float32(0.1)
    hot /= hot.sum(axis=2, keepdims=True)
    pixels = sample.image.bytes() if photo is None else cv2.resize(read_image(photo).bytes(), SIZE[::-1])
    return np.ascontiguousarray(hot.transpose(2, 0, 1)), pixels.astype(np.float32)


def peer(probabilities: FloatArray, colours: FloatArray, pull: Pull) -> FloatArray:
    """Run pydensecrf2 with the same energy."""
    import pydensecrf.densecrf as dense

    length, height, width = probabilities.shape
    field = dense.DenseCRF2D(width, height, length)
    field.setUnaryEnergy(np.ascontiguousarray(-np.log(np.maximum(probabilities, 1e-5)).reshape(length, -1)))
    if pull.smoothness:
        field.addPairwiseGaussian(sxy=pull.near, compat=pull.smoothness)
    pixels = np.ascontiguousarray(colours.astype(np.uint8))
    field.addPairwiseBilateral(sxy=pull.reach, srgb=pull.colour, rgbim=pixels, compat=pull.appearance)
    return np.array(field.inference(ROUNDS)).reshape(length, height, width)


def timed(run: Callable[[], FloatArray]) -> tuple[float, FloatArray]:
    began = time.process_time()
    found = run()
    return time.process_time() - began, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path, help="a photo whose colours are used; without one, a drawn scene")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    probabilities, colours = given(arguments.photo)
    try:
        import pydensecrf  # noqa: F401
    except ImportError:
        print("pydensecrf2 is not installed: our time alone")
        has_peer = False
    else:
        has_peer = True
    mean_field(probabilities[:, :32, :32], colours[:32, :32], PULLS["narrow"], 1)  # imports are not timed
    for name, pull in PULLS.items():
        ours, theirs, equal = [], [], 0.0
        for _ in range(arguments.repeats):
            seconds, found = timed(lambda pull=pull: mean_field(probabilities, colours, pull, ROUNDS))
            ours.append(seconds)
            if has_peer:
                seconds, other = timed(lambda pull=pull: peer(probabilities, colours, pull))
                theirs.append(seconds)
                equal = float((found.argmax(axis=0) == other.argmax(axis=0)).mean())
        own = statistics.median(ours)
        print(f"{name}: ours {own:.2f} s (from {min(ours):.2f} to {max(ours):.2f})")
        if has_peer:
            other_time = statistics.median(theirs)
            spread = f"from {min(theirs):.2f} to {max(theirs):.2f}"
            print(f"{name}: pydensecrf2 {other_time:.2f} s ({spread}), {equal:.2%} of labels equal")
            print(f"RATIO crf {name} ours/peer {own / other_time:.2f}")


if __name__ == "__main__":
    main()
