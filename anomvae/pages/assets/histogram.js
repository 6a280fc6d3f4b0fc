"use strict";
// How many pixels have which score; the threshold is dragged by mouse, finger or keys.

(() => {
  const { make, draw, group, announce, framed, figure, count, percent, withUnit, isNumber } = anomvae;
  const { Chart, scale, across, upwards, rulers, roomFor } = anomvaeAxes;
  const BARS = 96;
  const KEYS = { ArrowRight: 0.005, ArrowUp: 0.005, ArrowLeft: -0.005, ArrowDown: -0.005, PageUp: 0.05, PageDown: -0.05, Home: -1, End: 1 };

  /** Join fine bins into bars of equal numbers of bins. */
  function barsOf({ edges, counts }) {
    const each = Math.max(1, Math.ceil(counts.length / BARS));
    const bars = [];
    for (let i = 0; i < counts.length; i += each) {
      const end = Math.min(counts.length, i + each);
      bars.push({ from: edges[i], to: edges[end], pixels: counts.slice(i, end).reduce((a, b) => a + b, 0) });
    }
    return bars;
  }

  class Histogram extends Chart {
    constructor(element, data) {
      super(element, data, { high: 300, role: "group", empty: !data.counts.some((pixels) => pixels > 0) });
      this.bars = barsOf(data);
      this.total = data.counts.reduce((a, b) => a + b, 0);
      this.kind = data.scale;
      this.original = this.threshold = data.threshold;
      if (isNumber(this.threshold) && this.total) this.control();
      this.table(["from", "to", "pixels"], () => this.bars.map((bar) => [figure(bar.from), figure(bar.to), count(bar.pixels)]));
      this.publish = framed(() => announce(element, "threshold", { value: this.threshold, share: this.flagged() / this.total }));
    }

    control() {
      this.text = make("p", { class: "share", "aria-live": "polite" });
      const reset = make("button", { type: "button", class: "small", onclick: () => this.move(this.original) }, "Reset");
      this.element.append(make("div", { class: "share-row" }, this.text, reset));
      this.handle = group({
        class: "handle", role: "slider", tabindex: 0, "aria-label": "Threshold", "aria-orientation": "horizontal",
        "aria-valuemin": this.least(), "aria-valuemax": this.most(),
      }, draw("line", { class: "threshold-line" }), draw("rect", { class: "grip", rx: 4, width: 12, height: 22 }),
      draw("rect", { class: "touch", width: 32 }));
      this.handle.addEventListener("keydown", (event) => this.key(event));
      this.handle.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.handle.focus();
        this.handle.setPointerCapture(event.pointerId);
        this.dragged = true;
      });
      this.handle.addEventListener("pointermove", (event) => {
        if (this.dragged) this.move(this.x.value(event.clientX - this.svg.getBoundingClientRect().left));
      });
      for (const name of ["pointerup", "pointercancel"]) this.handle.addEventListener(name, () => { this.dragged = false; });
    }

    least() { return this.data.edges[0]; }

    most() { return this.data.edges[this.data.edges.length - 1]; }

    within(value) { return Math.max(this.least(), Math.min(this.most(), value)); }

    key(event) {
      const share = KEYS[event.key];
      if (share === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.move(this.x.value(this.x.at(this.within(this.threshold)) + share * (this.x.end - this.x.start)));
    }

    /** Pixels above the threshold: whole bins, and a part of the bin that it lies in. */
    flagged() {
      const { edges, counts, flagged } = this.data;
      if (this.threshold === this.original && isNumber(flagged)) return flagged;
      const t = this.kind === "log1p" ? Math.log1p : Number;
      let above = 0;
      for (let i = counts.length - 1; i >= 0 && edges[i + 1] > this.threshold; i--) {
        const part = (t(edges[i + 1]) - t(this.threshold)) / (t(edges[i + 1]) - t(edges[i]));
        above += counts[i] * Math.min(1, part);
      }
      return above;
    }

    move(value) {
      this.setThreshold(value === this.original ? value : this.within(value));
      this.publish();
    }

    setThreshold(value) {
      if (!this.handle) return;
      this.threshold = value;
      if (this.x) this.place();
    }

    place() {
      const x = this.x.at(this.within(this.threshold));
      const [line, grip, touch] = this.handle.children;
      for (const [name, at] of Object.entries({ x1: x, x2: x, y1: this.y.start, y2: this.y.end - 8 })) line.setAttribute(name, at);
      grip.setAttribute("x", x - 6);
      grip.setAttribute("y", this.y.end - 8);
      touch.setAttribute("x", x - 16);
      touch.setAttribute("y", this.y.end - 10);
      touch.setAttribute("height", this.y.start - this.y.end + 10);
      const flagged = this.flagged(), score = withUnit(figure(this.threshold), this.data.unit);
      const words = `${count(flagged)} of ${count(this.total)} pixels flagged (${percent(flagged / this.total)})`;
      this.text.textContent = `Threshold ${score}: ${words}`;
      this.handle.setAttribute("aria-valuenow", this.threshold);
      this.handle.setAttribute("aria-valuetext", `${score}: ${words}`);
      this.element.dataset.threshold = this.threshold;
      [...this.drawn.children].forEach((bar, i) => bar.classList.toggle("flagged", this.bars[i].to > this.threshold));
    }

    paint() {
      const most = Math.max(2, ...this.bars.map((bar) => bar.pixels));
      const place = { right: 14, bottom: 42, height: this.height };
      this.y = scale("log", [0.7, most * 1.3], [this.height - place.bottom, 34]);
      place.left = roomFor(this.y);
      this.x = scale(this.kind, [this.least(), this.most()], [place.left, this.width - place.right]);
      this.drawn = group({ class: "bars", role: "img", "aria-label": `${this.data.name}: ${count(this.total)} pixels` },
        this.bars.map((bar) => this.bar(bar)));
      const marks = this.data.marks.map((mark) => this.mark(mark));
      const label = this.data.unit ? `score (${this.data.unit})` : "score";
      this.svg.replaceChildren(...this.describe("Pixels over scores, both axes logarithmic."),
        rulers(this.y, place.left, this.x.end), this.drawn, across(this.x, label, place),
        upwards(this.y, "pixels", place.left), ...marks, ...(this.handle ? [this.handle] : []));
      if (this.handle) this.place();
    }

    bar({ from, to, pixels }) {
      const x = this.x.at(from), wide = Math.max(0.8, this.x.at(to) - x - 0.6);
      const y = pixels ? this.y.at(pixels) : this.y.start;
      const made = draw("rect", { x, y, width: wide, height: this.y.start - y });
      made.append(draw("title", {}, `${figure(from)} to ${figure(to)}: ${count(pixels)} pixels`));
      return made;
    }

    mark({ value, name }) {
      const x = this.x.at(value), left = x > (this.x.start + this.x.end) / 2;
      return group({ class: "mark" }, draw("line", { x1: x, x2: x, y1: this.y.start, y2: this.y.end }),
        draw("text", { x: x + (left ? -4 : 4), y: this.y.end + 10, "text-anchor": left ? "end" : "start" }, name));
    }
  }

  anomvae.define("histogram", (element, data) => new Histogram(element, data));
})();
