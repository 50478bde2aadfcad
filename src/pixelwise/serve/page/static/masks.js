// Masks: from run lengths to a map of segments, the colours segments are drawn in, and pixels to show.

const MOST_PIXELS = 6e6; // of what is shown; larger pictures are shown at a whole fraction of their size
const BACKGROUNDS = new Set(["background", "_background_", "bg"]);
const SHADES = [0, 0.4, -0.3, 0.2, -0.45, 0.6]; // towards white, or black where negative
const HEAT = [[27, 12, 65], [120, 28, 109], [207, 68, 70], [251, 155, 6], [252, 255, 164]]; // dark is sure, bright unsure

/** Read COCO's compressed run lengths: numbers of pixels outside and inside in turn, down one column after the other. */
export function readCounts(text) {
  const counts = [];
  for (let at = 0; at < text.length; ) {
    let value = 0, shift = 0, bits = 32;
    while (bits & 32) {
      bits = text.charCodeAt(at++) - 48;
      value |= (bits & 31) << shift;
      shift += 5;
    }
    if (bits & 16 && shift < 32) value |= -1 << shift; // negative
    counts.push(value + (counts.length > 2 ? counts[counts.length - 2] : 0));
  }
  return counts;
}

/** Tell by how much a picture of (height, width) is reduced to be shown. */
export function stepOf([height, width]) {
  return Math.max(1, Math.ceil(Math.sqrt((height * width) / MOST_PIXELS)));
}

/** Put segments on a map {ids, width, height, step}: 0 where there is none, else its place + 1; the smaller is on top. */
export function placed(segments, isShown, size) {
  const step = stepOf(size), [tall] = size;
  const height = Math.ceil(size[0] / step), width = Math.ceil(size[1] / step);
  const ids = new (segments.length < 65535 ? Uint16Array : Uint32Array)(width * height);
  const order = segments.map((_, place) => place).filter(isShown).sort((a, b) => segments[b].area - segments[a].area);
  for (const place of order) {
    const one = segments[place];
    one.counts ??= readCounts(one.run_lengths.counts);
    let at = 0;
    one.counts.forEach((count, turn) => {
      if (turn % 2) fill(ids, at, at + count, tall, width, step, place + 1);
      at += count;
    });
  }
  return { ids, width, height, step };
}

/** Count the pixels under the segments of a class, each once. */
export function coveredBy(segments, id, size) {
  const { ids, step } = placed(segments, (place) => segments[place].class_id === id, size);
  return ids.reduce((count, one) => count + (one > 0), 0) * step * step;
}

function fill(ids, from, to, tall, width, step, value) {
  while (from < to) {
    const x = Math.floor(from / tall), end = Math.min(to, (x + 1) * tall);
    if (x % step === 0) {
      const bottom = Math.ceil((end - x * tall) / step);
      for (let y = Math.ceil((from - x * tall) / step); y < bottom; y++) ids[y * width + x / step] = value;
    }
    from = end;
  }
}

/** Tell whether a class is the lack of any other, which is left unpainted. */
export const isBackground = (name, classes) => classes.length > 1 && BACKGROUNDS.has(name?.toLowerCase());

/** Choose the colour of each segment, as the server's own overlays do: of its class, a shade of it, or a hue of its own. */
export function coloursOf(segments, kind, classes) {
  if (kind === "regions") return segments.map((_, place) => hueOf(place));
  const colours = segments.map((one) => classColours(classes)[one.class_id]);
  if (kind === "semantic" || kind === "multilabel") return colours;
  const objects = segments.flatMap((one, place) => (kind !== "panoptic" || classes[one.class_id].is_thing ? [place] : []));
  const isOneClass = new Set(objects.map((place) => segments[place].class_id)).size === 1;
  const counted = new Map();
  for (const place of objects) {
    const nth = counted.get(segments[place].class_id) ?? 0;
    counted.set(segments[place].class_id, nth + 1);
    colours[place] = isOneClass ? hueOf(place) : shade(colours[place], SHADES[nth % SHADES.length]);
  }
  return colours;
}

