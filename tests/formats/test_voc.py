"""Pascal VOC as its own description has it: palette masks, RGB masks, objects, XML, lists; and boxes alone."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, SizeMismatch, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise, voc
from pixelwise.formats.writing import Writing

# a cat (class 8) as object 1 and a person (class 15) as object 2 on background, with a border of 255 round the cat
CLASSES = np.array([[255, 255, 255, 0, 0, 0], [255, 8, 255, 0, 15, 15], [255, 255, 255, 0, 15, 0]], np.uint8)
OBJECTS = np.array([[255, 255, 255, 0, 0, 0], [255, 1, 255, 0, 2, 2], [255, 255, 255, 0, 2, 0]], np.uint8)
COLOURS = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 15: (192, 128, 128), 255: (224, 224, 192)}
XML = """<annotation>
  <folder>VOC2012</folder>
  <filename>2007_000032.jpg</filename>
  <size><width>6</width><height>3</height><depth>3</depth></size>
  <segmented>1</segmented>
  <object>
    <name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>
    <bndbox><xmin>2</xmin><ymin>2</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>
  </object>
  <object>
    <name>person</name><pose>Unspecified</pose><truncated>1</truncated><difficult>0</difficult>
    <bndbox><xmin>5</xmin><ymin>2</ymin><xmax>6</xmax><ymax>3</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>5</xmin><ymin>2</ymin><xmax>5</xmax><ymax>2</ymax></bndbox></part>
  </object>
