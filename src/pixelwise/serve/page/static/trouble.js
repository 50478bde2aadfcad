// What went wrong, told in words, with a way to go on.

import { byId } from "./elements.js";
import { Refused, told } from "./server.js";

let again = null; // what to do if the user wants it tried again
let counting = 0;

/** Tell of an error; `retry` does what failed once more. A server that wants a token is given the field for one. */
export function tell(error, limits, retry) {
  const isOurs = !(error instanceof Refused);
  if (isOurs) console.error(error);
  const { title, text, mayRetry, after } = isOurs
    ? { title: "The page failed", text: `Load it again; it says: ${error.message}`, mayRetry: false, after: null }
    : told(error, limits);
  byId("trouble-title").textContent = title;
  byId("trouble-text").textContent = text;
  byId("retry").hidden = !mayRetry || !retry;
  again = retry;
  byId("trouble").classList.toggle("calm", error.code === "token_missing");
  byId("trouble").hidden = false;
  byId("key").hidden = error.status !== 401;
  if (error.status === 401) byId("token").focus();
  countDown(after);
}

/** Take back what was told. */
export function allWell() {
  clearTimeout(counting);
  for (const id of ["trouble", "key"]) byId(id).hidden = true;
}

/** Count the seconds down after which a busy server may be asked again; the button may be pressed before. */
function countDown(seconds) {
  clearTimeout(counting);
  byId("retry").textContent = seconds ? `Try again in ${seconds} s` : "Try again";
  if (seconds) counting = setTimeout(() => countDown(seconds - 1), 1000);
}

byId("retry").addEventListener("click", () => {
  allWell();
  again?.();
});