/** Give classes their own colours, unless several are black because none was ever stated. */
export function classColours(classes) {
  const isBlack = ({ colour }) => !colour.some((part) => part);
  const isUnstated = classes.filter(isBlack).length > 1;
  return classes.map((one, index) => (isUnstated && isBlack(one) ? hueOf(index) : one.colour));
}

/** Choose a colour by a number: hues a golden ratio apart, in three rings of lightness. */
export function hueOf(index) {
  const ring = index % 3, [saturation, value] = [[0.63, 0.7], [0.8, 0.9], [0.55, 0.95]][ring];
  const hue = (((0.59 + index * 0.61803398875) % 1) + (ring === 1 ? 0.115 : 0)) % 1;
  const part = (n) => {
    const k = (n + hue * 6) % 6;
    return even(255 * (value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [part(5), part(3), part(1)];
}

function shade(colour, amount) {
  return colour.map((part) => even(part + ((amount > 0 ? 255 : 0) - part) * Math.abs(amount)));
}

/** Round halves to the even number, as Python does. */
function even(number) {
  const up = Math.round(number);
  return up - number === 0.5 && up % 2 ? up - 1 : up;
}

export const css = (colour) => `rgb(${colour.join(" ")})`;

/** Paint a map as two canvases: the areas, and the outlines. */
export function painted({ ids, width, height }, colours) {
  const areas = new ImageData(width, height), lines = new ImageData(width, height);
  const words = new Uint32Array(colours.length + 1);
  colours.forEach(([red, green, blue], place) => (words[place + 1] = 0xff000000 + (blue << 16) + (green << 8) + red));
  const inside = new Uint32Array(areas.data.buffer), edge = new Uint32Array(lines.data.buffer);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const id = ids[at];
      if (!id) continue;
      inside[at] = words[id];
      const isEdge = (x && ids[at - 1] !== id) || (x + 1 < width && ids[at + 1] !== id)
        || (y && ids[at - width] !== id) || (y + 1 < height && ids[at + width] !== id);
      if (isEdge) edge[at] = words[id];
    }
  }
  return { areas: canvasOf(areas), lines: canvasOf(lines) };
}

/** Paint one segment alone, in white, with where it lies on the map; null where nothing of it is seen. */
export function lit({ ids, width, height, step }, place, [left, top, right, bottom]) {
  const x0 = Math.floor(left / step), y0 = Math.floor(top / step);
  const wide = Math.min(width, Math.ceil(right / step)) - x0, high = Math.min(height, Math.ceil(bottom / step)) - y0;
  if (wide < 1 || high < 1) return null;
  const image = new ImageData(wide, high), words = new Uint32Array(image.data.buffer);
  const isIn = (x, y) => x >= 0 && y >= 0 && x < width && y < height && ids[y * width + x] === place + 1;
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const [u, v] = [x + x0, y + y0];
      if (!isIn(u, v)) continue;
      const isWhole = isIn(u - 1, v) && isIn(u + 1, v) && isIn(u, v - 1) && isIn(u, v + 1);
      words[y * wide + x] = isWhole ? 0x73ffffff : 0xffffffff;
    }
  }
  return { canvas: canvasOf(image), box: [x0 * step, y0 * step, wide * step, high * step] };
}

/** Colour a grey picture of uncertainty: black is sure. */
export async function heated(blob) {
  const grey = await createImageBitmap(blob);
  const canvas = blank(grey.width, grey.height), pen = canvas.getContext("2d");
  pen.drawImage(grey, 0, 0);
  grey.close();
  const image = pen.getImageData(0, 0, canvas.width, canvas.height), words = new Uint32Array(image.data.buffer);
  const table = Uint32Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (HEAT.length - 1), low = Math.min(Math.floor(place), HEAT.length - 2);
    const [red, green, blue] = HEAT[low].map((part, band) => Math.round(part + (HEAT[low + 1][band] - part) * (place - low)));
    return 0xff000000 + (blue << 16) + (green << 8) + red;
  });
  for (let at = 0; at < words.length; at++) words[at] = table[words[at] & 255];
  pen.putImageData(image, 0, 0);
  return canvas;
}

function canvasOf(image) {
  const canvas = blank(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Make an empty canvas. */
export function blank(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}
