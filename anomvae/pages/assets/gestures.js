"use strict";
// Wheel, drag, pinch and keys of a map.

const anomvaeGestures = (() => {
  const CLICK = 4; // screen pixels that a click may move
  const REST = 300; // ms: a page that was just scrolled goes on scrolling across a map
  let scrolled = -Infinity;
  window.addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true });

  const place = (map, event) => {
    const box = map.frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function wheel(map, event) {
    if (!event.ctrlKey && performance.now() - scrolled < REST) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    map.zoom(Math.exp(-0.002 * lines * Math.max(-400, Math.min(400, event.deltaY))), ...place(map, event));
  }

  function byMouse(map) {
    map.keyboard = false;
    map.readout.setAttribute("aria-live", "off");
  }

  /** The middle of the fingers, and how far they are apart. */
  function pinch(points) {
    const [[x1, y1], [x2, y2]] = points;
    return [(x1 + x2) / 2, (y1 + y2) / 2, Math.hypot(x1 - x2, y1 - y2) || 1];
  }

  function moved(map, event) {
    const now = place(map, event), before = map.pointers.get(event.pointerId);
    if (!before) {
      map.read(...map.at(...now));
      return;
    }
    map.travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (map.pointers.size === 2) {
      const [, , apart] = pinch([...map.pointers.values()]);
      map.pointers.set(event.pointerId, now);
      const [x, y, wider] = pinch([...map.pointers.values()]);
      map.zoom(wider / apart, x, y);
    } else {
      map.pan(now[0] - before[0], now[1] - before[1]);
      map.pointers.set(event.pointerId, now);
    }
  }

  function released(map, event) {
    const was = map.pointers.delete(event.pointerId);
    if (!was || map.pointers.size || map.travelled > CLICK || event.type === "pointercancel") return;
    const [row, col] = map.at(...place(map, event));
    map.read(row, col);
    const object = map.objectAt(row, col);
    if (object) {
      map.selected = object;
      map.redraw();
      anomvae.announce(map.element, "object", { id: object.id });
    }
  }

  function pressed(map, event) {
    if (event.button > 0) return;
    byMouse(map);
    if (!map.pointers.size) map.travelled = 0;
    map.pointers.set(event.pointerId, place(map, event));
    map.frame.setPointerCapture(event.pointerId);
  }

  function keys(map, step) {
    const far = () => Math.min(map.width, map.height) / 8;
    return {
      ArrowLeft: () => map.pan(far(), 0), ArrowRight: () => map.pan(-far(), 0),
      ArrowUp: () => map.pan(0, far()), ArrowDown: () => map.pan(0, -far()),
      "+": () => map.zoom(step), "=": () => map.zoom(step), "-": () => map.zoom(1 / step), 0: () => map.fit(),
      n: () => map.step(1), p: () => map.step(-1),
      Enter: () => {
        const object = map.objectAt(map.row, map.col);
        if (object) map.choose(object);
      },
    };
  }

  function listen(map, step) {
    const on = (name, callback, options) => map.frame.addEventListener(name, callback, options);
    const act = keys(map, step);
    on("dblclick", (event) => map.zoom(2, ...place(map, event)));
    on("wheel", (event) => wheel(map, event), { passive: false });
    on("pointerdown", (event) => pressed(map, event));
    on("pointermove", (event) => moved(map, event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => released(map, event));
    on("keydown", (event) => {
      const done = act[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!done || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      map.keyboard = true;
      map.readout.setAttribute("aria-live", "polite");
      done();
      map.read(map.row, map.col);
      map.redraw();
    });
    on("blur", () => { map.keyboard = false; map.redraw(); });
  }

  return listen;
})();
