// The page: what the user does is turned into requests, and answers into pictures and words. All state is in `now`.

import { Choices } from "./choices.js";
import { offer, unpacked } from "./downloads.js";
import { byId, made } from "./elements.js";
import { awaitFiles } from "./intake.js";
import { coloursOf, heated, isBackground, lit, painted, placed } from "./masks.js";
import { Pointing } from "./pointing.js";
import * as results from "./results.js";
import { checkBytes, listed, megapixels, predicted, token } from "./server.js";
import { Stage } from "./stage.js";
import { allWell, tell } from "./trouble.js";

const HOW_TO_POINT = "Choose what to point with, then click in the picture, or use the arrow keys and Enter.";
const choices = new Choices();
const stage = new Stage(byId("stage"), byId("canvas"));
const pointing = new Pointing(stage);
const objects = new results.Objects();
const now = { limits: null, file: null, result: null, running: null, map: null, hidden: new Set() };

/** Tell what went wrong; `again` is what to do if the user wants it tried again. */
function failed(error, again) {
  if (error.name === "AbortError") return void say("Cancelled.");
  tell(error, now.limits, again);
  if (error.status === 401) byId("docs").hidden = true; // a link cannot show a token
}

const say = (text) => (byId("status").textContent = text);

// --- models ----------------------------------------------------------------------------------------------------------

async function start() {
  try {
    const found = await listed();
    now.limits = found.limits;
    choices.offer(found);
    const models = results.plural(found.models.length, "model");
    byId("about").textContent = `${models} · pictures up to ${megapixels(found.limits.max_pixels)}`;
    byId("docs").hidden = Boolean(token.get());
    allWell();
    if (now.file) run();
  } catch (error) {
    failed(error, start);
  }
}

function mayRun() {
  const isReady = Boolean(now.file && choices.model && !now.running);
  byId("run").disabled = !isReady;
  byId("choose").classList.toggle("primary", !now.file);
  byId("choose").textContent = now.file ? "Another picture" : "Choose a picture";
}

choices.addEventListener("change", () => {
  pointing.isShown = choices.model.takes.prompts;
  stage.set({ tool: pointing.isShown ? stage.tool : "move" });
  document.querySelector(`[name=tool][value=${stage.tool}]`).checked = true;
  mayRun();
});

// --- the picture -----------------------------------------------------------------------------------------------------

async function take(file) {
  cancel();
  now.running = null;
  idle();
  allWell();
  forget();
  now.file = file;
  pointing.clear();
  const bitmap = await createImageBitmap(file).catch(() => null); // TIFF and others: the server reads what browsers do not
  if (now.file !== file) return;
  stage.show(bitmap, bitmap && [bitmap.height, bitmap.width]);
  byId("empty").hidden = Boolean(bitmap);
  byId("zoom").hidden = !bitmap;
  byId("canvas").tabIndex = bitmap ? 0 : -1;
  byId("canvas").ariaLabel = bitmap ? "Picture" : "No picture yet";
  byId("name").textContent = [file.name, bitmap && `${bitmap.width} × ${bitmap.height}`].filter(Boolean).join(" · ");
  mayRun();
  if (choices.model && !choices.model.takes.prompts) run();
  else if (choices.model) say("Point at an object, or segment the whole picture.");
}

function forget() {
  Object.assign(now, { result: null, map: null });
  for (const id of ["result", "looks", "tip"]) byId(id).hidden = true;
  Object.assign(stage, { areas: null, lines: null, heat: null, lit: null });
  stage.draw();
}

awaitFiles(take, () => !stage.size);

// --- asking ----------------------------------------------------------------------------------------------------------

async function run() {
  if (!now.file || !choices.model || now.running) return;
  const { file } = now, { model } = choices, controller = new AbortController();
  const wishes = choices.wishes(pointing.prompts()), forms = ["json", "ids", ...(choices.isUncertain ? ["uncertainty"] : [])];
  now.running = controller;
  allWell();
  const clock = ticking();
  mayRun();
  try {
    checkBytes(file, now.limits);
    const began = performance.now();
    const answer = await (await predicted(model, file, [["forms", forms.join(",")], ...wishes], controller.signal)).json();
    const total = (performance.now() - began) / 1000;
    if (file === now.file) await show({ ...answer.answers.json, total, model, wishes, file }, answer.answers);
  } catch (error) {
    if (file === now.file) failed(error, run);
  } finally {
    clearInterval(clock);
    if (now.running === controller) { // and no other picture has come meanwhile
      now.running = null;
      idle();
      mayRun();
    }
  }
}

/** Show that something goes on, and for how long it has; gives the clock to stop. */
function ticking() {
  const began = performance.now();
  const tick = () => (byId("elapsed").textContent = `Segmenting… ${((performance.now() - began) / 1000).toFixed(1)} s`);
  tick();
  say("Segmenting. Escape cancels.");
  byId("busy").hidden = false;
  return setInterval(tick, 100);
}

/** Show that nothing goes on; the focus does not vanish with the button that had it. */
function idle() {
  const hadFocus = byId("busy").contains(document.activeElement);
  byId("busy").hidden = true;
  if (hadFocus) byId("canvas").focus();
}

function cancel() {
  now.running?.abort();
}

byId("cancel").addEventListener("click", cancel);
addEventListener("keydown", (event) => event.key === "Escape" && cancel());
byId("choices").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!byId("run").disabled) run();
});
byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(byId("token").value.trim());
  byId("token").value = "";
  if (choices.models.length) run();
  else start();
});

