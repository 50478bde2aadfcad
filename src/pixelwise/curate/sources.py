"""The public data sets that ``pixelwise data download`` fetches: where they lie, how large they are, and their terms.

A row states only what is known for certain. A checksum is there where it has been published and found the same by others;
where there is none, the length and the archive's own sums are checked, and the receipt keeps the SHA-256 that was seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pixelwise.core.errors import OptionError, UnknownName, nearest


@dataclass(frozen=True)
class Archive:
    """One file of a data set.

    Attributes:
        part: what it is chosen by; several archives may be one part.
        address: where it lies.
        size: its bytes, where they are known.
        checksum: as ``sha256:…``, ``sha1:…`` or ``md5:…``; empty where none is published.
        roughly: about how many bytes it has, where ``size`` is not known.
        growth: about how many times its size its content takes.
        folder: the folder to unpack it to, inside that of the data set.
        nested: archives inside it that are unpacked where they lie.
        wanted: fetched also when no parts are named.
    """

    part: str
    address: str
    size: int | None = None
    checksum: str = ""
    roughly: int = 0
    growth: float = 1.05
    folder: str = ""
    nested: tuple[str, ...] = ()
    wanted: bool = True

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.address.rsplit("/", 1)[-1]

    @property
    def about(self) -> int:
        """Its bytes, as far as they are known."""
        return self.size or self.roughly


@dataclass(frozen=True)
class PublicSet:
    """A data set that anybody may fetch without an account.

    Attributes:
        title: what it is.
        terms: the licence, or what its page says of its use.
        page: where it is described.
        archives: its files.
        root: the folder inside that of the download which the formats read.
    """

    title: str
    terms: str
    page: str
    archives: tuple[Archive, ...]
    root: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that can be chosen, in order."""
        return tuple(dict.fromkeys(one.part for one in self.archives))

    def chosen(self, parts: Sequence[str] = ()) -> tuple[Archive, ...]:
        """Give the archives of ``parts``; without any, those that are fetched unless said otherwise.

        Raises:
            OptionError: there is no such part.
        """
        for part in parts:
            if part not in self.parts:
                raise OptionError(f"no part {part!r} in this set; {nearest(part, self.parts)}")
        return tuple(one for one in self.archives if (one.part in parts if parts else one.wanted))


def find_set(name: str) -> PublicSet:
    """Give the data set called ``name``.

    Raises:
        UnknownName: there is none.
    """
    if name not in SETS:
        raise UnknownName(f"no public data set {name!r}; {nearest(name, SETS)} (see pixelwise data download --list)")
    return SETS[name]


# The images.cocodataset.org of COCO's page is a bucket of this name at Amazon, whose certificate does not cover names with
# dots; by its path the same bucket is reached over https.
_COCO = "https://s3.amazonaws.com/images.cocodataset.org"
_COCO_PAGE = "https://cocodataset.org/#download"
_COCO_TERMS = (
    "annotations: CC BY 4.0; photos: Flickr's terms of use and each photo's own licence, which the label files state "
    "(https://cocodataset.org/#termsofuse)"
)
_OXFORD = "https://thor.robots.ox.ac.uk"

_TRAIN_2017 = Archive(
    part="train",
    address=f"{_COCO}/zips/train2017.zip",
    size=19_336_861_798,
    checksum="sha256:69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
)
_VAL_2017 = Archive(
    part="val",
    address=f"{_COCO}/zips/val2017.zip",
    size=815_585_330,
    checksum="sha256:4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
)

