"""Prepare COCO for training: Pixelwise against the way of tutorials, and its index of annotations against pycocotools'.

The tutorial way, as it is found in many notebooks: ``COCO(file)``, then batches of ten images in a thread pool; of each image
the mask of its first annotation alone (``annToMask``) is saved as PNG, and the photo is decoded and saved again. Pixelwise
writes full truth instead: class map, segment map and the run lengths of every object, and links the photo. Both start from the
JSON file and end with a folder; starting processes counts. Rounds alternate and medians are compared, so above 1 is faster;
before each the disk is brought to rest, as the tutorial's new photos would else be written in the other's time.
Every mask that was written is compared with pycocotools' own first.

The index is measured in a process each: the time to load a file of 118,000 images, and the memory that this took at its
highest (VmHWM of Linux, pages of the mapped file included) above what the imports took. RssAnon, which the file's pages do not
count to and no other process can share, is sampled and printed beside it. The file is made of the real annotations of
coco_tiny160, repeated under new ids, in a temporary folder.

Run: python benchmarks/coco_prepare.py [--copies 40] [--rounds 3] [--images 118000] [--only index|prepare]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("PIXELWISE_SHARED_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")) / "coco_tiny160"
WORKERS, BATCH = os.cpu_count() or 1, 10


def originals() -> dict[str, Any]:
    """Read both splits of coco_tiny160 as one file."""
    parts = [json.loads((DATA / "annotations" / f"instances_{name}2017.json").read_bytes()) for name in ("train", "val")]
    for part, folder in zip(parts, ("train2017", "val2017"), strict=True):
        for image in part["images"]:
            image["file_name"] = f"{folder}/{image['file_name']}"
    return {**parts[0], **{key: parts[0][key] + parts[1][key] for key in ("images", "annotations")}}


def repeat(source: dict[str, Any], number: int, target: Path) -> int:
    """Write the images and annotations ``number`` times over, each under ids of its own; give the number of annotations."""
    annotations: dict[int, list[dict[str, Any]]] = {}
    for one in source["annotations"]:
        annotations.setdefault(one["image_id"], []).append(one)
    written = 0
    with open(target, "w", encoding="utf-8") as file, tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        file.write(json.dumps({key: source[key] for key in ("info", "licenses", "categories") if key in source})[:-1])
        file.write(', "images": [')
        for row in range(number):
            image = source["images"][row % len(source["images"])]
            name = Path(image["file_name"])
            named = f"{row // len(source['images'])}_{name.name}"
            file.write((",\n" if row else "\n") + json.dumps({**image, "id": row + 1, "file_name": named}))
            for one in annotations.get(image["id"], ()):
                written += 1
                waiting.write((",\n" if written > 1 else "\n") + json.dumps({**one, "id": written, "image_id": row + 1}))
        file.write('\n], "annotations": [')
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        file.write("\n]}\n")
    return written


def make_set(source: dict[str, Any], copies: int, root: Path) -> Path:
    """Make a set of the photos ``copies`` times over; give its annotation file."""
    (root / "images").mkdir(parents=True)
    for copy in range(copies):
        for image in source["images"]:
            shutil.copyfile(DATA / image["file_name"], root / "images" / f"{copy}_{Path(image['file_name']).name}")
    repeat(source, copies * len(source["images"]), root / "instances.json")
    return root / "instances.json"


def ours(file: Path, out: Path) -> int:
    from pixelwise.curate.prepare import prepare
    from pixelwise.formats import coco
    from pixelwise.formats.writing import Writing

    done = prepare(coco.read(file), out, writing=Writing(workers=WORKERS))
    return done.written.images


def tutorial(file: Path, out: Path) -> int:
    import numpy as np
    from PIL import Image
    from pycocotools.coco import COCO

    coco = COCO(str(file))
    (out / "images").mkdir(parents=True)
    (out / "masks").mkdir()

    def save(number: int) -> None:
        info = coco.loadImgs(number)[0]
        found = coco.loadAnns(coco.getAnnIds(imgIds=number))
        mask = coco.annToMask(found[0]) if found else np.zeros((info["height"], info["width"]), np.uint8)
        photo = Image.open(file.parent / "images" / info["file_name"]).convert("RGB")
        photo.save(out / "images" / info["file_name"])
        Image.fromarray(mask * 255).save(out / "masks" / f"{Path(info['file_name']).stem}.png")

    numbers = coco.getImgIds()
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for start in range(0, len(numbers), BATCH):
            list(pool.map(save, numbers[start : start + BATCH]))
    return len(numbers)


def require_equal(file: Path, out: Path) -> int:
    """Compare every mask in ``out`` with pycocotools'; give how many there are."""
    from pycocotools.coco import COCO

    from pixelwise.formats import prepared

    coco, compared = COCO(str(file)), 0
    for sample in prepared.read(out):
        found = coco.loadAnns(coco.getAnnIds(imgIds=sample.meta["image_id"]))
        runs = sample.truth.masks.run_lengths()
        assert len(runs) == len(found), f"{sample.name}: {len(runs)} masks of {len(found)}"
        for one, own in zip(found, runs, strict=True):
            assert coco.annToRLE(one)["counts"] == own.counts, f"{sample.name}: annotation {one['id']} differs"
        compared += len(runs)
    return compared


