// The ways in which a picture comes: chosen, taken, dropped anywhere on the page, or pasted.

import { byId } from "./elements.js";

/** Hand every file that comes to `take`; while `isEmpty()`, a click on the stage opens the chooser. */
export function awaitFiles(take, isEmpty) {
  for (const id of ["file", "camera"]) {
    byId(id).addEventListener("change", () => {
      const [file] = byId(id).files;
      byId(id).value = ""; // so that the same file may be chosen again
      if (file) take(file);
    });
  }
  byId("canvas").addEventListener("click", () => isEmpty() && byId("file").click());
  addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) take(file);
  });
  awaitDrops(take);
}

function awaitDrops(take) {
  let depth = 0; // of elements that something is dragged over
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  const shade = () => byId("stage").classList.toggle("over", depth > 0);
  const count = (by) => (event) => {
    if (isFiles(event)) depth += by;
    shade();
  };
  addEventListener("dragenter", count(1));
  addEventListener("dragleave", count(-1));
  addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    shade();
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    event.preventDefault(); // or the browser leaves the page for the file
    take(file);
  });
}