SETS = {
    "coco2017": PublicSet(
        title="COCO 2017: 123,287 photos, 80 classes of objects as outlines, key points, captions",
        terms=_COCO_TERMS,
        page=_COCO_PAGE,
        archives=(
            _VAL_2017,
            Archive(
                part="annotations",
                address=f"{_COCO}/annotations/annotations_trainval2017.zip",
                size=252_907_541,
                checksum="sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                growth=5,
            ),
            _TRAIN_2017,
            Archive(
                part="test",
                address=f"{_COCO}/zips/test2017.zip",
                size=6_646_970_404,
                checksum="sha256:c7908c3c9f94ba2f3340ebbeec58c25db6be8774f18d68c2f15d0e369d95baba",
                wanted=False,
            ),
            Archive(
                part="test",
                address=f"{_COCO}/annotations/image_info_test2017.zip",
                size=1_144_034,
                checksum="sha256:e52f412dd7195ac8f98d782b44c6dd30ea10241e9f42521f67610fbe055a74f8",
                growth=10,
                wanted=False,
            ),
        ),
    ),
    "coco2017_panoptic": PublicSet(
        title="COCO 2017 panoptic: the same photos, 80 classes of things and 53 of stuff as PNG and JSON",
        terms=_COCO_TERMS,
        page=_COCO_PAGE,
        archives=(
            _VAL_2017,
            Archive(
                part="annotations",
                address=f"{_COCO}/annotations/panoptic_annotations_trainval2017.zip",
                size=860_725_834,
                checksum="sha256:c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
                growth=3,
                nested=("annotations/panoptic_train2017.zip", "annotations/panoptic_val2017.zip"),
            ),
            _TRAIN_2017,
        ),
    ),
    "coco2014": PublicSet(
        title="COCO 2014: 123,287 photos in the split of 2014, 80 classes of objects as outlines, key points, captions",
        terms=_COCO_TERMS,
        page=_COCO_PAGE,
        archives=(
            Archive(
                part="val",
                address=f"{_COCO}/zips/val2014.zip",
                size=6_645_013_297,
                checksum="sha256:fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            ),
            Archive(
                part="annotations",
                address=f"{_COCO}/annotations/annotations_trainval2014.zip",
                size=252_872_794,
                checksum="sha256:031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
                growth=5,
            ),
            Archive(
                part="train",
                address=f"{_COCO}/zips/train2014.zip",
                size=13_510_573_713,
                checksum="sha256:ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            ),
            Archive(
                part="test",
                address=f"{_COCO}/zips/test2014.zip",
                size=6_660_437_059,
                checksum="sha256:ead40c62230cb2cf70ff4c8b4c70abdc260a7556e77b3282621d06d8e2e35bdf",
                wanted=False,
            ),
            Archive(
                part="test",
                address=f"{_COCO}/annotations/image_info_test2014.zip",
                size=763_464,
                checksum="sha256:7cecc66f6b09c1671c1896a1bcc1f35eb09b7fcf00a5c18420a5f0f5983dc8c9",
                growth=10,
                wanted=False,
            ),
        ),
    ),
    "voc2012": PublicSet(
        title="Pascal VOC 2012: 17,125 photos, 2,913 of them with masks of 20 classes and of their objects",
        terms="photos from Flickr, under Flickr's terms of use; the page asks to be cited",
        page="https://www.robots.ox.ac.uk/~vgg/projects/pascal/VOC/voc2012/",
        archives=(
            Archive(
                part="trainval",
                address=f"{_OXFORD}/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                size=1_999_639_040,
                checksum="sha256:e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
            ),
        ),
        root="VOCdevkit/VOC2012",
    ),
    "ade20k": PublicSet(
        title="ADE20K scene parsing (challenge of 2016): 22,210 photos, 150 classes of things and stuff",
        terms="photos: for non-commercial research and education alone; annotations: BSD 3-Clause",
        page="http://sceneparsing.csail.mit.edu/",
        archives=(
            Archive(
                part="trainval",
                address="https://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
                checksum="sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7",
                roughly=967_000_000,
            ),
        ),
        root="ADEChallengeData2016",
    ),
    "oxford_pets": PublicSet(
        title="Oxford-IIIT Pet: 7,390 photos of 37 breeds, with maps of pet, background and border",
        terms="CC BY-SA 4.0; the photos' copyright stays with their owners",
        page="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        archives=(
            Archive(
                part="annotations",
                address=f"{_OXFORD}/pets/annotations.tar.gz",
                size=19_173_078,
                checksum="sha256:52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
                growth=3,
            ),
            Archive(
                part="images",
                address=f"{_OXFORD}/pets/images.tar.gz",
                size=791_918_971,
                checksum="sha256:67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            ),
        ),
    ),
    "bsds500": PublicSet(
        title="BSDS500: 500 photos, each segmented by 4 to 9 people",
        terms="for non-commercial research and education alone",
        page="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        archives=(
            Archive(
                part="all",
                address="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
                size=70_763_455,
                checksum="sha256:97e49d31764f3912f0c4122707d53062ac9e783ba0f095e447a4d53c1a41af8e",
            ),
        ),
        root="BSR/BSDS500/data",
    ),
    "nuclei": PublicSet(
        title="BBBC038, Data Science Bowl 2018: 670 microscope images, one mask a nucleus",
        terms="CC0 1.0",
        page="https://bbbc.broadinstitute.org/BBBC038",
        archives=(
            Archive(
                part="train",
                address="https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",
                roughly=83_000_000,
                growth=1.5,
                folder="stage1_train",
            ),
        ),
        root="stage1_train",
    ),
    "davis2017": PublicSet(
        title="DAVIS 2017 at 480p: 90 videos with masks of their objects in every frame",
        terms="see the page before any use but research",
        page="https://davischallenge.org/davis2017/code.html",
        archives=(
            Archive(
                part="trainval",
                address="https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-trainval-480p.zip",
                roughly=830_000_000,
            ),
        ),
        root="DAVIS",
    ),
}
