// What the user chooses: a model, its version, and options of a request.

import { byId, made } from "./elements.js";

const KINDS = {
  semantic: "a class for each pixel",
  multilabel: "classes that may overlap",
  instance: "objects, one by one",
  panoptic: "objects and surroundings",
  regions: "regions without classes",
};
const MEASURES = {
  entropy: "entropy",
  margin: "margin of the two likeliest",
  disagreement: "disagreement with the mirror image",
};

export class Choices extends EventTarget {
  constructor() {
    super();
    this.models = [];
    byId("model").addEventListener("change", () => this.named());
    byId("version").addEventListener("change", () => this.chosen());
  }

  /** Offer the models of a server; the default one is chosen. */
  offer({ models, default: first }) {
    this.models = models;
    const names = [...new Set(models.map((one) => one.model))];
    byId("model").replaceChildren(...names.map((name) => made("option", { value: name, textContent: name })));
    byId("model").value = first;
    byId("model").disabled = byId("choices").hidden = false;
    this.named();
  }

  named() {
    const versions = this.models.filter((one) => one.model === byId("model").value).map((one) => one.version);
    byId("version").replaceChildren(...versions.map((version) => made("option", { value: version, textContent: version })));
    byId("version").value = versions[versions.length - 1]; // the server's default is the last one too
    byId("versions").hidden = versions.length < 2;
    this.chosen();
  }

  get model() {
    return this.models.find((one) => one.model === byId("model").value && one.version === byId("version").value) ?? null;
  }

  /** Show the options that the model chosen can meet. */
  chosen() {
    const { kind, classes, takes } = this.model;
    const named = kind === "regions" || classes.length < 2 ? "" : `, ${classes.length} classes`;
    byId("model-about").textContent = `Finds ${KINDS[kind] ?? kind}${named}.`;
    for (const field of document.querySelectorAll("[data-takes]")) {
      const can = takes[field.dataset.takes];
      field.hidden = Array.isArray(can) ? !can.length : !can;
    }
    byId("uncertainty").replaceChildren(
      made("option", { value: "", textContent: "not measured" }),
      ...takes.uncertainty.map((measure) => made("option", { value: measure, textContent: MEASURES[measure] ?? measure })),
    );
    byId("pointing").hidden = !takes.prompts;
    const hasClasses = kind !== "regions" && classes.length > 1;
    byId("classes").hidden = !hasClasses;
    byId("class-list").replaceChildren(...(hasClasses ? classes.map(tick) : []));
    byId("options").hidden = !hasClasses && ![...document.querySelectorAll("[data-takes]")].some((field) => !field.hidden);
    this.dispatchEvent(new Event("change"));
  }

  /** Give what is asked for as pairs of a field and its value, without what is left at the model's own. */
  wishes(objects) {
    const takes = (name) => !document.querySelector(`[data-takes=${name}]`).hidden;
    const found = [];
    if (takes("threshold") && byId("threshold").value) found.push(["threshold", byId("threshold").value]);
    if (takes("tile") && byId("tile").value) found.push(["tile", byId("tile").value]);
    if (takes("flips") && byId("flips").checked) found.push(["flips", "true"]);
    if (this.isUncertain) found.push(["uncertainty", byId("uncertainty").value]);
    const classes = [...byId("class-list").querySelectorAll("input:checked")].map((one) => one.value);
    if (classes.length) found.push(["classes", JSON.stringify(classes)]);
    if (this.model.takes.prompts && objects.length) found.push(["prompts", JSON.stringify(objects)]);
    return found;
  }

  get isUncertain() {
    return Boolean(this.model?.takes.uncertainty.length && byId("uncertainty").value);
  }
}

function tick({ name }) {
  const box = made("input", { type: "checkbox", value: name });
  return made("label", { className: "tick" }, box, made("span", { textContent: name }));
}
