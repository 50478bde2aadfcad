"""Start ``pixelwise --help`` and ``import pixelwise`` in fresh processes, against importing what a notebook imports first.

The peer is ``import torch, segmentation_models_pytorch``: what a segmentation script pays before its first line of work.
Rounds alternate; the ratio is that of the median times, so above 1 is faster. Run: python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 5
COMMANDS = {
    "pixelwise --help": "from pixelwise.cli import main; import sys; sys.argv = ['pixelwise', '--help']; main()",
    "import pixelwise": "import pixelwise",
    "import torch, segmentation_models_pytorch": "import torch, segmentation_models_pytorch",
}


def seconds(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    rounds = [[seconds(program) for program in COMMANDS.values()] for _ in range(ROUNDS)]
    medians = [statistics.median(each) for each in zip(*rounds, strict=True)]
    for name, median in zip(COMMANDS, medians, strict=True):
        print(f"{name}: {median:.2f} s")
    print(f"RATIO startup ours/peer {medians[2] / medians[0]:.2f}")


if __name__ == "__main__":
    main()