</annotation>
"""


def palette(values: np.ndarray) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(values).convert("P")
    colours = bytearray(768)
    for value, colour in COLOURS.items():
        colours[3 * value : 3 * value + 3] = bytes(colour)
    picture.putpalette(bytes(colours))
    return picture


def rgb(values: np.ndarray) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.array([[COLOURS[int(one)] for one in row] for row in values], np.uint8))


def save(picture: PIL.Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def put(root: Path, coded: object = palette, objects: np.ndarray | None = OBJECTS, page: str | None = XML) -> Path:
    """Write one image as VOC does, by hand."""
    assert callable(coded)
    save(PIL.Image.new("RGB", (6, 3)), root / "JPEGImages" / "2007_000032.jpg")
    save(coded(CLASSES), root / "SegmentationClass" / "2007_000032.png")
    if objects is not None:
        save(coded(objects), root / "SegmentationObject" / "2007_000032.png")
    if page is not None:
        (root / "Annotations").mkdir()
        (root / "Annotations" / "2007_000032.xml").write_text(page)
    return root


@pytest.mark.parametrize("coded", [palette, rgb, PIL.Image.fromarray])
def test_class_masks_are_read_by_colour_or_by_value(coded: object, tmp_path: Path) -> None:
    data = read(put(tmp_path / "VOC2012", coded, objects=None))
    assert (data.kind, recognise(tmp_path / "VOC2012")[1].dialect) == ("semantic", "Pascal VOC")
    assert data[0].truth.names == ["background", "cat", "person"]
    assert data[0].truth.masks.areas().tolist() == [6, 1, 3]
    assert data[0].truth.class_map().tolist() == CLASSES.tolist()


def test_grey_values_of_an_rgb_mask_are_colours(tmp_path: Path) -> None:
    put(tmp_path / "VOC", objects=None)
    save(PIL.Image.new("RGB", (6, 3), (128, 128, 128)), tmp_path / "VOC" / "SegmentationClass" / "2007_000032.png")
    assert read(tmp_path / "VOC")[0].truth.names == ["car"]


@pytest.mark.parametrize("coded", [palette, rgb])
def test_objects_are_segments_and_the_border_is_void(coded: object, tmp_path: Path) -> None:
    truth = read(put(tmp_path / "VOC", coded))[0].truth
    assert (truth.kind, truth.names) == ("panoptic", ["background", "cat", "person"])
    assert truth.masks.areas().tolist() == [6, 1, 3]
    assert (truth.panoptic_ids() == 0).tolist() == (CLASSES == 255).tolist()


def test_boxes_and_flags_are_joined_with_the_objects_they_are_of(tmp_path: Path) -> None:
    truth = read(put(tmp_path / "VOC"))[0].truth
    assert truth.stated_boxes()[1:].tolist() == [[1, 1, 2, 2], [4, 1, 6, 3]]
    assert truth.attributes[1:] == (
        {"truncated": False, "difficult": True, "pose": "Left"},
        {"truncated": True, "difficult": False, "pose": "Unspecified"},
    )


def test_boxes_of_other_objects_are_not_joined(tmp_path: Path) -> None:
    assert read(put(tmp_path / "VOC", page=XML.replace(">cat<", ">dog<")))[0].truth.attributes == ()


def test_after_a_broken_object_nobody_knows_which_is_which(tmp_path: Path) -> None:
    twin = XML[XML.index("  <object>") : XML.index("  <object>", XML.index("</object>"))]
    broken = XML.replace(twin, twin.replace("<xmin>2<", "<xmin>?<") + twin, 1)
    assert read(put(tmp_path / "VOC", page=broken))[0].truth.attributes == ()


def test_an_object_of_two_classes_is_named_and_left_out(tmp_path: Path) -> None:
    one = read(put(tmp_path / "VOC", objects=np.where(OBJECTS == 2, 1, OBJECTS).astype(np.uint8)))[0]
    with pytest.raises(
        DataError, match=r"2007_000032\.png: object 1: expected pixels of one class, found cat \(1\), person \(3\)"
    ):
        _ = one.truth
    truths, problems = one.salvaged()
    assert (truths[0].names, len(problems)) == (["background"], 1)


def test_pixels_of_a_thing_under_no_object_are_told(tmp_path: Path) -> None:
    one = read(put(tmp_path / "VOC", objects=np.where(OBJECTS == 2, 0, OBJECTS).astype(np.uint8)))[0]
    with pytest.raises(DataError, match="class 'person': 3 of its pixels are under no object"):
        _ = one.truth


def test_a_value_that_is_no_class_is_named(tmp_path: Path) -> None:
    put(tmp_path / "VOC", objects=None)
    save(PIL.Image.fromarray(np.full((3, 6), 33, np.uint8)), tmp_path / "VOC" / "SegmentationClass" / "2007_000032.png")
    with pytest.raises(DataError, match=r"2007_000032\.png: value 33 .*VOC's 21 classes; add labelmap\.txt"):
        _ = read(tmp_path / "VOC")[0].truth


def test_a_colour_that_is_no_class_is_named(tmp_path: Path) -> None:
    put(tmp_path / "VOC", objects=None)
    save(PIL.Image.new("RGB", (6, 3), (1, 2, 3)), tmp_path / "VOC" / "SegmentationClass" / "2007_000032.png")
    with pytest.raises(DataError, match="the colour #010203 is none of the colours of VOC's 21 classes"):
        _ = read(tmp_path / "VOC")[0].truth


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    put(tmp_path / "VOC", objects=None)
    save(PIL.Image.fromarray(CLASSES.T.copy()), tmp_path / "VOC" / "SegmentationClass" / "2007_000032.png")
    with pytest.raises(SizeMismatch, match=r"the mask is 6 x 3 .* is 3 x 6 \(turned by 90 degrees\)"):
        _ = read(tmp_path / "VOC")[0].truth


def test_labelmap_names_the_classes_and_their_colours(tmp_path: Path) -> None:
    put(tmp_path / "VOC", rgb, objects=None)
    rows = [
        "# label:color_rgb:parts:actions",
        "nothing:0,0,0::",
        "lion:64,0,0:head:",
        "tamer:192,128,128::",
        "ignored:224,224,192::",
    ]
    (tmp_path / "VOC" / "labelmap.txt").write_text("\n".join(rows))
    data = read(tmp_path / "VOC")
    assert data.labels.names == ("nothing", "lion", "tamer")
    assert data[0].truth.masks.areas().tolist() == [6, 1, 3]


def test_masks_are_read_without_their_images(tmp_path: Path) -> None:
    """As CVAT exports them where it is not told to save images."""
    root = put(tmp_path / "VOC", rgb)
    (root / "JPEGImages" / "2007_000032.jpg").unlink()
    (root / "SegmentationClass" / "broken.png").write_bytes(b"PNG")
    (root / "SegmentationObject" / "broken.png").write_bytes(b"PNG")
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("2007_000032\n")
    assert recognise(root)[0] == "voc"
    data = read(root)
    one = data.split("train")[0]
    assert (one.size, one.truth.names) == ((3, 6), ["background", "cat", "person"])
    assert one.raw()[0].tolist() == CLASSES.tolist()
    with pytest.raises(MissingFile, match=r"JPEGImages/2007_000032\.jpg"):
        _ = one.image
    assert "labels are read alone" in data.notes[0]


def test_masks_beside_other_pictures_are_not_taken_for_masks_without_any(tmp_path: Path) -> None:
    root = put(tmp_path / "VOC", page=None)
    (root / "JPEGImages").rename(root / "photos")
    assert voc.sniff(root) is None


@pytest.mark.parametrize("names", ["__ignore__\n_background_\ncat\n", "_background_\ncat\n"])
def test_classes_of_labelme_count_from_its_background(names: str, tmp_path: Path) -> None:
    root = put(tmp_path / "VOC", lambda stored: PIL.Image.fromarray((stored == 8).astype(np.uint8)), None, None)
    (root / "labels.txt").write_text(names)
    truth = read(root)[0].truth
    assert (truth.names, truth.masks.areas().tolist()) == (["_background_", "cat"], [17, 1])


def test_splits_are_the_lists_of_segmentation(tmp_path: Path) -> None:
    put(tmp_path / "VOC")
    for name in ("a", "b"):
        save(PIL.Image.new("RGB", (6, 3)), tmp_path / "VOC" / "JPEGImages" / f"{name}.jpg")
    lists = tmp_path / "VOC" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_bytes(b"2007_000032\r\n")
    (lists / "val.txt").write_bytes(b"# none yet\n")
    (lists / "trainval.txt").write_bytes(b"2007_000032\n")
    (lists / "test.txt").write_bytes(b"a\n../../etc/passwd\n")
    data = read(tmp_path / "VOC")
    assert [one.name for one in data] == ["2007_000032", "a"]
    assert data.splits == {"train": (0,), "trainval": (0,), "test": (1,)}
    assert data[1].truths == ()
    assert any("1 images (such as b.jpg) have no class mask" in note for note in data.notes)


def test_lists_of_single_classes_are_no_splits(tmp_path: Path) -> None:
    put(tmp_path / "VOC")
    lists = tmp_path / "VOC" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n")
    (lists / "cat_train.txt").write_text("2007_000032  1\n")
    assert read(tmp_path / "VOC").splits == {"train": (0,)}


def boxes_only(root: Path, page: str = XML) -> Path:
    save(PIL.Image.new("RGB", (6, 3)), root / "train" / "a.jpg")
    (root / "train" / "a.xml").write_text(page)
    return root


def test_xml_alone_is_read_and_said_to_hold_no_masks(tmp_path: Path) -> None:
    data = read(boxes_only(tmp_path / "boxes"))
    assert recognise(tmp_path / "boxes") == ("voc", voc.sniff(tmp_path / "boxes"))
    assert (data[0].truths, data.labels.names, data.splits) == ((), ("cat", "person"), {"train": (0,)})
    assert [(one["name"], one["box"]) for one in data[0].meta["boxes"]] == [("cat", (1, 1, 2, 2)), ("person", (4, 1, 6, 3))]
    assert "2 boxes and no masks" in data.notes[0]


def test_boxes_that_begin_at_0_are_taken_as_they_are(tmp_path: Path) -> None:
    sides = "<xmin>0</xmin><ymin>1</ymin><xmax>2</xmax><ymax>3</ymax>"
    page = f"<annotation><segmented>0</segmented><object><name>x</name><bndbox>{sides}</bndbox></object></annotation>"
    assert read(boxes_only(tmp_path / "boxes", page))[0].meta["boxes"][0]["box"] == (0, 1, 2, 3)


def test_polygons_of_roboflow_are_masks(tmp_path: Path) -> None:
    outline = "<polygon><x1>1.0</x1><y1>0</y1><x2>4</x2><y2>0</y2><x3>4</x3><y3>2</y3><x4>1</x4><y4>2</y4></polygon>"
    data = read(boxes_only(tmp_path / "roboflow", XML.replace("</object>", f"{outline}</object>", 1)))
    assert (data.kind, data.splits) == ("instance", {"train": (0,)})
    with pytest.raises(DataError, match=r"a\.xml: object 2 \(person\): it has no polygon, and a box is no mask"):
        _ = data[0].truth
    truths, _ = data[0].salvaged()
    assert (truths[0].names, truths[0].masks.boxes().tolist()) == (["cat"], [[1, 0, 4, 2]])


def test_labelme_xml_is_not_claimed(tmp_path: Path) -> None:
    outline = "<polygon><pt><x>1</x><y>1</y></pt></polygon>"
    page = f"<annotation><filename>a.jpg</filename><object><name>x</name>{outline}</object></annotation>"
    assert voc.sniff(boxes_only(tmp_path / "boxes", page)) is None


def test_a_broken_xml_spoils_its_image_alone(tmp_path: Path) -> None:
    root = boxes_only(tmp_path / "boxes")
    save(PIL.Image.new("RGB", (6, 3)), root / "train" / "b.jpg")
    (root / "train" / "b.xml").write_text(XML[:300])
    data = read(root)
    assert [one.name for one in data] == ["a"]
    assert any("b.xml: expected XML, but" in note for note in data.notes)


def test_xml_with_entities_is_refused(tmp_path: Path) -> None:
    page = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + XML.replace("Left", "&x;")
    with pytest.raises(UnreadableFile, match="declares a document type"):
        _ = read(put(tmp_path / "VOC", page=page))[0].truth


LABELS = LabelSet.of(["sky", "a:b", "cat"], things=["cat"])


def scene(kind: str, ids: list[list[int]], classes: list[int], crowd: list[bool] | None = None) -> Dataset:
    grid = np.array(ids, np.uint8)
    marks = None if crowd is None else np.array(crowd)
    truth = Segmentation(kind, DisjointMasks(grid, len(classes)), np.array(classes), LABELS, crowd=marks)  # type: ignore[arg-type]
    image = Image(np.zeros((*grid.shape, 3), np.uint8))
    return Dataset([Sample.of("a", image, truth)], LABELS, truth.kind, {}, "scene")


def test_order_crowds_and_odd_names_come_back(tmp_path: Path) -> None:
    data = scene("panoptic", [[1, 1, 2, 4], [0, 3, 3, 4]], [2, 1, 0, 2], [False, False, False, True])
    voc.write(data, tmp_path / "out")
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_instances_stay_instances(tmp_path: Path) -> None:
    data = scene("instance", [[1, 1, 2, 0], [0, 3, 3, 0]], [2, 2, 0])
    voc.write(data, tmp_path / "out")
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_other_tools_find_values_colours_and_boxes_where_voc_has_them(tmp_path: Path) -> None:
    voc.write(scene("panoptic", [[1, 2, 2], [0, 2, 2]], [0, 2]), tmp_path / "out")
    assert np.array(PIL.Image.open(tmp_path / "out" / "SegmentationClass" / "a.png")).tolist() == [[0, 2, 2], [255, 2, 2]]
    assert np.array(PIL.Image.open(tmp_path / "out" / "SegmentationObject" / "a.png")).tolist() == [[0, 1, 1], [255, 1, 1]]
    page = (tmp_path / "out" / "Annotations" / "a.xml").read_text()
    assert all(
        part in page for part in ("<name>cat</name>", "<xmin>2</xmin>", "<ymin>1</ymin>", "<xmax>3</xmax>", "<ymax>2</ymax>")
    )


def test_what_lies_below_is_not_lost_in_silence(tmp_path: Path) -> None:
    masks = np.ones((2, 2, 2), bool)
    truth = Segmentation.from_masks("instance", masks, [2, 2], LABELS)
    data = Dataset([Sample.of("a", Image(np.zeros((2, 2, 3), np.uint8)), truth)], LABELS, "instance")
    with pytest.raises(DataError, match=r"a: objects overlap.* would be lost"):
        voc.write(data, tmp_path / "out")
    assert voc.write(data, tmp_path / "out", Writing(strict=False)).failed[0].startswith("a: objects overlap")


def test_an_object_without_pixels_is_told(tmp_path: Path) -> None:
    told = voc.write(scene("instance", [[1, 1]], [2, 0]), tmp_path / "out")
    assert told.dropped == ("a: object 2 (sky) has no pixel, and a mask has no place for it: left out",)


def with_attributes(data: Dataset, *attributes: dict[str, object]) -> Dataset:
    truth = replace(data[0].truth, attributes=attributes)
    return Dataset([Sample.of("a", data[0].image, truth)], data.labels, data.kind, {}, data.name)


def test_an_attribute_called_crowd_makes_no_crowd(tmp_path: Path) -> None:
    data = with_attributes(scene("instance", [[1, 2]], [2, 0]), {"crowd": True}, {})
    told = voc.write(data, tmp_path / "out")
    assert told.dropped == ("a: the attributes crowd, which VOC has no place for: left out",)
    assert read(tmp_path / "out")[0].truth == data[0].truth


@pytest.mark.parametrize("key", ["pose", "difficult"])
@pytest.mark.parametrize("value", ["", "a\0b", 0.5, ["Left"]])
def test_an_attribute_that_voc_cannot_say_is_told_and_breaks_nothing(key: str, value: object, tmp_path: Path) -> None:
    data = with_attributes(scene("instance", [[1]], [2]), {key: value})
    assert voc.write(data, tmp_path / "out").dropped == (f"a: the attributes {key}, which VOC has no place for: left out",)
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_flags_that_are_not_set_come_back(tmp_path: Path) -> None:
    flags = {"truncated": True, "difficult": False, "occluded": False, "pose": "Rear"}
    assert voc.write(with_attributes(scene("instance", [[1]], [2]), flags), tmp_path / "out").dropped == ()
    assert read(tmp_path / "out")[0].truth.attributes == (flags,)


def test_what_is_said_of_stuff_is_told_to_be_lost(tmp_path: Path) -> None:
    data = with_attributes(scene("panoptic", [[1, 2]], [0, 2]), {"difficult": True}, {"difficult": True})
    boxed = replace(data[0].truth, boxes=np.array([[0, 0, 2, 1], [0, 0, 2, 1]]))
    told = voc.write(Dataset([Sample.of("a", data[0].image, boxed)], LABELS, "panoptic"), tmp_path / "out").dropped
    assert "boxes that differ from the masks'" in told[0]
    assert told[1] == "a: the attributes difficult, which VOC has no place for: left out"


@given(st.text(st.sampled_from("<>/&;!annotationobjectbndboxxmin name19.-"), max_size=80))
@settings(max_examples=60)
def test_any_xml_is_read_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    page = XML.replace("<pose>Left</pose>", text)
    for root in (boxes_only(tmp_path_factory.mktemp("boxes"), page), put(tmp_path_factory.mktemp("masks"), page=page)):
        with contextlib.suppress(PixelwiseError):
            _ = [one.truths for one in voc.read(root)]


@pytest.mark.shared_data
def test_a_set_of_datumaro_is_read(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "voc_dataset" / "voc_dataset1")
    assert (len(data), len(data.labels), data.kind) == (2, 21, "panoptic")
    assert data.splits == {"train": (0,), "test": (1,)}
    assert (data[0].truth.names, data[0].truth.masks.areas().tolist()) == (["bicycle"], [200])
    assert data[1].truths == ()


@pytest.mark.shared_data
def test_boxes_of_xml_without_its_images_are_counted(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "voc_dataset" / "voc_dataset2")
    boxes = {one.name: [box["name"] for box in one.meta["boxes"]] for one in data}
    assert boxes == {"@": [], "a": ["background"], "b": ["aeroplane"], "c": ["bicycle"], "d": ["bird"]}


@pytest.mark.shared_data
def test_boxes_of_roboflow_are_counted(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "roboflow_dataset" / "voc")
    assert [len(one.meta["boxes"]) for one in data] == [1, 1, 2]
    assert data.splits == {"train": (0, 1), "val": (2,)}
