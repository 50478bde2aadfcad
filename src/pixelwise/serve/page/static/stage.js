// The stage: a picture with layers over it, zoomed and moved by wheel, fingers, mouse and keys.
// What happens on it is told by events, with places in pixels of the picture: "over", "leave", "press", "drag", "release",
// "split" and "key".

const MOST = 40; // screen pixels a pixel of the picture
const TAP = 5; // screen pixels within which a press is no drag

export class Stage extends EventTarget {
  constructor(place, canvas) {
    super();
    Object.assign(this, { place, canvas, pen: canvas.getContext("2d") });
    this.size = null; // [height, width] of the picture
    this.picture = this.areas = this.lines = this.heat = this.lit = null;
    this.opacity = 0.5;
    this.split = 0; // the share of the width, from the left, that shows the picture alone
    this.layer = "mask";
    this.hasLines = true;
    this.tool = "move";
    this.marks = () => {}; // draws what is pointed at
    this.view = { scale: 1, x: 0, y: 0, isFitted: true };
    this.fingers = new Map();
    new ResizeObserver(() => this.resized()).observe(canvas);
    this.listen();
  }

  /** Show a picture, a bitmap or null where the browser cannot decode it, of [height, width]. */
  show(picture, size) {
    this.picture?.close?.();
    Object.assign(this, { picture, size, areas: null, lines: null, heat: null, lit: null });
    this.place.classList.toggle("shown", Boolean(size));
    this.fit();
  }

  set(what) {
    Object.assign(this, what);
    this.place.dataset.tool = this.tool;
    this.touch();
    this.draw();
  }

  fit() {
    if (!this.size) return this.draw();
    const [height, width] = this.size, { clientWidth: wide, clientHeight: high } = this.canvas;
    const scale = Math.min(wide / width, high / height);
    this.view = { scale, x: (wide - width * scale) / 2, y: (high - height * scale) / 2, isFitted: true };
    this.touch();
    return this.draw();
  }

  /** Zoom by a factor about a place on the screen, the middle unless it is given. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.size) return;
    const least = Math.min(this.canvas.clientWidth / this.size[1], this.canvas.clientHeight / this.size[0]);
    const { view } = this, scale = Math.min(Math.max(view.scale * factor, least), Math.max(MOST, least));
    if (scale <= least * 1.001) return void this.fit();
    const ratio = scale / view.scale;
    this.view = { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, isFitted: false };
    this.kept();
  }

  move(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.kept();
  }

  /** Keep the picture in sight: centred where it is smaller than the stage, without a gap where it is larger. */
  kept() {
    const { view } = this, [height, width] = this.size;
    const within = (at, long, room) => (long <= room ? (room - long) / 2 : Math.min(0, Math.max(room - long, at)));
    view.x = within(view.x, width * view.scale, this.canvas.clientWidth);
    view.y = within(view.y, height * view.scale, this.canvas.clientHeight);
    this.touch();
    this.draw();
  }

  touch() {
    // a finger on a picture that is seen whole scrolls the page; on one that is zoomed in, or pointed at, it does not
    this.canvas.style.touchAction = this.size && !(this.view.isFitted && this.tool === "move") ? "none" : "pan-y";
  }

  resized() {
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (this.view.isFitted) this.fit();
    else this.kept();
  }

  toScreen(x, y) {
    return [this.view.x + x * this.view.scale, this.view.y + y * this.view.scale];
  }

