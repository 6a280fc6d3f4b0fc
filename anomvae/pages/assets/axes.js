"use strict";
// What charts share: scales with decent ticks, axes, a frame that follows the width, a reader by mouse
// and keys, and the data as a table.

const anomvaeAxes = (() => {
  const { make, draw, group, figure, isNumber, withUnit } = anomvae;
  const LETTER = 6.6; // screen pixels of a digit, about
  const DAY = 86400e3;
  const NEAR = 14; // screen pixels from a point, in which a click means it
  const ROWS = 500; // of a table of data at most

  const shapes = {
    linear: { to: (v) => v, from: (v) => v },
    log: { to: Math.log10, from: (v) => 10 ** v },
    log1p: { to: Math.log1p, from: Math.expm1 },
    time: { to: (v) => v, from: (v) => v },
  };

  /** Map values to screen positions; `kind` is linear, log, log1p or time. */
  function scale(kind, [low, high], [start, end]) {
    const { to, from } = shapes[kind];
    const a = to(low), b = to(high), wide = b - a || 1;
    return {
      kind, low, high, start, end,
      at: (value) => start + ((to(value) - a) / wide) * (end - start),
      value: (at) => from(a + ((at - start) / (end - start)) * wide),
    };
  }

  function evenTicks(low, high, most) {
    const raw = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(raw || 1));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) || power;
    const first = Math.ceil(low / step - 1e-9);
    const ticks = [];
    for (let i = first; i * step <= high + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
    return ticks;
  }

  /** 1, 2, 5, 10, 20 ... within bounds, fewer where they would touch. */
  function ratioTicks(low, high) {
    const ticks = low <= 0 ? [0] : [];
    const first = Math.floor(Math.log10(Math.max(low, high / 1e9, 1e-12)));
    for (let power = first; power <= Math.log10(high); power++) {
      for (const m of [1, 2, 5]) {
        const value = Number((m * 10 ** power).toPrecision(3));
        if (value >= low && value <= high * (1 + 1e-9)) ticks.push(value);
      }
    }
    return ticks;
  }

  /** Leave out ticks closer than `gap` screen pixels; powers of ten stay before others. */
  function spaced(ticks, axis, gap) {
    const kept = [];
    const weight = (v) => (v === 0 ? 0 : Number.isInteger(Math.log10(v) + 1e-12 - 1e-12) ? 1 : 2);
    for (const tick of [...ticks].sort((a, b) => weight(a) - weight(b) || a - b)) {
      if (kept.every((other) => Math.abs(axis.at(other) - axis.at(tick)) >= gap)) kept.push(tick);
    }
    return kept.sort((a, b) => a - b);
  }

  const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];

  function timeTicks(low, high, most) {
    const days = (high - low) / DAY;
    if (days / most < 14) {
      const step = [1, 2, 7, 14].find((s) => days / s <= most) || 14;
      const first = Math.ceil(low / DAY);
      return Array.from({ length: Math.floor((high / DAY - first) / step) + 1 }, (_, i) => (first + i * step) * DAY);
    }
    const step = MONTHS.find((s) => days / 30.4 / s <= most) || 240;
    const from = new Date(low), ticks = [];
    for (let month = from.getUTCFullYear() * 12 + Math.ceil(from.getUTCMonth() / step) * step; ; month += step) {
      const tick = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (tick > high) return ticks;
      if (tick >= low) ticks.push(tick);
    }
  }

  function ticksOf(axis) {
    const long = Math.abs(axis.end - axis.start), vertical = axis.end < axis.start;
    const gap = vertical ? 26 : 52;
    if (axis.kind === "time") return timeTicks(axis.low, axis.high, Math.max(1, Math.floor(long / 92)));
    if (axis.kind === "linear") return evenTicks(axis.low, axis.high, Math.max(1, Math.floor(long / gap)));
    const ticks = ratioTicks(axis.low, axis.high);
    return spaced(ticks.length > 1 ? ticks : evenTicks(axis.low, axis.high, 3), axis, gap);
  }

  const dateText = (time) => new Date(time).toISOString().slice(0, 10);
  const tickText = (axis, tick) => (axis.kind === "time" ? dateText(tick) : figure(tick, 5));

  /** Lowest and highest of what is finite, widened where they are one; `axis` may fix them. */
  function bounds(lists, axis = {}) {
    let low = Infinity, high = -Infinity;
    for (const list of lists) {
      for (const value of list || []) {
        if (!isNumber(value) || (axis.log && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (low > high) [low, high] = axis.log ? [0.1, 1] : [0, 1];
    low = axis.low ?? low;
    high = axis.high ?? high;
    if (low === high) [low, high] = axis.log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    return [low, high];
  }

  /** Widen bounds by a twentieth where the axis does not fix them. */
  function padded([low, high], axis) {
    const more = axis.log ? 0 : (high - low) / 20;
    return [axis.low ?? low - more, axis.high ?? high + more];
  }

  const labelOf = (axis) => (axis.unit ? `${axis.label} (${axis.unit})` : axis.label);

  function across(axis, label, { left, right, bottom, height }) {
    const y = height - bottom;
    const ticks = ticksOf(axis).map((tick) => {
      const text = tickText(axis, tick), x = axis.at(tick);
      const half = (text.length * LETTER) / 2;
      return group({}, draw("line", { x1: x, x2: x, y1: y, y2: y + 5 }),
        draw("text", { x: Math.min(Math.max(x, half), axis.end + right - half), y: y + 18, "text-anchor": "middle" }, text));
    });
    return group({ class: "axis" }, draw("line", { x1: left, x2: axis.end, y1: y, y2: y }), ticks,
      draw("text", { class: "axis-label", x: (left + axis.end) / 2, y: height - 6, "text-anchor": "middle" }, label));
  }

  function upwards(axis, label, x, side = -1) {
    const anchor = side < 0 ? "end" : "start";
    const ticks = ticksOf(axis).map((tick) => group({},
      draw("line", { x1: x, x2: x + side * 5, y1: axis.at(tick), y2: axis.at(tick) }),
      draw("text", { x: x + side * 8, y: axis.at(tick) + 4, "text-anchor": anchor }, tickText(axis, tick))));
    return group({ class: "axis" }, draw("line", { x1: x, x2: x, y1: axis.start, y2: axis.end }), ticks,
      draw("text", { class: "axis-label", x: side < 0 ? 0 : x + 44, y: axis.end - 10, "text-anchor": side < 0 ? "start" : "end" }, label));
  }

  const rulers = (axis, left, right) => group({ class: "rulers" },
    ticksOf(axis).map((tick) => draw("line", { x1: left, x2: right, y1: axis.at(tick), y2: axis.at(tick) })));

  /** How much room the numbers of a vertical axis take. */
  const roomFor = (axis) => 14 + LETTER * Math.max(2, ...ticksOf(axis).map((tick) => tickText(axis, tick).length));

  /** A chart: a caption, a drawing that follows the width, what the reader reads, the data. */
  class Chart {
    constructor(element, data, { high, role, empty }) {
      Object.assign(this, { element, data, high, empty });
      this.svg = draw("svg", { role: role || "img", "aria-label": data.name, class: "plot" });
      this.holder = make("div", { class: "plot-holder" }, this.svg);
      element.setAttribute("aria-label", data.name);
      element.append(make("figcaption", { dir: "auto" }, data.name), this.holder);
      if (empty) this.holder.replaceChildren(make("p", { class: "quiet" }, "No data."));
      if (!empty) anomvae.onWidth(this.holder, (width) => this.resize(width));
    }

    resize(width) {
      this.width = width;
      this.height = Math.round(Math.min(this.high, Math.max(190, width * 0.62)));
      this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
      this.svg.setAttribute("height", this.height);
      this.paint();
    }

    describe(text) {
      return [draw("title", {}, this.data.name), draw("desc", {}, text)];
    }

    legend(items) {
      if (items.length < 2) return;
      this.element.append(make("ul", { class: "legend" }, items.map(({ name, mark }) => {
        const sign = draw("svg", { class: "sign", viewBox: "0 0 22 12", "aria-hidden": "true" });
        sign.append(mark);
        return make("li", {}, sign, make("span", { dir: "auto" }, name));
      })));
    }

    /** Offer the data as a table, made when it is opened. */
    table(header, rows) {
      const details = make("details", { class: "data" }, make("summary", {}, "Data"));
      details.addEventListener("toggle", () => {
        if (!details.open || details.childElementCount > 1) return;
        const all = rows();
        const body = all.slice(0, ROWS).map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell))));
        details.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Data of ${this.data.name}` },
          make("table", { class: "plain" }, make("thead", {}, make("tr", {}, header.map((name) => make("th", { scope: "col" }, name)))),
            make("tbody", {}, body))));
        if (all.length > ROWS) details.append(make("p", { class: "quiet" }, `The first ${ROWS} of ${anomvae.count(all.length)} rows.`));
      });
      this.element.append(details);
    }

    /** Read values by pointing, or by the arrow keys: `reader.words(i)` of the stop at `xs[i]`. */
    read(reader) {
      if (this.empty) return;
      this.reader = reader;
      this.output = make("output", { class: "readout", "aria-live": "off" });
      this.element.append(this.output);
      const hint = `Arrow keys read values. ${reader.hint || ""}`;
      this.svg.setAttribute("aria-description", hint);
      this.svg.addEventListener("focus", () => { if (this.stopped === undefined) this.output.textContent = hint; });
      this.svg.setAttribute("tabindex", 0);
      this.svg.setAttribute("role", "application");
      this.svg.addEventListener("pointermove", (event) => {
        this.output.setAttribute("aria-live", "off");
        this.stop(this.nearest(event.clientX - this.svg.getBoundingClientRect().left));
      });
      this.svg.addEventListener("click", (event) => {
        const x = event.clientX - this.svg.getBoundingClientRect().left;
        if (Math.abs(this.x.at(reader.xs[this.stopped]) - x) < NEAR) reader.open?.(this.stopped);
      });
      this.svg.addEventListener("keydown", (event) => this.step(event));
    }

    nearest(x) {
      if (!this.x) return 0;
      const { xs } = this.reader, value = this.x.value(x);
      let low = 0, high = xs.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (xs[middle] <= value) low = middle; else high = middle;
      }
      return Math.abs(xs[low] - value) <= Math.abs((xs[high] ?? Infinity) - value) ? low : high;
    }

    step(event) {
      const last = this.reader.xs.length - 1, now = this.stopped ?? -1;
      const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last, PageUp: now - 10, PageDown: now + 10 }[event.key];
      if (event.key === "Enter" && this.stopped !== undefined) this.reader.open?.(this.stopped);
      if (to === undefined || last < 0) return;
      event.preventDefault();
      this.output.setAttribute("aria-live", "polite");
      this.stop(Math.max(0, Math.min(last, to)));
    }

    stop(index) {
      if (!this.x || !this.reader.xs.length) return;
      this.stopped = index;
      this.output.textContent = this.reader.words(index);
      this.paintStop();
    }

    paintStop() {
      if (this.stopped === undefined || !this.x) return;
      this.pointer?.remove();
      const x = this.x.at(this.reader.xs[this.stopped]);
      this.pointer = draw("line", { class: "pointer", x1: x, x2: x, y1: this.y.start, y2: this.y.end });
      this.svg.append(this.pointer);
    }
  }

  return { Chart, scale, bounds, padded, across, upwards, rulers, roomFor, labelOf, dateText, withUnit };
})();
