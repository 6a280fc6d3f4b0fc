"use strict";
// The map: layers on one canvas, outlines of objects above it, zoom, pan and a read-out.
// Positions are (row, col) of the full grid; the view is its centre and screen pixels per pixel.

(() => {
  const { make, draw, announce, framed, isNumber } = anomvae;
  const MOST = 48; // screen pixels of a pixel at the closest
  const STEP = 1.5; // of a zoom by a key or a button
  const HELP = "Arrow keys move the map, plus and minus zoom, 0 fits it, N and P go to the next and the " +
    "previous object, Enter selects the object at the centre.";

  class MapView {
    constructor(element, data) {
      Object.assign(this, { element, data, layers: [], selected: null, reading: null, keyboard: false, pointers: new Map() });
      this.original = this.threshold = data.threshold;
      this.objects = data.objects.map(bounded).filter(({ box }) => box.every(isNumber));
      this.redraw = framed(() => this.paint());
      this.build();
      this.listen();
      anomvae.onSize(this.frame, () => this.resize());
      Promise.all(data.layers.map((layer) => this.add(layer))).then(() => this.decoded());
    }

    build() {
      const control = anomvaeControls.button;
      this.canvas = make("canvas", { "aria-hidden": "true" });
      this.overlay = draw("svg", { class: "overlay", "aria-hidden": "true" });
      this.outlines = draw("g", {});
      this.labels = draw("g", {});
      this.cross = draw("path", { class: "cross", d: "M-9 0H9M0-9V9" });
      this.bar = draw("path", { class: "scale-bar" });
      this.barText = draw("text", { class: "scale-text", x: 14 });
      this.overlay.append(this.outlines, this.labels, this.cross, this.bar, this.barText);
      this.readout = make("output", { class: "readout", "aria-live": "off" }, "Point at the map to read its values.");
      this.frame = make("div", {
        class: `frame ${this.data.height}`, tabindex: 0, role: "application", "aria-label": this.data.name, "aria-description": HELP,
      }, this.canvas, this.overlay);
      this.frame.style.aspectRatio = `${this.data.columns} / ${this.data.rows}`;
      const objects = this.objects.length ? [
        control("before", "Previous object", () => this.step(-1)), control("next", "Next object", () => this.step(1))] : [];
      this.buttons = make("div", { class: "buttons", role: "group", "aria-label": `Zoom of ${this.data.name}` },
        control("in", "Zoom in", () => this.zoom(STEP)), control("out", "Zoom out", () => this.zoom(1 / STEP)),
        control("fit", "Fit to the window", () => this.fit()), objects);
      this.panel = make("div", { class: "layers", role: "group", "aria-label": `Layers of ${this.data.name}` });
      this.element.append(make("div", { class: "stage" }, this.frame, this.buttons, this.readout), this.panel);
    }

    async add(data) {
      const state = { data, shown: data.shown, opacity: data.opacity };
      this.layers.push(state);
      try {
        state.layer = await anomvaeLayers.decode(data);
      } catch {
        state.failed = true;
      }
      this.redraw();
    }

    decoded() {
      const list = make("ul", { class: "plain-list" });
      for (const [name, states] of [...this.named()].reverse()) {
        list.append(states.every((state) => state.failed)
          ? make("li", { class: "layer quiet" }, `${name} cannot be drawn: its file is missing.`)
          : anomvaeControls.layerRow(states, this.redraw));
      }
      if (this.objects.length) list.append(this.outlineRow());
      this.panel.append(list);
      const followed = this.layers.find((state) => state.data.follows)?.data.follows;
      const scores = this.layers.filter((state) => state.layer && state.data.kind === "scores");
      this.scores = (scores.find((state) => state.data.name === followed) || scores[0])?.layer;
      if (this.scores && isNumber(this.original)) {
        this.slider = anomvaeControls.thresholdRow(this.scores, this.original, (value) => {
          this.setThreshold(value);
          announce(this.element, "threshold", { value });
        });
        this.panel.append(this.slider.row);
        if (this.threshold !== this.original) this.setThreshold(this.threshold);
      }
      this.element.dataset.ready = "yes";
      this.redraw();
    }

    /** Layers by name: parts of one layer share a switch. */
    named() {
      const found = new Map();
      for (const state of this.layers) found.set(state.data.name, [...(found.get(state.data.name) || []), state]);
      return found;
    }

    /** The scores that flags follow, in the same box. */
    scoresOf({ follows, box }) {
      return this.layers.find(({ data, layer }) => layer && data.kind === "scores" && data.name === follows && String(data.box) === String(box))?.layer;
    }

    outlineRow() {
      const box = make("input", {
        type: "checkbox", ".checked": true, onchange: () => { this.outlined = box.checked; this.redraw(); },
      });
      this.outlined = true;
      const most = this.objects.length > anomvaeDrawing.MOST ? ` (${anomvaeDrawing.MOST} of those in view)` : "";
      return make("li", { class: "layer" }, make("label", { class: "layer-name" }, box, make("span", {}, `Objects${most}`)));
    }

    setThreshold(value) {
      this.threshold = value;
      if (!this.scores) return;
      this.slider.set(value);
      for (const { layer, data } of this.layers) {
        const scores = layer && data.follows && this.scoresOf(data);
        if (scores) layer.follow(scores, value === this.original ? null : value);
      }
      this.element.dataset.threshold = value;
      this.redraw();
    }

    // The view.

    resize() {
      const before = this.width ? this.scale / this.fitting() : 1;
      this.width = this.frame.clientWidth;
      this.height = this.frame.clientHeight;
      const dense = Math.min(2, window.devicePixelRatio || 1);
      this.canvas.width = Math.round(this.width * dense);
      this.canvas.height = Math.round(this.height * dense);
      if (this.scale === undefined) this.fit();
      else this.view(this.row, this.col, before * this.fitting());
    }

    fitting() { return Math.min(this.width / this.data.columns, this.height / this.data.rows); }

    /** Look at a place, at a scale; both within bounds. */
    view(row, col, scale) {
      const fitting = this.fitting();
      this.scale = Math.max(Math.min(fitting, 1) * 0.9, Math.min(Math.max(MOST, fitting), scale));
      this.row = within(row, this.height / this.scale, this.data.rows);
      this.col = within(col, this.width / this.scale, this.data.columns);
      this.redraw();
    }

    fit() { this.view(this.data.rows / 2, this.data.columns / 2, this.fitting()); }

    /** Zoom, keeping the place at (x, y) of the frame where it is. */
    zoom(factor, x = this.width / 2, y = this.height / 2) {
      const [row, col] = this.at(x, y);
      const fitting = this.fitting();
      const scale = Math.max(Math.min(fitting, 1) * 0.9, Math.min(Math.max(MOST, fitting), this.scale * factor));
      this.view(row - (y - this.height / 2) / scale, col - (x - this.width / 2) / scale, scale);
    }

    pan(dx, dy) { this.view(this.row - dy / this.scale, this.col - dx / this.scale, this.scale); }

    at(x, y) { return [this.row + (y - this.height / 2) / this.scale, this.col + (x - this.width / 2) / this.scale]; }

    screen(row, col) {
      return [(col - this.col) * this.scale + this.width / 2, (row - this.row) * this.scale + this.height / 2];
    }

    // Objects.

    show(id) {
      const found = this.objects.find((one) => one.id === String(id));
      this.selected = found || null;
      if (found && this.width) {
        const [top, left, bottom, right] = found.box;
        const wanted = Math.min(this.height / (bottom - top), this.width / (right - left)) / 4;
        this.view((top + bottom) / 2, (left + right) / 2, Math.max(this.fitting(), Math.min(24, wanted)));
        this.read(this.row, this.col);
      }
      this.redraw();
    }

    step(by) {
      if (!this.objects.length) return;
      const now = this.objects.indexOf(this.selected);
      const next = now < 0 ? (by > 0 ? 0 : this.objects.length - 1) : (now + by + this.objects.length) % this.objects.length;
      this.choose(this.objects[next]);
    }

    choose(object) {
      this.show(object.id);
      announce(this.element, "object", { id: object.id });
    }

    /** The object at a place, or the nearest that is drawn as a ring. */
    objectAt(row, col) {
      const near = anomvaeDrawing.DOT / this.scale;
      const holds = ({ box: [top, left, bottom, right] }, more) =>
        row >= top - more && row < bottom + more && col >= left - more && col < right + more;
      return this.objects.find((one) => holds(one, 0) && inside(one, row, col)) ||
        this.objects.find((one) => holds(one, Math.max(0, near - (one.box[2] - one.box[0]) / 2)) && anomvaeDrawing.isSmall(one, this.scale)) || null;
    }

    // Painting.

    paint() {
      if (!this.width) return;
      anomvaeDrawing.layers(this);
      anomvaeDrawing.outlines(this);
      this.paintBar(anomvaeDrawing.scaleBar(this));
      const centre = this.keyboard ? `translate(${this.width / 2} ${this.height / 2})` : "translate(-99 -99)";
      this.cross.setAttribute("transform", centre);
    }

    paintBar(bar) {
      const y = this.height - 14;
      this.bar.setAttribute("d", bar ? `M12 ${y - 5}v5h${bar.wide}v-5` : "");
      this.barText.setAttribute("y", y - 9);
      this.barText.textContent = bar ? bar.words : "";
    }

    read(row, col) {
      const { rows, columns } = this.data;
      if (row < 0 || col < 0 || row >= rows || col >= columns) {
        this.readout.textContent = "Outside the scene.";
        return;
      }
      this.readout.textContent = anomvaeDrawing.words(this, Math.floor(row), Math.floor(col));
    }

    listen() { anomvaeGestures(this, STEP); }
  }

  function bounded(object) {
    const places = object.outlines.flat();
    const rows = places.map(([row]) => row), cols = places.map(([, col]) => col);
    const box = [least(rows), least(cols), -least(rows.map((v) => -v)), -least(cols.map((v) => -v))];
    return { ...object, box };
  }

  const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);

  /** Keep a centre where the scene stays in view: centred where it is smaller than the window. */
  function within(centre, seen, size) {
    return seen >= size ? size / 2 : Math.max(seen / 4, Math.min(size - seen / 4, centre));
  }

  /** Whether a place lies inside the rings of an object, by counting crossings. */
  function inside(object, row, col) {
    let crossings = 0;
    for (const ring of object.outlines) {
      for (let i = 0; i < ring.length; i++) {
        const [r1, c1] = ring[i], [r2, c2] = ring[(i + 1) % ring.length];
        if ((r1 > row) !== (r2 > row) && col < c1 + ((row - r1) / (r2 - r1)) * (c2 - c1)) crossings++;
      }
    }
    return crossings % 2 === 1;
  }

  anomvae.define("viewer", (element, data) => new MapView(element, data));
})();
