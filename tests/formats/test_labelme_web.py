"""The format labelme, its web tool: what a hand-written XML file means, and which masks belong to it."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import labelme, read, recognise


def drawn(truth: Segmentation, index: int = 0) -> list[str]:
    return ["".join(".#"[int(one)] for one in row) for row in truth.masks.mask(index)]


WEB = """<annotation><filename>a.png</filename><folder>street</folder>
<source><sourceImage>The MIT-CSAIL database</sourceImage><sourceAnnotation>LabelMe Webtool</sourceAnnotation></source>
<imagesize><nrows>5</nrows><ncols>6</ncols></imagesize>
<object><name>car</name><deleted>0</deleted><verified>0</verified><occluded>yes</occluded><attributes>red</attributes>
<parts><hasparts>2,3</hasparts><ispartof></ispartof></parts><id>1</id>
<polygon><username>me</username><pt><x>1</x><y>1</y></pt><pt><x>4</x><y>1</y></pt><pt><x>4</x><y>3</y></pt><pt><x>1</x><y>3</y></pt>
</polygon></object>
<object><name>ghost</name><deleted>1</deleted><id>7</id><polygon><pt><x>0</x><y>0</y></pt></polygon></object>
<object><name>wheel</name><deleted>0</deleted><parts><hasparts/><ispartof>1</ispartof></parts><id>2</id>
<segm><mask>a_mask_2.png</mask></segm></object>
{more}</annotation>"""


def put_web(root: Path, more: str = "") -> Path:
    """Write a set of the web tool: one image of 5 x 6, its XML, and one mask, coloured and half transparent."""
    for folder in ("Images", "Annotations", "Masks"):
        (root / folder / "street").mkdir(parents=True)
    PIL.Image.new("RGB", (6, 5)).save(root / "Images" / "street" / "a.png")
    mask = np.zeros((5, 6, 4), np.uint8)
    mask[3, 1:3] = 0, 0, 153, 60
    PIL.Image.fromarray(mask).save(root / "Masks" / "street" / "a_mask_2.png")
    (root / "Annotations" / "street" / "a.xml").write_text(WEB.format(more=more))
    return root


def test_a_hand_written_file_of_the_web_tool_is_read(tmp_path: Path) -> None:
    path = put_web(tmp_path / "web")
    assert recognise(path)[1].dialect == "LabelMe web tool XML"
    data = read(path)
    truth = data[0].truth
    assert (truth.names, data.labels.names) == (["car", "wheel"], ("car", "wheel"))
    assert drawn(truth, 0) == ["......", ".###..", ".###..", "......", "......"]
    assert drawn(truth, 1) == ["......", "......", "......", ".##...", "......"]
    assert truth.attributes == ({"occluded": "yes", "attributes": "red", "parts": [2, 3]}, {"part_of": 1})
    assert "1 of the kind deleted object" in data.notes[0]


def test_a_wrong_object_of_the_web_tool_is_named(tmp_path: Path) -> None:
    path = put_web(tmp_path / "web", "<object><name>car</name><id>9</id><polygon><pt><x>u</x><y>1</y></pt></polygon></object>")
    with pytest.raises(DataError, match=r"a\.xml: object 9: expected a number, found 'u'"):
        _ = read(path)[0].truth
    assert len(read(path)[0].salvaged()[0][0]) == 2


def test_a_mask_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = put_web(tmp_path / "web")
    (path / "Masks" / "street" / "a_mask_2.png").unlink()
    with pytest.raises(DataError, match=r"object 2: there is no mask called a_mask_2\.png"):
        _ = read(path)[0].truth


def test_a_comment_does_not_make_a_file_the_web_tools(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation><!-- <nrows> as LabelMe has it --><filename>a.jpg</filename></annotation>")
    assert labelme.sniff(tmp_path / "a.xml") is None


def test_an_xml_that_declares_entities_is_refused(tmp_path: Path) -> None:
    path = put_web(tmp_path / "web")
    file = path / "Annotations" / "street" / "a.xml"
    file.write_text(f'<!DOCTYPE annotation [<!ENTITY x "boom">]>{file.read_text()}')
    assert labelme.sniff(path) is None


@pytest.mark.shared_data
def test_the_web_tools_example(shared_data: Path) -> None:
    truth = read(shared_data / "labeltools" / "small_fixtures" / "labelme_dataset")[0].truth
    assert truth.names == ["window", "license plate", "o1", "q1", "b1", "m1", "hg"]
    assert truth.masks.areas()[[0, 1, 4, 5]].tolist() == [6, 10, 110, 130]  # 2 x 3; 10 x 11; masks counted with Pillow
    assert truth.attributes[2] == {"occluded": "yes", "attributes": "a1", "parts": [3, 4]}
