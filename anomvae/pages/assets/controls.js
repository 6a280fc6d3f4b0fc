"use strict";
// The controls of a map: a row for each layer (switch, opacity, legend), the threshold, and buttons.

const anomvaeControls = (() => {
  const { make, draw, figure, withUnit } = anomvae;
  const STEPS = 1000; // of the slider of the threshold

  function swatch(colour) {
    const drawing = draw("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" });
    drawing.append(draw("rect", { width: 12, height: 12, fill: colour, rx: 2 }));
    return drawing;
  }

  function legendOfClasses(data) {
    const shown = data.classes.filter((one) => one.colour);
    return make("ul", { class: "legend" },
      shown.map((one) => make("li", {}, swatch(one.colour), make("span", {}, one.name))));
  }

  /** The ramp with its ends, as a strip. */
  function legendOfScores(data) {
    const strip = make("canvas", { class: "ramp", width: 128, height: 1, role: "presentation" });
    const pen = strip.getContext("2d");
    for (let at = 0; at < 128; at++) {
      pen.fillStyle = `rgb(${anomvaeLayers.ramp(at / 127).join(",")})`;
      pen.fillRect(at, 0, 1, 1);
    }
    return make("div", { class: "ramp-row" }, make("span", {}, figure(data.low, 3)), strip,
      make("span", {}, withUnit(figure(data.high, 3), data.unit)));
  }

  function legend(data) {
    if (data.kind === "classes") return legendOfClasses(data);
    return data.kind === "scores" ? legendOfScores(data) : null;
  }

  /** A row of the panel for the layers of one name; `changed` is called when they change. */
  function layerRow(states, changed) {
    const [state] = states, { data } = state;
    const shown = make("input", {
      type: "checkbox", ".checked": state.shown,
      onchange: () => { for (const one of states) one.shown = shown.checked; changed(); },
    });
    const words = () => `${Math.round(100 * state.opacity)} %`;
    const share = make("output", { "aria-hidden": "true", title: "opacity" }, words());
    const opacity = make("input", {
      type: "range", min: 0, max: 100, step: 1, ".value": Math.round(100 * state.opacity),
      "aria-label": `Opacity of ${data.name}`, "aria-valuetext": words(), title: "opacity",
      oninput: () => {
        for (const one of states) one.opacity = opacity.value / 100;
        share.textContent = words();
        opacity.setAttribute("aria-valuetext", words());
        changed();
      },
    });
    return make("li", { class: "layer" },
      make("label", { class: "layer-name" }, shown, make("span", { dir: "auto" }, data.name), share), opacity, legend(data));
  }

  /** A slider of the threshold on the scale of a layer of scores. */
  function thresholdRow(layer, threshold, moved) {
    const t = layer.t, from = t(layer.data.low), to = t(layer.data.high);
    const place = (score) => Math.round(STEPS * (t(score) - from) / (to - from));
    const score = (at) => {
      const value = from + (at / STEPS) * (to - from);
      return layer.data.scale === "log1p" ? Math.expm1(value) : value;
    };
    const words = (value) => withUnit(figure(value), layer.data.unit);
    const text = make("output", { class: "number" }, words(threshold));
    const slider = make("input", {
      type: "range", min: 0, max: STEPS, step: 1, ".value": place(threshold),
      "aria-label": "Threshold of the flags", "aria-valuetext": words(threshold),
      oninput: () => moved(score(Number(slider.value))),
    });
    const set = (value) => {
      text.textContent = words(value);
      slider.setAttribute("aria-valuetext", words(value));
      if (document.activeElement !== slider) slider.value = place(value);
    };
    const back = make("button", {
      type: "button", class: "small",
      onclick: () => { slider.value = place(threshold); moved(threshold); },
    }, "Reset");
    const row = make("div", { class: "threshold" }, make("span", {}, "Threshold "), text, back, slider);
    return { row, set };
  }

  const ICONS = {
    in: "M8 3v10M3 8h10", out: "M3 8h10", fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
    before: "M10 3L5 8l5 5", next: "M6 3l5 5-5 5",
  };

  function button(icon, label, onclick) {
    const drawing = draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    drawing.append(draw("path", { d: ICONS[icon] }));
    return make("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, drawing);
  }

  return { layerRow, thresholdRow, button };
})();
