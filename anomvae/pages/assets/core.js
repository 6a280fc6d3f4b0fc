"use strict";
// What every widget shares: elements, numbers as text, the data of the page, and links between widgets.
// Data become text only by textContent; nothing here writes markup.

const anomvae = (() => {
  const kinds = {};
  const widgets = {};
  const awaited = {};
  const SVG = "http://www.w3.org/2000/svg";

  /** Fill an element with attributes, listeners (onclick: ...), properties (.value: ...) and children. */
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name.startsWith(".")) element[name.slice(1)] = value;
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const draw = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children.map(String));
  const group = (attributes, ...children) => {
    const made = draw("g", attributes);
    made.append(...children.flat().filter(Boolean));
    return made;
  };

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  /** A measured number with a few digits: 1,235 · 12.35 · 0.001235 · 1.2e-9. */
  function figure(value, digits = 4) {
    if (!isNumber(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
      return value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e").replace("e+", "e");
    }
    const whole = size < 1 ? 1 : Math.floor(Math.log10(size)) + 1;
    const decimals = size < 1 && size > 0 ? digits - Math.floor(Math.log10(size)) - 1 : digits - whole;
    return value.toLocaleString("en-US", { maximumFractionDigits: Math.max(0, Math.min(12, decimals)) });
  }

  const count = (value) => (isNumber(value) ? Math.round(value).toLocaleString("en-US") : "–");
  const percent = (share) => (isNumber(share) ? `${figure(100 * share, 3)} %` : "–");
  const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

  /** Addresses come from results: only those of pages and files are followed. */
  function safeAddress(text) {
    const address = String(text);
    if (/^[a-z][a-z0-9+.-]*:/i.test(address.trim())) return /^https?:\/\//i.test(address) ? address : null;
    return address.trimStart().startsWith("//") ? null : address;
  }

  function safePicture(text) {
    return /^data:image\/(png|jpeg|webp|gif);base64,/.test(text) ? text : safeAddress(text);
  }

  const announce = (element, name, detail) =>
    element.dispatchEvent(new CustomEvent(`anomvae:${name}`, { bubbles: true, detail }));

  /** Call back once a frame at most, with the newest arguments. */
  function framed(callback) {
    let asked = 0;
    return () => {
      if (!asked) asked = requestAnimationFrame(() => { asked = 0; callback(); });
    };
  }

  /** Call back with the width of an element whenever it changes. */
  function onWidth(element, callback) {
    let width = 0;
    new ResizeObserver(() => {
      const now = Math.floor(element.clientWidth);
      if (now > 0 && now !== width) { width = now; callback(now); }
    }).observe(element);
  }

  /** Call back whenever an element becomes wider, narrower, higher or lower. */
  function onSize(element, callback) {
    let size = "";
    new ResizeObserver(() => {
      const now = `${element.clientWidth} ${element.clientHeight}`;
      if (element.clientWidth > 0 && now !== size) { size = now; callback(); }
    }).observe(element);
  }

  const elementsOf = (id) => document.querySelectorAll(`[data-viewer="${CSS.escape(id)}"]`);

  /** Show the panels of one object, at first of the first; `data-object=""` is that of all others. */
  function showPanels(viewer, id) {
    const panels = [...elementsOf(viewer)].filter((panel) => panel.dataset.object !== undefined);
    const wanted = id === null ? panels[0]?.dataset.object : id;
    const chosen = panels.some((panel) => panel.dataset.object === wanted) ? wanted : "";
    for (const panel of panels) panel.hidden = panel.dataset.object !== chosen;
  }

  /** Select an object everywhere: on its map, in its tables, in its panels. */
  function select(viewer, id, from) {
    if (widgets[viewer] && widgets[viewer] !== from) widgets[viewer].show(id);
    for (const element of elementsOf(viewer)) {
      const widget = widgets[element.id];
      if (widget && widget !== from && widget.select) widget.select(id);
    }
    showPanels(viewer, id);
  }

  /** Move the threshold of a map and of the charts beside it. */
  function moveThreshold(viewer, value, from) {
    if (widgets[viewer] && widgets[viewer] !== from) widgets[viewer].setThreshold(value);
    for (const element of elementsOf(viewer)) {
      const widget = widgets[element.id];
      if (widget && widget !== from && widget.setThreshold) widget.setThreshold(value);
    }
  }

  function startOne(element) {
    const data = document.getElementById(`${element.id}-data`);
    if (!data || widgets[element.id]) return;
    const { widget, of } = JSON.parse(data.textContent);
    widgets[element.id] = kinds[widget](element, of);
    for (const rows of awaited[element.id] || []) widgets[element.id].addRows(rows);
  }

  function start() {
    const found = [...document.querySelectorAll(".widget[id]")];
    const viewers = new Set(found.map((element) => element.dataset.viewer).filter(Boolean));
    for (const panel of document.querySelectorAll("[data-object][data-viewer]")) viewers.add(panel.dataset.viewer);
    found.forEach(startOne);
    viewers.forEach((viewer) => showPanels(viewer, null));
    document.addEventListener("anomvae:object", (event) => {
      const viewer = event.target.dataset.viewer || event.target.id;
      select(viewer, event.detail.id, widgets[event.target.id]);
    });
    document.addEventListener("anomvae:threshold", (event) => {
      const viewer = event.target.dataset.viewer || event.target.id;
      moveThreshold(viewer, event.detail.value, widgets[event.target.id]);
    });
    document.documentElement.dataset.ready = "yes";
  }

  return {
    make, draw, group, isNumber, figure, count, percent, withUnit, safeAddress, safePicture,
    announce, framed, onWidth, onSize, start,
    define: (kind, build) => { kinds[kind] = build; },
    widget: (id) => widgets[id],
    addRows: (id, rows) => {
      if (widgets[id]) widgets[id].addRows(rows);
      else (awaited[id] ||= []).push(rows);
    },
  };
})();