def timed(work: Callable[[Path, Path], int], file: Path, out: Path) -> float:
    """Give images a second; what others have left to be written is written first, so that nobody waits for it here."""
    os.sync()
    begun = time.perf_counter()
    done = work(file, out)
    return done / (time.perf_counter() - begun)


def compare_preparing(copies: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = make_set(originals(), copies, root / "set")
        speeds: dict[str, list[float]] = {"ours": [], "peer": []}
        for number in range(rounds):
            for name, work in (("ours", ours), ("peer", tutorial)):
                out = root / f"{name}{number}"
                speeds[name].append(timed(work, file, out))
                if name == "ours" and number == 0:
                    print(f"{require_equal(file, out):,} masks, all equal to pycocotools'", flush=True)
                shutil.rmtree(out)
                print(f"round {number + 1}: {name} {speeds[name][-1]:.0f} images/s", flush=True)
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    print(f"ours {medians['ours']:.0f} images/s with full truth, tutorial {medians['peer']:.0f} images/s with one mask each")
    print(f"RATIO coco_prepare ours/peer {medians['ours'] / medians['peer']:.2f}")


def status(pid: int | str, key: str) -> float:
    """Read a figure of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def load(name: str, file: Path) -> None:
    """Load an index in this process alone, and print what it took."""
    from pycocotools.coco import COCO

    from pixelwise.formats.coco.file import CocoFile, read_coco

    before = status("self", "VmRSS"), status("self", "RssAnon")
    begun = time.perf_counter()
    held = read_coco(file) if name == "ours" else COCO(str(file))
    seconds = time.perf_counter() - begun
    number = len(held.rows.ids) if isinstance(held, CocoFile) else len(held.anns)
    peak = status("self", "VmHWM") - before[0]
    print(json.dumps({"seconds": seconds, "peak": peak, "base": before[1], "annotations": number}))


def measured(name: str, file: Path) -> dict[str, float]:
    """Load an index in a process of its own, and watch how much memory of its own that has."""
    command = [sys.executable, __file__, "--load", name, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        own = 0.0
        while process.poll() is None:
            own = max(own, status(process.pid, "RssAnon"))
            time.sleep(0.02)
        assert process.stdout is not None
        found: dict[str, float] = json.loads(process.stdout.read().splitlines()[-1])
    return {**found, "anonymous": own - found["base"]}


def compare_index(images: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "instances.json"
        number = repeat(originals(), images, file)
        print(f"index: {images:,} images, {number:,} annotations, {file.stat().st_size / 1e6:.0f} MB", flush=True)
        found: dict[str, list[dict[str, float]]] = {"ours": [], "peer": []}
        for _ in range(rounds):
            for name in found:
                one = measured(name, file)
                assert one["annotations"] == number
                found[name].append(one)
                print(
                    f"{name}: {one['seconds']:.2f} s, {one['peak']:.0f} MB at most above the imports, "
                    f"{one['anonymous']:.0f} MB of them its own",
                    flush=True,
                )
    middle = {
        name: {key: statistics.median(one[key] for one in each) for key in ("seconds", "peak", "anonymous")}
        for name, each in found.items()
    }
    print(f"RATIO coco_index_time peer/ours {middle['peer']['seconds'] / middle['ours']['seconds']:.1f}")
    print(f"RATIO coco_index_own_memory ours/peer {middle['ours']['anonymous'] / middle['peer']['anonymous']:.3f}")
    print(f"RATIO coco_index_memory ours/peer {middle['ours']['peak'] / middle['peer']['peak']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=40, help="of the 160 photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=118_000, help="in the index")
    parser.add_argument("--only", choices=("index", "prepare"), help="of the two comparisons")
    parser.add_argument("--load", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.load:
        load(asked.load[0], Path(asked.load[1]))
        return
    if not DATA.is_dir():
        sys.exit(f"{DATA}: the photos are not there; set PIXELWISE_SHARED_DATA")
    if asked.only != "prepare":
        compare_index(asked.images, asked.rounds)
    if asked.only != "index":
        compare_preparing(asked.copies, asked.rounds)


if __name__ == "__main__":
    main()
