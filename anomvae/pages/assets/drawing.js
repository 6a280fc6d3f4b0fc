"use strict";
// What a map shows at a view: its layers on the canvas, outlines and numbers above, the read-out as words.

const anomvaeDrawing = (() => {
  const { draw, figure, count } = anomvae;
  const MOST = 400; // outlines at one time: the first of those in view
  const NUMBERS = 60; // labels at one time
  const DOT = 12; // screen pixels: smaller objects are ringed, not outlined

  const isSmall = ({ box: [top, left, bottom, right] }, scale) => Math.max(bottom - top, right - left) * scale < DOT;

  function layers(map) {
    const pen = map.canvas.getContext("2d");
    const dense = map.canvas.width / map.width;
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, map.width, map.height);
    for (const { data, layer, shown, opacity } of map.layers) {
      if (!layer || !shown || opacity === 0) continue;
      const [top, left, bottom, right] = data.box || [0, 0, map.data.rows, map.data.columns];
      const size = map.scale * (right - left) / layer.width; // screen pixels of a cell
      const [x, y] = map.screen(top, left);
      const picture = layer.canvas(size * dense);
      pen.globalAlpha = opacity;
      pen.imageSmoothingEnabled = data.kind === "picture" && size * dense < 1;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, x, y, (right - left) * map.scale, (bottom - top) * map.scale);
    }
    pen.globalAlpha = 1;
  }

  /** The objects in view: the selected one last, so that it lies above the others. */
  function inView(map) {
    const [top, left] = map.at(0, 0), [bottom, right] = map.at(map.width, map.height);
    const seen = map.objects.filter(({ box }) => box[2] > top && box[0] < bottom && box[3] > left && box[1] < right);
    const first = seen.slice(0, MOST).filter((one) => one !== map.selected);
    return map.selected ? [...first, map.selected] : first;
  }

  const path = (object) => object.path ||= object.outlines
    .map((ring) => `M${ring.map(([row, col]) => `${col} ${row}`).join("L")}Z`).join("");

  function outline(map, object) {
    const [top, left, bottom, right] = object.box;
    const kind = object === map.selected ? "object selected" : "object";
    if (isSmall(object, map.scale)) {
      const [cx, cy] = map.screen((top + bottom) / 2, (left + right) / 2);
      return [draw("circle", { class: `${kind} halo`, cx, cy, r: DOT / 2 + 1 }), draw("circle", { class: kind, cx, cy, r: DOT / 2 + 1 })];
    }
    const [x, y] = map.screen(0, 0);
    const where = { d: path(object), transform: `translate(${x} ${y}) scale(${map.scale})` };
    return [draw("path", { class: `${kind} halo`, ...where }), draw("path", { class: kind, ...where })];
  }

  function label(map, object) {
    const [x, y] = map.screen(object.box[0], object.box[3]);
    return draw("text", { class: object === map.selected ? "selected" : "", x: x + 4, y: y - 3 }, object.label);
  }

  function outlines(map) {
    const seen = map.outlined === false ? [] : inView(map);
    map.overlay.setAttribute("viewBox", `0 0 ${map.width} ${map.height}`);
    map.outlines.replaceChildren(...seen.flatMap((object) => outline(map, object)));
    const labelled = seen.filter((object) => object.label);
    map.labels.replaceChildren(...[...labelled.slice(0, NUMBERS), ...labelled.slice(NUMBERS).filter((o) => o === map.selected)]
      .map((object) => label(map, object)));
  }

  function coordinates({ affine, crs }, row, col) {
    if (!affine) return null;
    const [a, b, c, d, e, f] = affine;
    const x = a * (col + 0.5) + b * (row + 0.5) + c, y = d * (col + 0.5) + e * (row + 0.5) + f;
    const decimals = Math.max(0, Math.min(8, 1 - Math.floor(Math.log10(Math.abs(a) || Math.abs(b) || 1))));
    return `x ${x.toFixed(decimals)}, y ${y.toFixed(decimals)}${crs ? ` (${crs})` : ""}`;
  }

  /** What a layer holds at a pixel, and whether its cell covers several. */
  function value(map, { data, layer }, row, col) {
    const [top, left, bottom, right] = data.box || [0, 0, map.data.rows, map.data.columns];
    if (row < top || row >= bottom || col < left || col >= right) return null;
    const high = (bottom - top) / layer.height, wide = (right - left) / layer.width;
    const at = Math.floor((row + 0.5 - top) / high) * layer.width + Math.floor((col + 0.5 - left) / wide);
    const several = high > 1.01 || wide > 1.01 ? ` (of ${figure(high, 2)} × ${figure(wide, 2)} pixels)` : "";
    return `${data.name} ${layer.read(at)}${several}`;
  }

  function words(map, row, col) {
    const values = new Map(); // by name: of the parts of a layer, the one that lies on top
    for (const state of map.layers.filter((one) => one.layer?.read)) {
      const read = value(map, state, row, col);
      if (read) values.set(state.data.name, read);
    }
    const object = map.objectAt(row + 0.5, col + 0.5);
    const named = object ? `object ${object.label || object.id}${object.note ? ` (${object.note})` : ""}` : null;
    return [`row ${count(row)}, column ${count(col)}`, coordinates(map.data, row, col), ...values.values(), named]
      .filter(Boolean).join(" · ");
  }

  /** A length of 1, 2 or 5 times a power of ten that takes at most `most` screen pixels. */
  function scaleBar(map, most = 120) {
    const { affine, unit } = map.data;
    if (!affine || unit !== "m") return null;
    const metre = map.scale / Math.hypot(affine[0], affine[3]); // screen pixels
    const power = 10 ** Math.floor(Math.log10(most / metre));
    const length = [5, 2, 1].map((m) => m * power).find((l) => l * metre <= most);
    return { wide: length * metre, words: length >= 1000 ? `${count(length / 1000)} km` : `${figure(length)} m` };
  }

  return { layers, outlines, words, scaleBar, isSmall, MOST, DOT };
})();
