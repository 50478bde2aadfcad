// Elements of the page: found by id, and made.

export const byId = (id) => document.getElementById(id);

/** Make an element with properties and children; texts are texts, never markup. */
export function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Make a swatch of a colour, which only decorates. */
export function swatch(colour) {
  const found = made("i", { className: "swatch", ariaHidden: "true" });
  found.style.background = colour;
  return found;
}
