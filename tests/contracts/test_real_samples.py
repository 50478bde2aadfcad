"""Real files of the tools: exactly one format claims each of them, the one it is of, and reads all that is sound in it."""

from pathlib import Path

import pytest

from pixelwise.core.errors import PixelwiseError
from pixelwise.formats import FORMATS, read, recognise

EVERY = sorted(FORMATS)
SAMPLES = [
    ("camvid", "masks"),
    ("nuclei", "object_masks"),
    ("bsds500_val", "bsds"),
    ("isbi_em", "masks"),
    ("video/car-shadow", "masks"),
    ("labeltools/small_fixtures/camvid_dataset", "masks"),
    ("labeltools/small_fixtures/common_semantic_segmentation_dataset/dataset", "masks"),
    ("coco_tiny160", "coco"),
    ("coco_tiny160/annotations", "coco"),
    ("coco_tiny160/annotations/instances_val2017.json", "coco"),
    ("coco_panoptic/val20", "coco_panoptic"),
    ("coco_panoptic/val20/instances.json", "coco"),
    ("coco_panoptic/sample2", "coco_panoptic"),
    ("labeltools/small_fixtures/coco_dataset/coco", "coco_panoptic"),
    ("labeltools/small_fixtures/coco_dataset/coco_captions", "coco"),
    ("labeltools/small_fixtures/coco_dataset/coco_panoptic", "coco_panoptic"),
    ("labeltools/small_fixtures/coco_dataset/coco_person_keypoints", "coco"),
    ("labeltools/small_fixtures/coco_dataset/coco_instances", "coco"),
    ("labeltools/small_fixtures/coco_dataset/coco_roboflow", "coco"),
    ("labeltools/small_fixtures/coco_dataset/coco_stuff", "coco"),
    ("labeltools/small_fixtures/coco_dataset/mmdet_coco", "coco"),
    ("labeltools/small_fixtures/roboflow_dataset/coco", "coco"),
    ("labeltools/small_fixtures/roboflow_dataset/voc", "voc"),
    ("labeltools/small_fixtures/roboflow_dataset/yolo", "yolo"),
    ("labeltools/small_fixtures/roboflow_dataset/yolo_obb", "yolo"),
    ("labeltools/small_fixtures/roboflow_dataset/createml", "createml"),
    ("labeltools/small_fixtures/voc_dataset/voc_dataset1", "voc"),
    ("labeltools/small_fixtures/voc_dataset/voc_dataset2", "voc"),
    ("labeltools/small_fixtures/voc_dataset/voc_dataset3", "voc"),
    ("labeltools/small_fixtures/synthia_dataset", "masks"),
    ("labeltools/small_fixtures/synthia_dataset/al", "masks"),
    ("labeltools/small_fixtures/synthia_dataset/sf", "masks"),
    ("labeltools/small_fixtures/yolo_dataset", "yolo"),
    ("labeltools/small_fixtures/yolo_dataset/annotations", "yolo"),
    ("labeltools/small_fixtures/yolo_dataset/labels", "yolo"),
    ("labeltools/small_fixtures/yolo_dataset/strict", "yolo"),
    ("labeltools/small_fixtures/ade20k2017_dataset/dataset", "ade20k"),
    ("labeltools/small_fixtures/ade20k2017_dataset/dataset_with_meta_file", "ade20k"),
    ("labeltools/small_fixtures/ade20k2020_dataset/dataset", "ade20k"),
    ("labeltools/small_fixtures/ade20k2020_dataset/dataset_with_meta_file", "ade20k"),
    ("labeltools/small_fixtures/kitti_dataset/kitti_segmentation", "kitti"),
    ("labeltools/small_fixtures/mapillary_vistas_dataset", "mapillary"),
    ("labeltools/small_fixtures/mapillary_vistas_dataset/train", "mapillary"),
    ("labeltools/small_fixtures/mots_dataset", "mots"),
    ("labeltools/small_fixtures/segment_anything_dataset", "sa1b"),
    ("labeltools/small_fixtures/cityscapes_dataset/dataset", "cityscapes"),
    ("labeltools/small_fixtures/cityscapes_dataset/train_dataset", "cityscapes"),
    ("labeltools/labelme_primitives", "labelme"),
    ("labeltools/labelme_semantic", "labelme"),
    ("labeltools/small_fixtures/labelme_dataset", "labelme"),
    ("labeltools/via_cells", "via"),
    ("labeltools/via_cells/train", "via"),
    ("labeltools/cvat/xml/for_images/export_project", "cvat"),
    ("labeltools/cvat/xml/for_images/export_task", "cvat"),
    ("labeltools/cvat/xml/for_video", "cvat"),
    ("labeltools/label_studio/data_polygons.json", "label_studio"),
    ("labeltools/label_studio/coco_export", "label_studio"),
    ("labeltools/label_studio/coco_import_input.json", "coco"),
    ("labeltools/labelbox/labelbox_v1", "labelbox"),
    ("labeltools/labelbox", "labelbox"),
    ("labeltools/labelbox/ndjson", "labelbox"),
    ("labeltools/supervisely_lemons", "supervisely"),
    ("labeltools/supervisely_lemons/project", "supervisely"),
    ("labeltools/v7_darwin/semantic_mask", "darwin"),
    ("labeltools/v7_darwin/coco/from", "darwin"),
    ("labeltools/v7_darwin/coco/to", "coco"),
]
SMALL = "labeltools/small_fixtures"
WRONG = {  # samples with an image whose labels contradict it, or that is neither there nor has a size; and what is said of it
    f"{SMALL}/coco_dataset/coco_panoptic": "the mask is 5 x 5",
    f"{SMALL}/mots_dataset": "5 x 1, found 1 x 5",
    f"{SMALL}/segment_anything_dataset": "its run lengths are of size [5, 10], but the image is [10, 5]",
    "labeltools/cvat/xml/for_images/export_task": "polygon 1: it has no label",
    "labeltools/labelbox": "nor is its size stated",
    "labeltools/labelbox/labelbox_v1": "nor is its size stated",
    "labeltools/labelbox/ndjson": "nor is its size stated",
}
MOST = 8  # images of a sample that are read


@pytest.mark.shared_data
@pytest.mark.parametrize(("folder", "format"), SAMPLES)
def test_one_format_claims_each_real_sample(shared_data: Path, folder: str, format: str) -> None:
    assert recognise(shared_data / folder)[0] == format


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", [folder for folder, _ in SAMPLES])
def test_each_real_sample_is_read_and_nothing_is_said_to_be_wrong_that_is_not(shared_data: Path, folder: str) -> None:
    told: list[str] = []
    for sample in read(shared_data / folder)[:MOST]:
        try:
            told += sample.salvaged()[1]
        except PixelwiseError as error:
            told.append(str(error))
    assert bool(told) == (folder in WRONG), told
    assert all(WRONG[folder] in one for one in told)


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["bsds500_val", "coco_tiny160", "nuclei", "labeltools/small_fixtures/voc_dataset"])
def test_masks_do_not_claim_what_other_formats_own(shared_data: Path, folder: str) -> None:
    assert FORMATS["masks"].sniff(shared_data / folder) is None


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["coco_image_info", "coco_labels"])
def test_files_like_coco_without_outlines_are_claimed_by_none(shared_data: Path, name: str) -> None:
    folder = shared_data / "labeltools" / "small_fixtures" / "coco_dataset" / name
    assert [each for each in EVERY if FORMATS[each].sniff(folder) is not None] == []
