"use strict";
// Series over dates: points by outcome, limits across them, events as bars below.

(() => {
  const { make, draw, group, figure, isNumber, withUnit, safeAddress } = anomvae;
  const { Chart, scale, bounds, padded, across, upwards, rulers, roomFor, labelOf } = anomvaeAxes;
  const LANES = 5; // of events; the others are in the table
  const LANE = 12; // screen pixels
  const KINDS = ["normal", "anomalous", "not comparable", "failed"];
  const EVENTS = ["provisional", "confirmed", "closed"];
  const SIGNS = {
    normal: (x, y) => `M${x - 3} ${y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0`,
    anomalous: (x, y) => `M${x} ${y - 5}L${x + 5} ${y}L${x} ${y + 5}L${x - 5} ${y}Z`,
    "not comparable": (x, y) => `M${x - 3} ${y - 3}h6v6h-6Z`,
    failed: (x, y) => `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x + 4} ${y - 4}L${x - 4} ${y + 4}`,
  };
  const classOf = (kind) => `point ${kind.replace(" ", "-")}`;

  /** Each point of each series, oldest first. */
  function pointsOf(series) {
    const points = series.flatMap((one, which) => one.dates.map((date, i) => ({
      which, time: Date.parse(date), date, value: one.values[i], kind: one.kinds?.[i] || "normal",
      link: one.links?.[i], note: one.notes?.[i],
    })));
    return points.filter((point) => isNumber(point.time)).sort((a, b) => a.time - b.time);
  }

  /** Give events lanes in which none overlaps another. */
  function placed(events) {
    const ends = [];
    return events.map((event) => ({ ...event, from: Date.parse(event.start), to: event.end ? Date.parse(event.end) : null }))
      .sort((a, b) => a.from - b.from)
      .map((event) => {
        let lane = ends.findIndex((end) => end < event.from);
        if (lane < 0) lane = ends.length;
        ends[lane] = event.to ?? Infinity;
        return { ...event, lane };
      });
  }

  class Timeline extends Chart {
    constructor(element, data) {
      super(element, data, { high: 320, empty: !data.events.length && !data.series.some((one) => one.dates.length) });
      this.points = pointsOf(data.series);
      this.events = placed(data.events);
      this.lanes = Math.min(LANES, 1 + Math.max(-1, ...this.events.map((event) => event.lane)));
      const stops = this.points;
      const used = KINDS.filter((kind) => stops.some((point) => point.kind === kind));
      this.legend([...used.map((kind) => ({ name: kind, mark: draw("path", { class: classOf(kind), d: SIGNS[kind](11, 6) }) })),
        ...(data.series.length > 1 ? data.series.map((one, i) => ({ name: one.name, mark: draw("path", { class: `line tone-${i % 6}`, d: "M1 6H21" }) })) : []),
        ...EVENTS.filter((kind) => data.events.some((event) => event.kind === kind)).map((kind) => ({
          name: `event, ${kind}`, mark: draw("rect", { class: `event ${kind}`, x: 1, y: 3, width: 20, height: 7, rx: 3 }) }))]);
      this.read({
        xs: stops.map((point) => point.time), words: (i) => this.words(stops[i]),
        open: (i) => { const to = stops[i]?.link && safeAddress(stops[i].link); if (to) window.location.href = to; },
        hint: stops.some((point) => point.link) ? "Enter or a click opens what a point stands for." : "",
      });
      this.table(["date", "series", labelOf(data.y), "outcome"],
        () => stops.map((point) => [point.date, data.series[point.which].name, figure(point.value), point.kind]));
      if (data.events.length) this.eventList();
    }

    words(point) {
      const value = isNumber(point.value) ? withUnit(figure(point.value), this.data.y.unit) : "no value";
      const open = this.events.filter((event) => event.from <= point.time && (event.to ?? Infinity) >= point.time);
      return [point.date, `${this.data.series[point.which].name} ${value}`, point.kind, point.note, ...open.slice(0, 3).map((event) => event.name)]
        .filter(Boolean).join(" · ");
    }

    eventList() {
      const items = this.events.map((event) => {
        const to = event.link && safeAddress(event.link);
        const words = `${event.start}${event.end ? ` to ${event.end}` : ", open"}: ${event.name} (${event.kind})`;
        return make("li", {}, to ? make("a", { href: to }, words) : words);
      });
      this.element.append(make("details", { class: "data" }, make("summary", {}, `Events (${items.length})`), make("ul", { class: "events" }, items)));
    }

    axes() {
      const { y, series, limits } = this.data;
      const below = this.lanes * LANE + (this.lanes ? 8 : 0);
      const place = { right: 14, bottom: 42, height: this.height };
      const values = [...series.map((one) => one.values), limits.map((limit) => limit.value)];
      this.y = scale(y.log ? "log" : "linear", padded(bounds(values, y), { low: y.low, high: y.high, log: y.log }), [this.height - place.bottom - below, 34]);
      place.left = Math.max(30, roomFor(this.y));
      const times = [...this.points.map((point) => point.time), ...this.events.flatMap((event) => [event.from, event.to])];
      const [low, high] = bounds([times]);
      const more = Math.max(864e5, (high - low) / 50);
      this.x = scale("time", [low - more, high + more], [place.left, this.width - place.right]);
      return place;
    }

    paint() {
      const place = this.axes(), { data } = this;
      this.svg.replaceChildren(...this.describe(`${labelOf(data.y)} over dates, ${this.points.length} points, ${data.events.length} events.`),
        rulers(this.y, place.left, this.x.end), ...data.limits.map((limit) => this.limit(limit)), ...data.series.map((one, i) => this.trace(i)),
        ...this.signs(), ...this.events.filter((event) => event.lane < LANES).map((event) => this.event(event)),
        across(this.x, "date", place), upwards(this.y, labelOf(data.y), place.left));
      this.paintStop();
    }

    known() { return this.points.filter((point) => isNumber(point.value) && (this.y.kind !== "log" || point.value > 0)); }

    trace(which) {
      const places = this.known().filter((point) => point.which === which && point.kind !== "failed")
        .map((point) => `${this.x.at(point.time).toFixed(1)} ${this.y.at(point.value).toFixed(1)}`);
      return draw("path", { class: `line thin tone-${which % 6}`, d: places.length ? `M${places.join("L")}` : "" });
    }

    /** One path for each outcome; a run without a value has its sign on the axis. */
    signs() {
      return KINDS.map((kind) => {
        const d = this.points.filter((point) => point.kind === kind).map((point) => {
          const y = isNumber(point.value) && (this.y.kind !== "log" || point.value > 0) ? this.y.at(point.value) : this.y.start;
          return SIGNS[kind](this.x.at(point.time), y);
        }).join("");
        return draw("path", { class: classOf(kind), d });
      });
    }

    limit({ value, name }) {
      const y = this.y.at(value);
      return group({ class: "mark" }, draw("line", { x1: this.x.start, x2: this.x.end, y1: y, y2: y }),
        draw("text", { x: this.x.end, y: y - 4, "text-anchor": "end" }, name));
    }

    event({ name, from, to, start, end, kind, lane }) {
      const x = this.x.at(from), y = this.y.start + 6 + lane * LANE;
      const bar = draw("rect", { class: `event ${kind}`, x, y, rx: 3, height: LANE - 4, width: Math.max(5, this.x.at(to ?? this.x.high) - x) });
      bar.append(draw("title", {}, `${name} (${kind}): ${start} to ${end || "now"}`));
      return bar;
    }
  }

  anomvae.define("timeline", (element, data) => new Timeline(element, data));
})();
