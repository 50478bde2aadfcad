// Files to keep: the id map that came with the answer, the picture as it is seen, and other forms, asked for when wanted.

import { byId, made } from "./elements.js";
import { blank, stepOf } from "./masks.js";

const FORMS = [
  ["Id map, PNG", "ids", "_ids.png"],
  ["As shown, PNG", null, "_shown.png"],
  ["Overlay, PNG", "overlay", "_overlay.png"],
  ["COCO, JSON", "coco", "_coco.json"],
  ["GeoJSON", "geojson", ".geojson"],
];

/** Offer files of a result. `fetched(form)` gives a blob; `stage` draws what is seen; `failed` is told of an error. */
export function offer(stem, have, fetched, stage, failed) {
  const buttons = FORMS.map(([text, form, suffix]) => {
    const button = made("button", { type: "button", textContent: text });
    button.addEventListener("click", async () => {
      if (button.ariaBusy === "true") return;
      button.ariaBusy = "true";
      button.textContent = "Fetching…";
      try {
        if (form) have[form] ??= await fetched(form);
        save(form ? have[form] : await shown(stage), stem + suffix);
      } catch (error) {
        failed(error);
      } finally {
        button.ariaBusy = "false";
        button.textContent = text;
      }
    });
    return button;
  });
  byId("downloads").replaceChildren(...buttons);
}

async function shown(stage) {
  const [height, width] = stage.size, step = stepOf(stage.size);
  const canvas = blank(Math.ceil(width / step), Math.ceil(height / step));
  stage.whole(canvas);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function save(blob, name) {
  const link = made("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
}

/** Make a blob of a form inside an answer of several. */
export async function unpacked({ base64, media_type: type }) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
}
