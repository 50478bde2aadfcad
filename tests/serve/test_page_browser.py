"""The page in Chromium: every way in, everything by keyboard, on a phone, and what it says when something is wrong."""

import base64
import io
import json
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("uvicorn")
playwright = pytest.importorskip("playwright.sync_api")

from page_server import PageServer  # noqa: E402
from small_models import grey, png  # noqa: E402

from pixelwise.core.image import Image  # noqa: E402
from pixelwise.core.labels import Label, LabelSet, colour_of  # noqa: E402
from pixelwise.core.runs import encode  # noqa: E402
from pixelwise.core.segmentation import Segmentation  # noqa: E402
from pixelwise.draw.colours import segment_colours  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")]
PATIENCE = 60_000.0  # milliseconds until a test that hangs fails
PICTURE = Image(np.repeat(np.linspace(0, 255, 120, dtype=np.uint8)[None, :, None], 80, 0).repeat(3, 2))  # dark to bright
FILE = {"name": "slope.png", "mimeType": "image/png", "buffer": png(PICTURE)}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
DROP = """([type, text]) => {
  const data = new DataTransfer(), bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], "slope.png", {type: "image/png"}));
  const made = type === "paste" ? new ClipboardEvent(type, {clipboardData: data, bubbles: true})
    : new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(made);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as one:
        found = one.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    found = PageServer()
    yield found
    found.stop()


@pytest.fixture
def opened(browser: Any, server: PageServer) -> Iterator[Any]:
    """Open the page; what it asks of other addresses, and errors of its own or of its policy, fail the test."""
    wrong: list[str] = []
    contexts = []

    def open_(address: str = server.address, **settings: Any) -> Any:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: "Content Security" in line.text and wrong.append(line.text))
        page.on("request", lambda asked: asked.url.startswith((address, "blob:")) or wrong.append(asked.url))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def ready(page: Any) -> Any:
    page.wait_for_selector("#model:not(:disabled)")
    return page


def found(page: Any) -> str:
    page.wait_for_selector("#result:not([hidden]), #trouble:not([hidden])")
    page.wait_for_selector("#busy", state="hidden")
    assert not page.is_visible("#trouble"), page.inner_text("#trouble")
    return str(page.inner_text("#found"))


def trouble(page: Any) -> str:
    page.wait_for_selector("#trouble:not([hidden])")
    return str(page.inner_text("#trouble-title"))


def test_a_chosen_picture_is_segmented_and_told(opened: Any) -> None:
    page = ready(opened())
    page.set_input_files("#file", FILE)
    assert found(page) == "2 classes"
    assert page.locator("#legend .called").all_inner_texts() == ["dark", "bright"]
    assert page.locator("#legend .share").all_inner_texts() == ["50.0 %", "50.0 %"]
    assert page.locator("#timings dt").all_inner_texts() == ["Decode", "Wait", "Predict", "Transfer"]
    assert "Done in" in page.inner_text("#status")


@pytest.mark.parametrize("type_", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(opened: Any, type_: str) -> None:
    page = ready(opened())
    page.evaluate(DROP, [type_, base64.b64encode(FILE["buffer"]).decode()])
    assert found(page) == "2 classes"


def test_the_page_works_below_a_prefix(opened: Any) -> None:
    server = PageServer("/masks/of")
    try:
        page = ready(opened(server.address))
        page.set_input_files("#file", FILE)
        assert found(page) == "2 classes"
    finally:
        server.stop()


def test_the_keyboard_alone_is_enough(opened: Any) -> None:
    page = ready(opened())
    page.on("filechooser", lambda chooser: chooser.set_files(FILE))
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
        if seen[-1] == "file":
            break
    page.keyboard.press("Enter")
    assert found(page) == "2 classes"
    order: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.tagName"
        )
        if page.evaluate("document.activeElement === document.body"):
            continue  # past the last element, where the browser's own would follow
        order.append(name)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or name in ("file", "camera"), (
            name
        )
    wanted = ["out", "fit", "in", "canvas", "opacity", "compare", "outlines", "model", "run"]
    assert [name for name in dict.fromkeys(order) if name in wanted] == wanted
    assert {"Id map, PNG", "COCO, JSON"} <= set(order)
    page.focus("#canvas")
    page.keyboard.press("+")
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.focus("#legend input")
    page.keyboard.press("Space")
    assert page.locator("#legend li.off").count() == 1


def test_a_phone_shows_everything_in_one_column(opened: Any) -> None:
    page = ready(opened(**PHONE))
    assert page.is_visible("label[for=camera]")
    page.set_input_files("#camera", FILE)
    assert found(page) == "2 classes"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = """() => [...document.querySelectorAll("button, .button, select, summary, .tick")].filter((one) => {
      const {width, height} = one.getBoundingClientRect();
      return width && (height < 24 || width < 24);
    }).map((one) => one.id || one.textContent)"""
    assert page.evaluate(small) == []  # WCAG 2.2, 2.5.8


def test_what_is_drawn_is_the_id_map(opened: Any) -> None:
    """The picture as it is shown, at full opacity, has the classes' colours exactly where the id map has the classes."""
    page = ready(opened())
    page.set_input_files("#file", FILE)
    found(page)
    page.fill("#opacity", "100")
    files = {}
    for text in ("Id map, PNG", "As shown, PNG", "COCO, JSON"):
        with page.expect_download() as one:
            page.click(f"#downloads button:has-text('{text}')")
        files[one.value.suggested_filename] = one.value.path().read_bytes()
    ids = np.asarray(PIL.Image.open(io.BytesIO(files["slope_ids.png"])))
    shown = np.asarray(PIL.Image.open(io.BytesIO(files["slope_shown.png"])).convert("RGB"))
    np.testing.assert_array_equal(shown, np.array([colour_of(0), colour_of(1)], np.uint8)[ids])
    assert len(json.loads(files["slope_coco.json"])["annotations"]) == 2


