"""Train a network on a data set for some minutes, score it, and keep the row: the tables of networks in RESULTS.md.

One call makes one row, with the command line's own ``train``. A call that was stopped goes on when it is repeated, and a row
that is there is not made again. Rows are kept in ``benchmarks/quality.jsonl``, and the section of RESULTS.md between its marks
is made from that file alone. Minutes are of the clock, so that the machine should do nothing else.

Run: python benchmarks/quality.py NETWORK DATA --minutes 10 [--threads 1] [--note WORDS] [--set table.key=value …]
     python benchmarks/quality.py --tables      (only make the section of RESULTS.md anew)
"""

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS, RESULTS, RUNS, SPLITS = HERE / "quality.jsonl", HERE / "RESULTS.md", HERE.parent / "runs" / "quality", HERE / "splits"
MARKS = ("<!-- made by quality.py -->", "<!-- end of what quality.py made -->")
DRAWN = (200, 50)  # scenes to train on, and new ones to score
SPEED_IMAGES, SPEED_ROUNDS = 10, 3


@dataclass(frozen=True)
class Task:
    """A data set, how it is divided, and the scores that count.

    Attributes:
        path: below the folder of shared data; empty for drawn scenes.
        about: what a reader must know of the numbers.
        scores: the first one decides.
        settings: of the run, for every network.
        of_network: what a network is given besides.
    """

    path: str
    about: str
    scores: tuple[str, ...]
    settings: tuple[str, ...] = ()
    of_network: dict[str, tuple[str, ...]] | None = None


FINE = ("model.finest=2",)  # for objects of a few pixels
SMALL = ("model.anchors=small",)
TASKS = {
    "camvid": Task(
        "camvid",
        "CamVid: 367 training and 101 validation images of 360 x 480, 11 classes, mIoU over all pixels",
        ("miou", "pixel_accuracy"),
        ('data.void="11"',),
    ),
    "nuclei": Task(
        "nuclei",
        "nuclei: 70 training and 10 validation images by name (`benchmarks/splits/nuclei`), crops of 256 x 256",
        ("ap50", "ap"),
        (f"data.lists={SPLITS / 'nuclei'}", "model.kind=instance", "train.crop=[256,256]"),
        {
            "maskrcnn": (*SMALL, "model.detections=500"),
            "solov2": (*FINE, "model.detections=500", "model.candidates=1500"),
            "yolo": ("model.detections=500", "model.candidates=2000"),
        },
    ),
    "coco_tiny160": Task(
        "coco_tiny160",
        "80 training and 80 validation photos of COCO 2017, objects of 80 classes",
        ("ap", "ap50"),
        ("model.kind=instance",),
    ),
    "coco_panoptic_four": Task(
        "coco_panoptic/val20",
        "four panoptic photos of COCO (`benchmarks/splits/coco_panoptic`) at a longer side of 384, learnt by heart",
        ("pq", "pq_things", "pq_stuff"),
        (
            f"data.lists={SPLITS / 'coco_panoptic'}",
            "data.train=four",
            "data.val=four",
            "data.scale=0.6",
            "model.kind=panoptic",
            "augment.policy=none",
            "train.crop=[384,384]",
            "train.batch=4",
            "train.ema=0.98",
        ),
        {"mask2former": ("model.encoder=tf_efficientnet_lite0",)},
    ),
    "drawn_panoptic": Task(
        "",
        f"drawn panoptic scenes of 128 x 160 (`pixelwise.scenes`, seed 100), {DRAWN[0]} to train on and {DRAWN[1]} new ones",
        ("pq", "pq_things", "pq_stuff"),
        ("model.kind=panoptic",),
        {
            "maskdino": FINE,
            "panoptic_deeplab": (*FINE, "model.sigma=3", "model.kernel=5"),
            "panoptic_fpn": SMALL,
            "upsnet": SMALL,
        },
    ),
    "drawn_instance": Task(
        "",
        f"objects of drawn scenes of 128 x 160 (`pixelwise.scenes`, seed 100), {DRAWN[0]} to train on and {DRAWN[1]} new ones",
        ("ap50", "ap"),
        ("model.kind=instance",),
        {"maskrcnn": SMALL, "solov2": FINE},
    ),
}


