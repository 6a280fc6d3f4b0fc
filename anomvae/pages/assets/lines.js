"use strict";
// Lines over numbers, and spectra with what each band contributes.

(() => {
  const { draw, group, figure, percent, isNumber, withUnit } = anomvae;
  const { Chart, scale, bounds, padded, across, upwards, rulers, roomFor, labelOf } = anomvaeAxes;
  const WIDE = 6; // times the usual step: bands that lie so far apart are not joined
  const FEW = 20; // values in which a usual step means little

  /** The longest step that joins two values. */
  function longest(xs, breaks) {
    if (!breaks || xs.length < FEW) return Infinity;
    const steps = xs.slice(1).map((x, i) => Math.abs(x - xs[i])).sort((a, b) => a - b);
    return WIDE * steps[steps.length >> 1] || Infinity;
  }

  /** Lists of [x, y] without gaps. */
  function pieces(xs, ys, x, y, breaks) {
    const far = longest(xs, breaks), made = [[]];
    xs.forEach((value, i) => {
      const usable = isNumber(value) && isNumber(ys[i]) && (x.kind !== "log" || value > 0) && (y.kind !== "log" || ys[i] > 0);
      if (!usable || (i && Math.abs(value - xs[i - 1]) > far)) made.push([]);
      if (usable) made[made.length - 1].push([x.at(value), y.at(ys[i])]);
    });
    return made.filter((piece) => piece.length);
  }

  const joined = (piece) => piece.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  const pathOf = (made) => made.map((piece) => `M${joined(piece)}${piece.length === 1 ? "h.01" : ""}`).join("");

  class LineChart extends Chart {
    constructor(element, data) {
      super(element, data, { high: 330, empty: !data.lines.some((line) => line.y.some(isNumber)) });
      const xs = this.positions();
      this.legend(this.data.lines.map((line, i) => ({ name: line.name, mark: draw("path", { class: this.style(line, i), d: "M1 6H21" }) })));
      this.read({ xs, words: (i) => this.words(xs[i]) });
      this.table([labelOf(data.x), ...data.lines.map((line) => line.name), ...this.moreNames()],
        () => xs.map((x) => [figure(x, 6), ...data.lines.map((line) => figure(valueAt(line, x))), ...this.moreCells(x)]));
    }

    positions() {
      const all = new Set(this.data.lines.flatMap((line) => line.x.filter(isNumber)));
      for (const x of this.data.shares ? this.sharesAt() : []) all.add(x);
      return [...all].sort((a, b) => a - b);
    }

    sharesAt() { return this.data.share_x || this.data.lines[0]?.x || []; }

    moreNames() { return this.data.shares ? [this.data.share_name] : []; }

    moreCells(x) {
      if (!this.data.shares) return [];
      const at = this.sharesAt().indexOf(x);
      return [at < 0 ? "–" : percent(this.data.shares[at])];
    }

    style(line, i) { return `line tone-${i % 6}${line.dashed ? " dashed" : ""}`; }

    words(x) {
      const values = this.data.lines.map((line) => [line.name, valueAt(line, x)]).filter(([, y]) => isNumber(y));
      const shares = this.moreCells(x).map((share) => `${this.data.share_name} ${share}`);
      return [`${this.data.x.label} ${withUnit(figure(x, 6), this.data.x.unit)}`,
        ...values.map(([name, y]) => `${name} ${withUnit(figure(y), this.data.y.unit)}`), ...shares].join(" · ");
    }

    axes() {
      const { lines, x, y, shares } = this.data;
      const spread = lines.flatMap((line) => [line.y, line.low, line.high]);
      const place = { right: shares ? 50 : 14, bottom: 42, height: this.height };
      this.y = scale(y.log ? "log" : "linear", padded(bounds(spread, y), y), [this.height - place.bottom, 34]);
      place.left = Math.max(30, roomFor(this.y));
      this.x = scale(x.log ? "log" : "linear", bounds(lines.map((line) => line.x), x), [place.left, this.width - place.right]);
      return place;
    }

    paint() {
      const place = this.axes(), { data } = this;
      const bars = data.shares ? this.bars() : [];
      this.svg.replaceChildren(...this.describe(`${labelOf(data.y)} over ${labelOf(data.x)}: ${data.lines.map((line) => line.name).join(", ")}.`),
        rulers(this.y, place.left, this.x.end), ...bars, ...this.diagonal(), ...data.lines.flatMap((line, i) => this.line(line, i)),
        across(this.x, labelOf(data.x), place), upwards(this.y, labelOf(data.y), place.left), ...(data.marks || []).map((mark) => this.mark(mark)));
      this.paintStop();
    }

    line(line, i) {
      const breaks = this.data.kind === "spectra";
      const made = draw("path", { class: this.style(line, i), d: pathOf(pieces(line.x, line.y, this.x, this.y, breaks)) });
      made.append(draw("title", {}, line.name));
      if (!line.low || !line.high) return [made];
      const low = pieces(line.x, line.low, this.x, this.y, breaks), high = pieces(line.x, line.high, this.x, this.y, breaks);
      const d = low.map((piece, k) => `M${joined(piece)}L${joined([...(high[k] || [])].reverse())}Z`).join("");
      return [draw("path", { class: `interval tone-${i % 6}`, d }), made];
    }

    diagonal() {
      if (!this.data.diagonal) return [];
      const low = Math.max(this.x.low, this.y.low), high = Math.min(this.x.high, this.y.high);
      const steps = Array.from({ length: 41 }, (_, i) => this.x.at(low) + ((this.x.at(high) - this.x.at(low)) * i) / 40);
      return [draw("path", { class: "chance", d: pathOf([steps.map((x) => [x, this.y.at(this.x.value(x))])]) })];
    }

    mark({ value, name }) {
      const x = this.x.at(value), left = x > (this.x.start + this.x.end) / 2;
      return group({ class: "mark" }, draw("line", { x1: x, x2: x, y1: this.y.start, y2: this.y.end }),
        draw("text", { x: x + (left ? -4 : 4), y: this.y.end + 10, "text-anchor": left ? "end" : "start" }, name));
    }

    /** What each band contributes, with an axis of its own on the right. */
    bars() {
      const { shares, share_name } = this.data, xs = this.sharesAt();
      const most = Math.max(0.01, ...shares.filter(isNumber));
      const right = scale("linear", [0, 2.2 * most], [this.y.start, this.y.end]);
      const wide = Math.max(1, Math.min(16, (0.8 * (this.x.end - this.x.start)) / xs.length));
      const drawn = xs.map((x, i) => (isNumber(shares[i]) && shares[i] > 0 ? draw("rect", {
        x: this.x.at(x) - wide / 2, width: wide, y: right.at(shares[i]), height: right.start - right.at(shares[i]) }) : null));
      return [group({ class: "shares" }, drawn), upwards(right, share_name, this.x.end, 1)];
    }
  }

  /** The value of a line at exactly x, if it has one. */
  function valueAt(line, x) {
    line.index ||= new Map(line.x.map((at, i) => [at, i]));
    return line.y[line.index.get(x)];
  }

  anomvae.define("lines", (element, data) => new LineChart(element, data));
  anomvae.define("spectra", (element, data) => new LineChart(element, data));
})();