def test_hidden_classes_are_not_drawn(opened: Any) -> None:
    page = ready(opened())
    page.set_input_files("#file", FILE)
    found(page)
    page.fill("#opacity", "100")
    for box in page.locator("#legend input").all():
        box.uncheck()
    with page.expect_download() as one:
        page.click("#downloads button:has-text('As shown')")
    shown = np.asarray(PIL.Image.open(one.value.path()).convert("RGB"))
    np.testing.assert_array_equal(shown, PICTURE.pixels)


def test_a_picture_that_browsers_cannot_decode_is_segmented_all_the_same(opened: Any) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(PICTURE.pixels).save(buffer, "TIFF")
    page = ready(opened())
    page.set_input_files("#file", {"name": "slope.tif", "mimeType": "image/tiff", "buffer": buffer.getvalue()})
    assert found(page) == "2 classes"
    assert "mask is shown alone" in page.inner_text("#notes")


def test_a_new_picture_takes_the_place_of_one_under_way(opened: Any, server: PageServer) -> None:
    page = ready(opened())
    server.halves.gate.clear()
    page.set_input_files("#file", FILE)
    assert server.halves.begun.wait(60)
    server.halves.gate.set()
    page.set_input_files("#file", {**FILE, "name": "grey.png", "buffer": png(grey(30, 30))})
    assert found(page) == "1 class"
    assert page.inner_text("#name").startswith("grey.png")


def test_objects_light_up_from_the_table_and_from_the_picture(opened: Any) -> None:
    page = ready(opened())
    page.select_option("#model", "squares")
    page.set_input_files("#file", FILE)
    assert found(page) == "2 objects of 2 classes"
    assert page.locator("#objects-body tr").all_inner_texts() == ["1\thouse\t0.90\t2,400", "2\ttree\t0.80\t600"]
    left, top, wide, high = page.locator("#canvas").bounding_box().values()
    scale = min(wide / 120, high / 80)
    x, y = left + (wide - 120 * scale) / 2 + 10 * scale, top + (high - 80 * scale) / 2 + 10 * scale
    page.mouse.move(x, y)
    assert page.inner_text("#tip") == "tree 2 · 0.80"  # the smaller is on top
    assert page.locator("#objects-body tr.lit").inner_text().startswith("2")
    page.click("#objects-body tr:first-child")
    assert page.get_attribute("#objects-body button", "aria-pressed") == "true"


