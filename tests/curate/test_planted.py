"""Faults planted in a copy of real data are all found, and nothing is found in the original."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pixelwise.curate.check import Audit, check

HEIGHT, WIDTH = 360, 480
Change = Callable[[np.ndarray], np.ndarray]


def crop(image: np.ndarray, share: float, way: int = cv2.INTER_LINEAR) -> np.ndarray:
    down, across = int(share * HEIGHT), int(share * WIDTH)
    return cv2.resize(image[down : HEIGHT - down, across : WIDTH - across], (WIDTH, HEIGHT), interpolation=way)


def brighter(image: np.ndarray, amount: int) -> np.ndarray:
    return np.clip(image.astype(int) + amount, 0, 255).astype(np.uint8)


def there_and_back(image: np.ndarray, scale: float, way: int) -> np.ndarray:
    return cv2.resize(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way), (WIDTH, HEIGHT), interpolation=way)


COPIES: dict[str, tuple[Change, int]] = {
    "jpeg": (lambda one: one, 60),
    "resized": (lambda one: there_and_back(one, 0.9, cv2.INTER_LINEAR), 90),
    "brighter": (lambda one: brighter(one, 10), 90),
    "cropped": (lambda one: crop(one, 0.02), 90),
    "all": (lambda one: brighter(crop(one, 0.03), 10), 70),
    "mirrored": (lambda one: one[:, ::-1], 85),
    "noisy": (lambda one: brighter(one, np.random.default_rng(0).normal(0, 6, one.shape).astype(int)), 90),  # type: ignore[arg-type]
}
OF_MASKS: dict[str, Change] = {  # what moves pixels moves them in the mask too
    "cropped": lambda one: crop(one, 0.02, cv2.INTER_NEAREST),
    "all": lambda one: crop(one, 0.03, cv2.INTER_NEAREST),
    "mirrored": lambda one: one[:, ::-1],
}
SMEARS: dict[str, Change] = {
    "half": lambda one: there_and_back(one, 0.5, cv2.INTER_LINEAR),
    "tenth": lambda one: there_and_back(one, 0.9, cv2.INTER_LINEAR),
    "blurred": lambda one: cv2.GaussianBlur(one, (5, 5), 0),
    "much blurred": lambda one: cv2.GaussianBlur(one, (15, 15), 0),
}


class Planter:
    """A copy of the data, and what was planted in it: the stem of the item, and the kind it must be found as."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.rng = np.random.default_rng(seed)
        self.train = sorted(path.stem for path in (root / "train").iterdir())
        self.free = set(self.train)
        self.planted: dict[str, str] = {}

    def take(self, among: set[str] | None = None) -> str:
        """Take an item that nothing was done to yet."""
        stem = str(self.rng.choice(sorted(self.free if among is None else among & self.free)))
        self.free.discard(stem)
        return stem

    def after(self, stem: str, apart: int) -> str:
        return self.train[(self.train.index(stem) + apart) % len(self.train)]

    def image(self, stem: str, split: str = "train") -> Path:
        return self.root / split / f"{stem}.jpg"

    def mask(self, stem: str, split: str = "train") -> Path:
        return self.root / f"{split}annot" / f"{stem}.png"

    def copy(self, name: str, split: str) -> None:
        change, quality = COPIES[name]
        stem = self.take()
        new = f"{stem}_{name}"
        cv2.imwrite(str(self.image(new, split)), change(cv2.imread(str(self.image(stem)))), [cv2.IMWRITE_JPEG_QUALITY, quality])
        mask = cv2.imread(str(self.mask(stem)), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(self.mask(new, split)), OF_MASKS.get(name, lambda one: one)(mask))
        self.planted[new] = "leak" if split == "val" else "near duplicate"

    def change_mask(self, kind: str, change: Change) -> None:
        stem = self.take()
        mask = cv2.imread(str(self.mask(stem)), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(self.mask(stem)), change(mask))
        self.planted[stem] = kind

    def swap(self, apart: int | None) -> None:
        """Swap the masks of two images: any two, or two ``apart`` in time by so many seconds."""
        one = self.take(None if apart is None else {stem for stem in self.free if self.after(stem, apart) in self.free})
        other = self.take(None if apart is None else {self.after(one, apart)})
        first, second = self.mask(one), self.mask(other)
        first_bytes = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(first_bytes)
        self.planted |= {one: "swapped mask", other: "swapped mask"}


def found(audit: Audit) -> set[tuple[str, str]]:
    return {(Path(problem.file).stem, problem.kind) for problem in audit.problems}


@pytest.mark.shared_data
@pytest.mark.parametrize("seed", [11, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (12, 13, 17))])
def test_planted_faults_are_all_found(shared_data: Path, tmp_path: Path, seed: int) -> None:
    shutil.copytree(shared_data / "camvid", tmp_path / "camvid", copy_function=shutil.copyfile)
    (tmp_path / "camvid").chmod(0o755)
    for folder in ("train", "val", "trainannot", "valannot"):
        (tmp_path / "camvid" / folder).chmod(0o755)
    planter = Planter(tmp_path / "camvid", seed)
    for name in COPIES:
        planter.copy(name, "train")
        planter.copy(name, "val")
    for change in SMEARS.values():
        planter.change_mask("blurred mask", change)
    planter.change_mask("resized mask", lambda one: there_and_back(one, 0.5, cv2.INTER_NEAREST))
    planter.change_mask("size", lambda one: cv2.resize(one, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_NEAREST))
    planter.change_mask("size", lambda one: one[:, :-1])
    for apart in (None, None, 3):
        planter.swap(apart)
    audit = check(tmp_path / "camvid", void="11")
    told = found(audit)
    assert set(planter.planted.items()) - told == set()
    expected = set(planter.planted.items()) | {(stem, "partner") for stem in planter.planted}  # copies are in no list
    assert told - expected == set()


@pytest.mark.slow
@pytest.mark.shared_data
def test_nothing_is_found_in_the_original(shared_data: Path) -> None:
    audit = check(shared_data / "camvid", void="11")
    assert audit.clean
    assert audit.notes == ()
    assert len(audit.good) == 468


@pytest.mark.shared_data
def test_nothing_is_found_in_slices_of_a_microscope(shared_data: Path) -> None:
    audit = check(shared_data / "isbi_em", void="none")
    assert audit.clean
    assert audit.notes == ()