def data_path(name: str) -> Path:
    """Give the folder of a task's data."""
    if TASKS[name].path:
        return Path(os.environ.get("PIXELWISE_SHARED_DATA", "../shared/data")) / TASKS[name].path
    return drawn_data(RUNS / name, name.removeprefix("drawn_"), DRAWN, seed=100)


def drawn_data(folder: Path, kind: Any, counts: tuple[int, int], seed: int, size: tuple[int, int] = (128, 160)) -> Path:
    """Give the folder of so many drawn scenes to train on and to test on; they are written when they are first asked for."""
    from pixelwise.core.sample import Dataset
    from pixelwise.formats import FORMATS
    from pixelwise.scenes import scenes

    if not folder.is_dir():
        drawn = scenes(sum(counts), size, kind, seed)
        parts = {"train": range(counts[0]), "val": range(counts[0], sum(counts))}
        written_as = "coco_panoptic" if kind == "panoptic" else "coco"
        FORMATS[written_as].write(Dataset(drawn.samples, drawn.labels, drawn.kind, parts, drawn.name), folder)
    return folder


def settings_of(network: str, task: str, given: Sequence[str]) -> list[str]:
    """List what a network is given in a task: what it needs there, and what was asked for."""
    return [*(TASKS[task].of_network or {}).get(network, ()), *given]


def train(network: str, task: str, minutes: float, threads: int, settings: Sequence[str], run: Path) -> None:
    """Train, or go on; the run scores itself on the validation images."""
    from pixelwise.cli.app import main as pixelwise

    flags = [word for one in (*TASKS[task].settings, f"train.threads={threads}", *settings) for word in ("--set", one)]
    where = ["--data", str(data_path(task)), "--model", network, "--minutes", f"{minutes:g}", "--out", str(run), "--resume"]
    if code := pixelwise(["train", *where, *flags]):
        sys.exit(code)


def row_of(network: str, task: str, run: Path) -> dict[str, Any]:
    """Measure a finished run: its scores with intervals, its size, and its speeds in images a second."""
    import torch

    import pixelwise as pw
    from pixelwise.core.files import read_json
    from pixelwise.train.options import read_recipe

    scores = read_json(run / "scores.json")
    recipe = read_recipe(run / "recipe.toml")
    torch.set_num_threads(recipe.train.threads or torch.get_num_threads())
    predictor: Any = pw.load(run)
    data = pw.read(recipe.data.path)
    images = [data[row].image for row in range(min(SPEED_IMAGES, len(data)))]
    predictor(images[:1])
    rounds = []
    for _ in range(SPEED_ROUNDS):
        began = time.perf_counter()
        for image in images:
            predictor([image])
        rounds.append(len(images) / (time.perf_counter() - began))
    history = (run / "history.csv").read_text().splitlines()
    columns = history[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in history[1:]]
    environment = read_json(run / "environment.json")
    return {
        "scores": {name: [scores[name], *scores[f"{name}_interval"]] for name in TASKS[task].scores},
        "parameters": sum(one.numel() for one in predictor.model.parameters()),
        "encoder": recipe.model.get("encoder", ""),
        "crop": list(recipe.train.crop),
        "batch": recipe.train.batch,
        "steps": int(rows[-1]["step"]),
        "train_speed": statistics.median(float(one["images_per_second"]) for one in rows),
        "predict_speed": statistics.median(rounds),
        "taken_minutes": float(rows[-1]["seconds"]) / 60,
        "machine": f"{environment['processor']}, cores used: {environment['cores']}" + _gpu(environment),
        "torch": environment["torch"],
        "date": date.today().isoformat(),
    }


def _gpu(environment: dict[str, Any]) -> str:
    return "" if environment["device"] == "cpu" else f", {environment['device']}"