def test_wheel_zooms_and_fit_takes_it_back(opened: Any) -> None:
    page = ready(opened())
    page.select_option("#model", "squares")
    page.set_input_files("#file", FILE)
    found(page)
    left, top, wide, high = page.locator("#canvas").bounding_box().values()
    scale = min(wide / 120, high / 80)
    page.mouse.move(left + (wide - 120 * scale) / 2 + 10 * scale, top + (high - 80 * scale) / 2 + 10 * scale)
    for _ in range(20):
        page.mouse.wheel(0, -300)
    corner = left + wide * 0.8, top + high * 0.9
    page.mouse.move(*corner)
    page.wait_for_function("document.getElementById('tip').textContent.startsWith('tree')")
    assert page.is_visible("#tip")  # the tree fills the stage
    page.click("#fit")
    page.mouse.move(corner[0] + 1, corner[1])
    assert not page.is_visible("#tip")  # and here is nothing


def test_uncertainty_is_a_layer(opened: Any) -> None:
    page = ready(opened())
    page.select_option("#model", "shares")
    page.click("#options summary")
    page.select_option("#uncertainty", "entropy")
    page.fill("#threshold", "0.25")
    page.set_input_files("#file", FILE)
    assert found(page) == "2 classes"
    assert page.locator("#legend .share").all_inner_texts()[0].startswith("7")  # bright from a quarter on
    assert not page.is_checked("#legend li:nth-child(2) input")  # background is not drawn
    page.click("#layers span:has-text('Uncertainty')")
    assert page.is_visible("#scale")


@pytest.mark.parametrize("by", ["mouse", "keys"])
def test_objects_are_pointed_at(opened: Any, server: PageServer, by: str) -> None:
    page = ready(opened())
    page.select_option("#model", "pointed")
    page.set_input_files("#file", FILE)
    page.wait_for_selector("#stage.shown")
    page.check("[name=tool][value=box]", force=True)
    if by == "mouse":
        left, top, wide, high = page.locator("#canvas").bounding_box().values()
        page.mouse.move(left + wide * 0.4, top + high * 0.4)
        page.mouse.down()
        page.mouse.move(left + wide * 0.6, top + high * 0.6)
        page.mouse.up()
    else:
        page.focus("#canvas")
        for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
            page.keyboard.press(key)
    page.wait_for_function("document.getElementById('pointed').textContent === '1 box'")
    page.click("#run")
    found(page)
    (prompt,) = server.pointed.prompts
    assert prompt.box is not None
    box_left, box_top, right, bottom = prompt.box
    assert 0 < box_left < right < 120
    assert 0 < box_top < bottom < 80


def test_escape_cancels_and_the_server_is_free_again(opened: Any, server: PageServer) -> None:
    page = ready(opened())
    server.halves.gate.clear()
    page.set_input_files("#file", FILE)
    page.wait_for_selector("#busy:not([hidden])")
    assert server.halves.begun.wait(60)
    page.keyboard.press("Escape")
    page.wait_for_selector("#busy", state="hidden")
    assert page.inner_text("#status") == "Cancelled."
    assert not page.is_visible("#trouble")
    server.halves.gate.set()
    page.click("#run")
    assert found(page) == "2 classes"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"this is a text", "This is not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "The picture cannot be read"),
        (png(grey(400, 400)), "The picture is too large"),
    ],
)
def test_a_file_that_will_not_do_is_refused_in_words(opened: Any, content: bytes, title: str) -> None:
    page = ready(opened())
    page.set_input_files("#file", {**FILE, "buffer": content})
    assert trouble(page) == title
    assert not page.is_visible("#retry")
    page.set_input_files("#file", FILE)
    assert found(page) == "2 classes"
    assert not page.is_visible("#trouble")


def test_a_file_of_too_many_bytes_is_not_even_sent(opened: Any) -> None:
    small = PageServer(max_bytes=1000)
    try:
        page = ready(opened(small.address))
        page.on("request", lambda asked: pytest.fail("it was sent") if asked.method == "POST" else None)
        page.set_input_files("#file", {**FILE, "buffer": b"\x89PNG\r\n\x1a\n" + bytes(5000)})
        assert trouble(page) == "The picture is too large"
    finally:
        small.stop()