// --- showing ---------------------------------------------------------------------------------------------------------

async function show(result, answers) {
  const { segments, size, model, kind } = result, { classes } = model;
  if (!stage.size || String(stage.size) !== String(size)) {
    stage.show(stage.picture, size); // the browser could not decode the picture: its mask is seen alone
    byId("empty").hidden = true;
  }
  byId("zoom").hidden = false;
  byId("canvas").tabIndex = 0;
  now.result = { ...result, colours: coloursOf(segments, kind, classes) };
  now.hidden = new Set(classes.flatMap(({ name }, id) => (kind !== "regions" && isBackground(name, classes) ? [id] : [])));
  stage.heat = answers.uncertainty ? await heated(await unpacked(answers.uncertainty)) : null;
  byId("layers").hidden = !stage.heat;
  if (!stage.heat) chooseLayer("mask");
  const what = results.summary(result);
  byId("found").textContent = what;
  byId("canvas").ariaLabel = `Picture with its mask: ${what}`;
  const notes = [...(result.notes ?? [])];
  if (!stage.picture) notes.push("This browser cannot show the picture; its mask is shown alone.");
  byId("notes").replaceChildren(...notes.map((text) => made("li", { textContent: text })));
  byId("notes").hidden = !notes.length;
  results.legend(result, classes, now.hidden, repaint);
  objects.show(result, now.result.colours);
  results.timings(result.timings, result.total);
  offer(stem(result.file), { ids: await unpacked(answers.ids) }, fetched, stage, (error) => failed(error, null));
  for (const id of ["result", "looks"]) byId(id).hidden = false;
  repaint();
  say(`Done in ${results.duration(result.total)}: ${what}.`);
}

const stem = (file) => (file.name || "picture").replace(/\.[^.]*$/, "") || "picture";

/** Fetch another form of the result that is shown: the same picture, model and wishes. */
async function fetched(form) {
  const { model, file, wishes } = now.result;
  return (await predicted(model, file, [["forms", form], ...wishes.filter(([name]) => name !== "uncertainty")])).blob();
}

/** Paint the segments whose classes are ticked. */
function repaint() {
  const { segments, size, colours, kind } = now.result;
  const isShown = (place) => kind === "regions" || !now.hidden.has(segments[place].class_id);
  now.map = placed(segments, isShown, size);
  stage.set({ ...painted(now.map, colours), lit: null });
  objects.rows.forEach((row, place) => row.classList.toggle("off", !isShown(place)));
}

function light(place, mayScroll = false) {
  const box = place === null ? null : now.result?.segments[place].box;
  stage.set({ lit: box ? lit(now.map, place, box) : null });
  objects.mark(place, mayScroll);
}

objects.addEventListener("light", ({ detail }) => light(detail));
stage.addEventListener("over", ({ detail: { picture: [x, y], screen } }) => {
  if (!now.map) return;
  const [height, width] = now.result.size, { map } = now;
  const isIn = x >= 0 && y >= 0 && x < width && y < height;
  const place = isIn ? map.ids[Math.floor(y / map.step) * map.width + Math.floor(x / map.step)] - 1 : -1;
  if (place < 0) return leave();
  const { class: name, score } = now.result.segments[place];
  const isObject = now.result.kind !== "semantic";
  const called = isObject ? `${name ?? "region"} ${place + 1}` : name;
  byId("tip").textContent = score == null ? called : `${called} · ${score.toFixed(2)}`;
  byId("tip").hidden = false;
  const room = (side) => byId("stage")[`client${side}`] - byId("tip")[`offset${side}`] - 8;
  const [left, top] = [Math.min(screen[0] + 18, room("Width")), Math.min(screen[1] + 18, room("Height"))];
  byId("tip").style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
  if (isObject) light(place, true);
});
stage.addEventListener("leave", leave);

function leave() {
  if (byId("tip").hidden) return;
  byId("tip").hidden = true;
  if (now.result) light(objects.pinned);
}

// --- looks -----------------------------------------------------------------------------------------------------------

function chooseLayer(layer) {
  document.querySelector(`[name=layer][value=${layer}]`).checked = true;
  byId("scale").hidden = layer !== "heat";
  stage.set({ layer });
}

byId("layers").addEventListener("change", ({ target }) => chooseLayer(target.value));
byId("opacity").addEventListener("input", ({ target }) => stage.set({ opacity: target.value / 100 }));
byId("compare").addEventListener("input", ({ target }) => stage.set({ split: target.value / 100 }));
byId("outlines").addEventListener("change", ({ target }) => stage.set({ hasLines: target.checked }));
stage.addEventListener("split", ({ detail }) => {
  byId("compare").value = 100 * detail;
  stage.set({ split: detail });
});
byId("in").addEventListener("click", () => stage.zoom(1.4));
byId("out").addEventListener("click", () => stage.zoom(1 / 1.4));
byId("fit").addEventListener("click", () => stage.fit());
byId("pointing").addEventListener("change", ({ target }) => stage.set({ tool: target.value }));
byId("undo").addEventListener("click", () => pointing.undo());
byId("clear").addEventListener("click", () => pointing.clear());
pointing.addEventListener("change", () => {
  byId("pointed").textContent = pointing.words() || HOW_TO_POINT;
  for (const id of ["undo", "clear"]) byId(id).disabled = !pointing.made.length;
});

pointing.clear();
stage.set({});
start();
