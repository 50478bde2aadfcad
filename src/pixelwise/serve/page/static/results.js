// What was found, beside the picture: the legend of classes, the table of segments, and where the time went.

import { byId, made, swatch } from "./elements.js";
import { classColours, coveredBy, css, isBackground } from "./masks.js";

const MOST_NAMES = 30; // of classes that were not found
const FIRST_ROWS = 100; // of the table; the others come on request
const STAGES = [["decode", "Decode"], ["wait", "Wait"], ["predict", "Predict"], ["transfer", "Transfer"]];

/** Write a share for people: whole numbers have one digit behind the point, and what is not zero never reads as zero. */
export function percent(share) {
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`;
}

export function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}

/** Write a number of things. */
export function plural(count, word, words = `${word}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? word : words}`;
}

/** Say in a few words what was found. */
export function summary({ kind, segments }) {
  if (!segments.length) return "Nothing was found";
  if (kind === "regions") return plural(segments.length, "region");
  const classes = new Set(segments.map((one) => one.class_id)).size;
  if (kind === "semantic" || kind === "multilabel") return plural(classes, "class", "classes");
  const found = plural(segments.length, kind === "panoptic" ? "segment" : "object");
  return classes > 1 ? `${found} of ${plural(classes, "class", "classes")}` : found;
}

/** Write the legend; `hidden` is a set of class ids that is changed by ticks, after which `changed` is called. */
export function legend({ kind, segments, size }, classes, hidden, changed) {
  byId("legend-part").hidden = kind === "regions" || !segments.length;
  if (kind === "regions") return;
  const areas = new Map();
  for (const { class_id: id, area } of segments) areas.set(id, (areas.get(id) ?? 0) + area);
  if (kind === "instance") for (const id of areas.keys()) areas.set(id, coveredBy(segments, id, size)); // they may overlap
  const colours = classColours(classes), whole = size[0] * size[1];
  const count = (id) => segments.filter((one) => one.class_id === id).length;
  const isCounted = kind === "instance" || kind === "panoptic";
  const rows = [...areas].sort((a, b) => b[1] - a[1]).map(([id, area]) => {
    const share = area / whole, box = made("input", { type: "checkbox", checked: !hidden.has(id) });
    const length = made("i");
    Object.assign(length.style, { width: `${Math.min(100, 100 * share)}%`, background: css(colours[id]) });
    const many = isCounted && count(id) > 1 ? ` × ${count(id)}` : "";
    const row = made("li", {}, made("label", {}, box, swatch(css(colours[id])),
      made("span", { className: "called", textContent: classes[id].name + many }),
      made("span", { className: "share", textContent: percent(share) }),
      made("span", { className: "length", ariaHidden: "true" }, length)));
    row.classList.toggle("off", hidden.has(id));
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](id);
      row.classList.toggle("off", !box.checked);
      changed();
    });
    return row;
  });
  byId("legend").replaceChildren(...rows);
  const absent = classes.filter(({ name }, id) => !areas.has(id) && !isBackground(name, classes)).map(({ name }) => name);
  const more = absent.length > MOST_NAMES ? ` and ${absent.length - MOST_NAMES} more` : "";
  byId("absent").textContent = absent.length ? `Not found: ${absent.slice(0, MOST_NAMES).join(", ")}${more}` : "";
}

/** The table of segments, whose rows light up what they are of. */
export class Objects extends EventTarget {
  constructor() {
    super();
    this.rows = [];
    this.pinned = null;
    byId("more").addEventListener("click", () => this.fill(this.segments.length));
  }

  show({ kind, segments }, colours) {
    Object.assign(this, { segments, colours, pinned: null, rows: [] });
    const isUnsure = segments.some((one) => one.uncertainty !== undefined);
    this.columns = [
      kind === "regions" ? null : ["Class", (one) => one.class, "text"],
      segments.some((one) => one.score !== null) ? ["Score", (one) => (one.score ?? 0).toFixed(2)] : null,
      isUnsure ? ["Unsure", (one) => one.uncertainty?.toFixed(2) ?? ""] : null,
      ["Pixels", (one) => one.area.toLocaleString("en")],
    ].filter(Boolean);
    byId("objects").hidden = kind === "semantic" || !segments.length;
    byId("objects-title").textContent = kind === "regions" ? "Regions" : "Segments";
    const heads = [["Nr", null, ""], ...this.columns];
    const head = ([text, , className = ""]) => made("th", { scope: "col", textContent: text, className });
    byId("objects-head").replaceChildren(...heads.map(head));
    byId("objects-body").replaceChildren();
    if (!byId("objects").hidden) this.fill(FIRST_ROWS);
  }

  fill(most) {
    for (let place = this.rows.length; place < Math.min(most, this.segments.length); place++) this.rows.push(this.row(place));
    byId("objects-body").append(...this.rows.slice(byId("objects-body").children.length));
    byId("more").hidden = this.rows.length >= this.segments.length;
    byId("more").textContent = `Show all ${this.segments.length.toLocaleString("en")}`;
  }

  row(place) {
    const one = this.segments[place];
    const number = String(place + 1), ariaLabel = `Show ${one.class ?? "region"} ${number}`;
    const properties = { type: "button", ariaPressed: "false", ariaLabel };
    const button = made("button", properties, swatch(css(this.colours[place])), number);
    const cells = this.columns.map(([, text, kind = ""]) => made("td", { textContent: text(one), className: kind }));
    const row = made("tr", {}, made("td", {}, button), ...cells);
    row.addEventListener("click", () => this.pin(this.pinned === place ? null : place));
    row.addEventListener("mouseenter", () => this.tell(place));
    row.addEventListener("mouseleave", () => this.tell(this.pinned));
    button.addEventListener("focus", () => button.matches(":focus-visible") && this.tell(place));
    button.addEventListener("blur", () => this.tell(this.pinned));
    return row;
  }

  pin(place) {
    this.pinned = place;
    this.rows.forEach((row, at) => (row.querySelector("button").ariaPressed = String(at === place)));
    this.tell(place);
  }

  tell(place) {
    this.dispatchEvent(new CustomEvent("light", { detail: place }));
  }

  /** Mark the row of a segment, and bring it to sight within its table. */
  mark(place, mayScroll) {
    this.rows.forEach((row, at) => row.classList.toggle("lit", at === place));
    const row = this.rows[place], box = row?.closest(".rows");
    if (!row || !mayScroll) return;
    const { offsetTop: top, offsetHeight: height } = row, head = 30;
    const isSeen = top >= box.scrollTop + head && top + height <= box.scrollTop + box.clientHeight;
    if (!isSeen) box.scrollTop = top - box.clientHeight / 2; // scrollIntoView would move the page as well
  }
}

/** Show where the time of a request went; what the server does not account for is transfer. */
export function timings(spent, total) {
  const known = STAGES.slice(0, -1).map(([name, word]) => [name, word, spent[name] ?? 0]);
  const rest = Math.max(0, total - known.reduce((sum, [, , seconds]) => sum + seconds, 0));
  const parts = [...known, [...STAGES[STAGES.length - 1], rest]];
  byId("spent").replaceChildren(...parts.map(([name, , seconds]) => {
    const part = made("i", { className: `part-${name}` });
    part.style.flexGrow = 1000 * seconds; // below a sum of 1 they would leave room
    return part;
  }));
  byId("timings").replaceChildren(...parts.flatMap(([name, word, seconds]) => [
    made("dt", {}, made("i", { className: `part-${name}`, ariaHidden: "true" }), word),
    made("dd", { textContent: duration(seconds) }),
  ]));
}