def test_a_busy_server_says_when_to_ask_again(opened: Any) -> None:
    page = ready(opened())
    error = {"error": {"code": "busy", "message": "too much is under way; try again in 7 s", "retry_after": 7}}
    page.route("**/predict", lambda route: route.fulfill(status=429, json=error), times=1)
    page.set_input_files("#file", FILE)
    assert trouble(page) == "The server is busy"
    assert page.inner_text("#retry").startswith("Try again in ")
    page.click("#retry")
    assert found(page) == "2 classes"


def test_a_server_that_is_gone_is_told_and_may_come_back(opened: Any) -> None:
    page = ready(opened())
    page.route("**/predict", lambda route: route.abort("connectionrefused"), times=1)
    page.set_input_files("#file", FILE)
    assert trouble(page) == "The server does not answer"
    page.click("#retry")
    assert found(page) == "2 classes"


def test_a_token_is_asked_for_and_kept_in_the_tab_alone(opened: Any, tmp_path: Any) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("k" * 24)
    tokens.chmod(0o600)
    guarded = PageServer(token_file=tokens)
    try:
        page = opened(guarded.address)
        assert trouble(page) == "This server wants a token"
        assert page.evaluate("document.activeElement.id") == "token"
        for token, means in (("wrong" * 5, "This token is not known here"), ("k" * 24, "")):
            page.keyboard.type(token)
            page.keyboard.press("Enter")
            if means:
                page.wait_for_function("title => document.getElementById('trouble-title').textContent === title", arg=means)
        ready(page)
        page.set_input_files("#file", FILE)
        assert found(page) == "2 classes"
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        assert page.evaluate("sessionStorage.getItem('pixelwise token')") == "k" * 24
    finally:
        guarded.stop()


def test_colours_and_masks_are_those_of_the_server(opened: Any) -> None:
    """``masks.js`` reads run lengths as ``core.runs`` writes them, and chooses colours as ``draw.colours`` does."""
    page = ready(opened())
    ask = f"import('{page.get_attribute('script', 'src').replace('page.js', 'masks.js')}')"
    assert page.evaluate(
        f"{ask.replace('page/', './page/')}.then((one) => Array.from({{length: 99}}, (_, n) => one.hueOf(n)))"
    ) == [list(colour_of(index)) for index in range(99)]
    rng = np.random.default_rng(3)
    labels = LabelSet((Label("background"), Label("cat", True, (10, 200, 30)), Label("dog", True, (200, 10, 30)), Label("sky")))
    for kind in ("instance", "panoptic", "semantic", "regions"):
        large = rng.random((9, 7)) < 0.6
        ids = rng.integers(0, 4, (9, 7))
        stacked = (
            np.stack([large, ids == 1, ids == 2, ids == 3]) if kind == "instance" else np.stack([ids == n for n in range(4)])
        )
        classes = [0] * 4 if kind == "regions" else [0, 1, 2, 3] if kind == "semantic" else [1, 1, 2, 3]
        truth = Segmentation.from_masks(kind, stacked, classes, labels)
        segments = [
            {"class_id": classes[at], "area": int(one.sum()), "run_lengths": {"counts": encode(one).counts.decode()}}
            for at, one in enumerate(stacked)
        ]
        given = [
            segments,
            kind,
            [{"name": one.name, "colour": list(one.colour), "is_thing": one.is_thing} for one in labels.labels],
        ]
        told = page.evaluate(
            f"""([segments, kind, classes]) => {ask.replace("page/", "./page/")}.then((one) => ({{
              colours: one.coloursOf(segments, kind, classes),
              ids: Array.from(one.placed(segments, () => true, [9, 7]).ids)}}))""",
            given,
        )
        assert told["colours"] == segment_colours(truth).tolist(), kind
        np.testing.assert_array_equal(np.array(told["ids"]).reshape(9, 7), truth.panoptic_ids(), kind)
