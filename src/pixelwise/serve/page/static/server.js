// Talk to the server: what it has, what it finds, and what it refuses, put into words for people.
// Addresses are relative to the page, so that it works below any prefix.

const KEPT = "pixelwise token";

/** A request that was not met: a status of HTTP, 0 where no answer came, and what the server said. */
export class Refused extends Error {
  constructor(status, code, message, retryAfter = null, id = "") {
    super(message);
    Object.assign(this, { status, code, retryAfter, id });
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (word) => (word ? sessionStorage.setItem(KEPT, word) : sessionStorage.removeItem(KEPT)),
};

/** List models, forms and limits. */
export async function listed() {
  return (await ask("v1/models", {})).json();
}

/** Segment a picture; `wishes` are pairs of a field and its value. */
export async function predicted(model, file, wishes, signal) {
  const form = new FormData();
  for (const [name, value] of wishes) form.append(name, value);
  form.append("image", file, "image"); // a user's file names are none of the server's business
  const place = `v1/models/${encodeURIComponent(model.model)}/versions/${encodeURIComponent(model.version)}/predict`;
  return ask(place, { method: "POST", body: form, signal });
}

async function ask(path, request) {
  const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  let answer;
  try {
    answer = await fetch(new URL(path, document.baseURI), { ...request, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable", "");
  }
  if (answer.ok) return answer;
  const error = (await answer.json().catch(() => ({}))).error ?? {}; // a proxy's page is no JSON
  const after = Number(error.retry_after ?? answer.headers.get("Retry-After")), id = answer.headers.get("X-Request-Id") ?? "";
  throw new Refused(answer.status, error.code ?? "", error.message ?? "", after > 0 ? Math.ceil(after) : null, id);
}

/** Refuse a file that the server would refuse for its size, before it is sent. */
export function checkBytes(file, limits) {
  if (limits && file.size > limits.max_bytes) {
    throw new Refused(413, "file_too_large", `the file has ${bytes(file.size)}`);
  }
}

const TITLES = {
  0: "The server does not answer",
  401: "This server wants a token",
  408: "The connection was too slow",
  413: "The picture is too large",
  415: "This is not a picture",
  429: "The server is busy",
  500: "The server failed",
  503: "The server is not ready",
  504: "That took too long",
};
const TEXTS = {
  0: "It may have stopped, or the connection is gone. Your picture and options are still here.",
  408: "The picture did not arrive in time.",
  415: "The server reads JPEG, PNG, TIFF, WebP, BMP, GIF, PPM and JPEG 2000, and this file is none of them.",
  429: "It has as much to do as it can take.",
  502: "What stands between here and the server gets no answer from it.",
};
const FIXED = new Set([400, 403, 404, 405, 413, 414, 415, 421, 422, 431]); // asked again, the answer is the same

/** Say what was refused: a title, a sentence, whether asking again may help, and after how many seconds. */
export function told(refused, limits) {
  const { status, code } = refused;
  let title = TITLES[status] ?? (status >= 500 ? TITLES[500] : "The server refused this");
  let text = TEXTS[status] ?? sentence(refused.message);
  if (status === 401) text = "Ask whoever runs the server for one.";
  if (code === "token_wrong") [title, text] = ["This token is not known here", "Check it, or ask whoever runs the server."];
  if (status === 413 && limits && code !== "too_large_for_model") {
    const sides = /(\d+) x (\d+)/.exec(refused.message);
    const own = sides ? `It has ${sides[1]} × ${sides[2]} pixels.` : code === "body_too_large" ? "" : text;
    text = `${own} This server takes pictures of up to ${megapixels(limits.max_pixels)} and ${bytes(limits.max_bytes)}.`;
  }
  if (status === 422) title = /decod|pixels/.test(code) ? "The picture cannot be read" : "The model cannot do that";
  if (status >= 500 && refused.id) text += ` In its log this is request ${refused.id}.`;
  return { title, text: text.trim(), mayRetry: !FIXED.has(status) && status !== 401, after: refused.retryAfter };
}

/** Write a refusal as a sentence: a large letter in front, unless it begins with a field's name, and a full stop. */
function sentence(message) {
  const plain = message.replace(/^\w+: /, "");
  return plain ? plain[0].toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".") : "";
}

/** Write a number of pixels for people. */
export function megapixels(count) {
  const text = (count / 1e6).toLocaleString("en", { maximumSignificantDigits: 3 });
  return `${text} megapixel${text === "1" ? "" : "s"}`;
}

/** Write a number of bytes for people. */
export function bytes(count) {
  if (count < 1e5) return `${Math.max(1, Math.round(count / 1e3))}\u00a0kB`;
  return `${(count / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0MB`;
}
