// Point at objects in the picture: points in and outside of them, and boxes, by mouse, finger or keys.
// A box begins an object, and points after it belong to it; without a box, all points belong to one object.

const KINDS = [
  ["box", "box", "boxes"],
  ["inside", "point in the object", "points in objects"],
  ["outside", "point in the background", "points in the background"],
];
const INSIDE = "#1fb65c", OUTSIDE = "#e5484d", BOX = "#ffd23f";

export class Pointing extends EventTarget {
  constructor(stage) {
    super();
    this.stage = stage;
    this.isShown = false; // the model chosen takes prompts
    this.made = []; // {kind, at} in the order they were made
    this.corner = null; // of a box that is being drawn
    this.cursor = null; // moved by keys
    stage.marks = (pen) => this.paint(pen);
    stage.addEventListener("press", ({ detail }) => this.begin(detail));
    stage.addEventListener("drag", ({ detail }) => this.go(detail));
    stage.addEventListener("release", ({ detail }) => this.end(detail.at, detail.isTap));
    stage.addEventListener("leave", () => this.stage.held === "tool" && this.drop());
    stage.addEventListener("key", (event) => this.typed(event.detail) && event.preventDefault());
  }

  get tool() {
    return this.stage.tool;
  }

  clear() {
    this.made = [];
    this.corner = this.cursor = null;
    this.changed();
  }

  undo() {
    if (this.corner) this.corner = null;
    else this.made.pop();
    this.changed();
  }

  changed() {
    this.stage.draw();
    this.dispatchEvent(new Event("change"));
  }

  /** Write what was pointed at as the server reads it: a list of objects. */
  prompts() {
    const objects = [];
    for (const { kind, at } of this.made) {
      if (kind === "box") objects.push({ box: at });
      else {
        if (!objects.length) objects.push({});
        const last = objects[objects.length - 1];
        (last.points ??= []).push([...at, kind === "inside"]);
      }
    }
    return objects;
  }

  /** Say in words what was pointed at. */
  words() {
    const count = (kind) => this.made.filter((one) => one.kind === kind).length;
    const parts = KINDS.map(([kind, one, many]) => [count(kind), one, many]).filter(([n]) => n);
    return parts.map(([n, one, many]) => `${n} ${n === 1 ? one : many}`).join(", ");
  }

  /** Keep a place within the picture; a point is at most the last pixel, the side of a box may be the border. */
  within([x, y], reach = 0) {
    const [height, width] = this.stage.size;
    const inside = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    return [inside(x, width - 1 + reach), inside(y, height - 1 + reach)];
  }

  begin(at) {
    this.cursor = null;
    if (this.tool === "box") this.corner = this.far = this.within(at, 1);
    this.stage.draw();
  }

  go(at) {
    if (this.corner) this.far = this.within(at, 1);
    this.stage.draw();
  }

  end(at, isTap) {
    if (this.tool === "box") this.close(this.within(at, 1));
    else if (isTap) this.add(this.tool, this.within([at[0] - 0.5, at[1] - 0.5]));
  }

  drop() {
    this.corner = null;
    this.stage.draw();
  }

  close([x, y]) {
    if (!this.corner) return;
    const [u, v] = this.corner, box = [Math.min(u, x), Math.min(v, y), Math.max(u, x), Math.max(v, y)];
    this.corner = null;
    if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) this.add("box", box);
    else this.stage.draw();
  }

  add(kind, at) {
    this.made.push({ kind, at });
    this.changed();
  }

  /** Take a key if it points; the cursor begins in the middle of the picture. */
  typed(event) {
    if (this.tool === "move") return false;
    const [height, width] = this.stage.size, step = Math.max(1, Math.min(height, width) / (event.shiftKey ? 10 : 60));
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    this.cursor ??= [width / 2, height / 2];
    if (moves) this.cursor = this.within([this.cursor[0] + moves[0], this.cursor[1] + moves[1]], 1);
    else if (event.key === "Backspace" || event.key === "Delete") this.undo();
    else if (event.key !== "Enter" && event.key !== " ") return false;
    else if (this.tool !== "box") this.add(this.tool, this.within(this.cursor));
    else if (this.corner) this.close(this.cursor);
    else this.corner = [...this.cursor];
    if (this.corner) this.far = this.cursor;
    this.stage.draw();
    return true;
  }

  paint(pen) {
    if (!this.isShown) return;
    for (const { kind, at } of this.made) {
      if (kind === "box") this.paintBox(pen, at);
      else this.paintPoint(pen, at, kind);
    }
    if (this.corner) this.paintBox(pen, [...this.corner, ...this.far]);
    if (this.cursor && this.tool !== "move" && document.activeElement === this.stage.canvas) this.paintCursor(pen);
  }

  paintBox(pen, [left, top, right, bottom]) {
    const [x, y] = this.stage.toScreen(left, top), [u, v] = this.stage.toScreen(right, bottom);
    for (const [width, colour] of [[4, "rgb(0 0 0 / .55)"], [2, BOX]]) {
      Object.assign(pen, { lineWidth: width, strokeStyle: colour });
      pen.strokeRect(x, y, u - x, v - y);
    }
  }

  paintPoint(pen, [x, y], kind) {
    const [u, v] = this.stage.toScreen(x + 0.5, y + 0.5);
    pen.beginPath();
    pen.arc(u, v, 8, 0, 2 * Math.PI);
    Object.assign(pen, { fillStyle: kind === "inside" ? INSIDE : OUTSIDE, strokeStyle: "#fff", lineWidth: 2 });
    pen.fill();
    pen.stroke();
    pen.beginPath(); // a plus or a minus, as colour alone does not tell everybody
    pen.moveTo(u - 4, v);
    pen.lineTo(u + 4, v);
    if (kind === "inside") {
      pen.moveTo(u, v - 4);
      pen.lineTo(u, v + 4);
    }
    pen.stroke();
  }

  paintCursor(pen) {
    const [u, v] = this.stage.toScreen(...this.cursor);
    for (const [width, colour] of [[4, "rgb(0 0 0 / .6)"], [2, "#fff"]]) {
      Object.assign(pen, { lineWidth: width, strokeStyle: colour });
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(u + 4 * dx, v + 4 * dy);
        pen.lineTo(u + 14 * dx, v + 14 * dy);
      }
      pen.stroke();
    }
  }
}