def read_rows() -> list[dict[str, Any]]:
    """Read all rows that were measured."""
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.is_file() else []


def write_tables(rows: Sequence[dict[str, Any]]) -> None:
    """Make the section of RESULTS.md between the marks from the rows."""
    text = RESULTS.read_text(encoding="utf-8")
    made = "\n".join(table_of(task, own) for task in TASKS if (own := [row for row in rows if row["task"] == task]))
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    RESULTS.write_text(f"{before}{MARKS[0]}\n\n{made}\n{MARKS[1]}{after}", encoding="utf-8")


def table_of(task: str, rows: Sequence[dict[str, Any]]) -> str:
    """Make one task's table, the best first."""
    names = TASKS[task].scores
    header = ["network", "encoder", *(NAMES[name] for name in names), "steps", "params", "training", "predicting", "budget"]
    lines = [header, ["---", "---", *["--:"] * (len(header) - 3), "---"]]
    for row in sorted(rows, key=lambda row: -row["scores"][names[0]][0]):
        scores = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in (row["scores"][name] for name in names)]
        threads = f", {row['threads']} thread{'s' * (row['threads'] > 1)}" if row["threads"] else ""
        lines.append(
            [
                _name(row),
                row["encoder"] or "its own",
                *scores,
                f"{row['steps']} of {row['batch']}",
                f"{row['parameters'] / 1e6:.2f} M",
                f"{row['train_speed']:.1f}/s",
                f"{row['predict_speed']:.1f}/s",
                f"{row['taken_minutes']:.0f} of {row['minutes']:g} min{threads}",
            ]
        )
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    given = [f"- {_name(row)}: {', '.join(f'`{one}`' for one in row['settings'])}" for row in rows if row["settings"]]
    body += "".join(f"\n{line}" for line in (["", "Set besides the defaults:", "", *dict.fromkeys(given)] if given else []))
    machines = ", ".join(sorted({f"{row['machine']}, torch {row['torch']}, {row['date']}" for row in rows}))
    return f"**{TASKS[task].about}** ({machines}):\n\n{body}\n"


def _name(row: dict[str, Any]) -> str:
    return row["network"] + (f", {row['note']}" if row["note"] else "")


NAMES = {
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "ap": "AP",
    "ap50": "AP50",
    "pq": "PQ",
    "pq_things": "PQ of things",
    "pq_stuff": "PQ of stuff",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?")
    parser.add_argument("data", nargs="?", choices=list(TASKS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--note", default="", help="a few words that tell this row from others of the network")
    parser.add_argument("--set", action="append", default=[], dest="given", metavar="table.key=value")
    parser.add_argument("--tables", action="store_true")
    asked = parser.parse_args()
    if asked.tables:
        write_tables(read_rows())
        return
    if asked.data is None:
        parser.error("give a network and a data set")
    key = {name: getattr(asked, name) for name in ("network", "minutes", "threads", "note")} | {"task": asked.data}
    row = next((row for row in read_rows() if all(row[name] == value for name, value in key.items())), None)
    if row is None:
        words = [asked.network, asked.data, f"{asked.minutes:g}min", f"{asked.threads}t", asked.note]
        run = RUNS / "-".join(re.sub(r"\W+", "_", word) for word in words if word)
        settings = settings_of(asked.network, asked.data, asked.given)
        train(asked.network, asked.data, asked.minutes, asked.threads, settings, run)
        row = key | {"settings": settings} | row_of(asked.network, asked.data, run)
        with ROWS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        write_tables(read_rows())
    main_score = TASKS[asked.data].scores[0]
    best = max(one["scores"][main_score][0] for one in read_rows() if one["task"] == asked.data)
    print(table_of(asked.data, [row]))
    print(f"RATIO quality {asked.network}/{asked.data}/best_of_the_table {row['scores'][main_score][0] / max(best, 1e-9):.3f}")


if __name__ == "__main__":
    main()