  toPicture(x, y) {
    return [(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale];
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint(this.pen, this.view, devicePixelRatio);
    });
  }

  /** Draw the picture as it is seen, at its full size, for a file. */
  whole(canvas) {
    this.paint(canvas.getContext("2d"), { scale: 1, x: 0, y: 0 }, 1, true);
    return canvas;
  }

  paint(pen, view, ratio, isFile = false) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
    if (!this.size) return;
    const [height, width] = this.size;
    pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
    pen.imageSmoothingEnabled = view.scale < 2;
    pen.imageSmoothingQuality = "high";
    if (this.picture) pen.drawImage(this.picture, 0, 0, width, height);
    else {
      pen.fillStyle = "#777";
      pen.fillRect(0, 0, width, height);
    }
    const from = isFile ? 0 : this.split * width;
    pen.save();
    pen.beginPath();
    pen.rect(from, 0, width - from, height);
    pen.clip();
    this.paintLayers(pen, width, height);
    pen.restore();
    if (isFile) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (from > 0 && this.areas) this.paintSplit(pen, view.x + from * view.scale, view.y, height * view.scale);
    this.marks(pen);
  }

  paintLayers(pen, width, height) {
    pen.globalAlpha = this.opacity;
    if (this.layer === "heat" && this.heat) pen.drawImage(this.heat, 0, 0, width, height);
    if (this.layer === "mask" && this.areas) {
      pen.drawImage(this.areas, 0, 0, width, height);
      pen.globalAlpha = Math.min(1, this.opacity * 2);
      if (this.hasLines) pen.drawImage(this.lines, 0, 0, width, height);
    }
    pen.globalAlpha = 1;
    if (this.lit) pen.drawImage(this.lit.canvas, ...this.lit.box);
  }

  paintSplit(pen, x, y, high) {
    const top = Math.max(0, y), bottom = Math.min(this.canvas.clientHeight, y + high);
    pen.fillStyle = "rgb(0 0 0 / .45)";
    pen.fillRect(x - 2, top, 4, bottom - top);
    pen.fillStyle = "#fff";
    pen.fillRect(x - 1, top, 2, bottom - top);
    pen.beginPath();
    pen.arc(x, (top + bottom) / 2, 9, 0, 2 * Math.PI);
    pen.fill();
    pen.strokeStyle = "rgb(0 0 0 / .45)";
    pen.stroke();
  }

  tell(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
  }

  listen() {
    const { canvas } = this, at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("wheel", (event) => {
      if (!this.size) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.pressed(event, at(event)));
    canvas.addEventListener("pointermove", (event) => this.moved(event, at(event)));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.lifted(event, at(event)));
    canvas.addEventListener("pointerleave", () => this.tell("leave"));
    canvas.addEventListener("dblclick", () => this.tool === "move" && this.fit());
    canvas.addEventListener("keydown", (event) => this.typed(event));
  }

  pressed(event, at) {
    if (!this.size || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, at);
    this.start = at;
    const isAtSplit = this.split > 0 && Math.abs(at[0] - this.toScreen(this.split * this.size[1], 0)[0]) < 12;
    this.held = this.fingers.size > 1 ? "pinch" : isAtSplit ? "split" : this.tool === "move" ? "move" : "tool";
    this.place.classList.toggle("grabbed", this.held === "move");
    if (this.held === "tool") this.tell("press", this.toPicture(...at));
  }

  moved(event, at) {
    if (!this.size) return;
    const before = this.fingers.get(event.pointerId);
    if (!before) return void this.tell("over", { picture: this.toPicture(...at), screen: at });
    if (this.held === "pinch") this.pinched(event.pointerId, before, at);
    this.fingers.set(event.pointerId, at);
    if (this.held === "move") this.move(at[0] - before[0], at[1] - before[1]);
    if (this.held === "split") this.tell("split", Math.min(1, Math.max(0, this.toPicture(...at)[0] / this.size[1])));
    if (this.held === "tool") this.tell("drag", this.toPicture(...at));
  }

  pinched(moving, before, now) {
    const other = [...this.fingers].find(([id]) => id !== moving)?.[1];
    if (!other) return;
    const apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
    this.zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    if (!this.view.isFitted) this.move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  lifted(event, at) {
    if (!this.fingers.delete(event.pointerId)) return;
    const isTap = Math.hypot(at[0] - this.start[0], at[1] - this.start[1]) < TAP;
    if (this.held === "tool") this.tell(event.type === "pointerup" ? "release" : "leave", { at: this.toPicture(...at), isTap });
    const isShown = this.held === "move" && isTap && event.type === "pointerup"; // fingers do not hover
    if (isShown) this.tell("over", { picture: this.toPicture(...at), screen: at });
    if (!this.fingers.size) this.held = null;
    this.place.classList.remove("grabbed");
  }

  typed(event) {
    if (!this.size || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 0.1 * Math.min(this.canvas.clientWidth, this.canvas.clientHeight);
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.fit();
    else if (!this.tell("key", event)) return void event.preventDefault(); // taken by who points at things
    else if (moves[event.key]) this.move(...moves[event.key]);
    else return;
    event.preventDefault();
  }
}
