"use strict";
// A table that sorts, filters and pages; a row may lead to an object of a map.

(() => {
  const { make, announce, figure, count, isNumber, safeAddress, safePicture } = anomvae;
  const LONGEST = 300; // characters of a cell
  const TITLE = 2000;
  const WORDS = 20; // characters above which a cell is given width
  const CUT = 60; // characters above which a cell may be too high, and has its text in its title
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const textOf = (cell) => String((Array.isArray(cell) ? cell[0] : cell) ?? "");
  let number = 0;

  class Table {
    constructor(element, data) {
      Object.assign(this, { element, data, page: 0, words: "", choices: new Map(), more: [...data.more], name: `table-${++number}` });
      this.rows = [];
      this.addRows(data.rows, false);
      this.column = data.columns.findIndex((column) => column.key === data.sort);
      this.descending = data.descending;
      this.build();
      this.update();
    }

    /** Add rows; those of a script beside the page have no objects. */
    addRows(rows, shown = true) {
      for (const cells of rows) {
        this.rows.push({ cells, id: this.data.ids?.[this.rows.length] ?? null, at: this.rows.length, text: null });
      }
      if (shown) { this.fillChoices(); this.update(); }
    }

    build() {
      const { data } = this;
      this.search = make("input", {
        type: "search", id: `${this.name}-search`, autocomplete: "off",
        oninput: (event) => { this.words = event.target.value.toLowerCase(); this.page = 0; this.update(); },
      });
      this.selects = data.columns.map((column, at) => (column.choices ? this.choice(column, at) : null));
      this.status = make("p", { class: "quiet", role: "status" });
      this.heads = data.columns.map((column, at) => this.head(column, at));
      this.body = make("tbody", {});
      const table = make("table", { class: "rows" }, make("caption", {}, data.name), make("thead", {}, make("tr", {}, this.heads)), this.body);
      const button = (words, by) => make("button", { type: "button", class: "small", onclick: () => { this.page += by; this.update(); } }, words);
      [this.before, this.after] = [button("Previous", -1), button("Next", 1)];
      this.element.append(
        make("div", { class: "table-tools" }, make("label", { for: `${this.name}-search` }, "Search ", this.search), this.selects.filter(Boolean)),
        make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": data.name }, table),
        make("div", { class: "table-tools" }, this.status, make("div", { class: "pager", role: "group", "aria-label": `Pages of ${data.name}` }, this.before, this.after)));
      if (data.ids && this.element.dataset.viewer) {
        this.toMap = make("a", { href: `#${this.element.dataset.viewer}` }, "To the map");
        this.element.querySelector(".table-tools").append(this.toMap);
      }
      if (data.note) this.element.append(make("p", { class: "quiet" }, data.note));
      this.fillChoices();
      this.body.addEventListener("click", (event) => { if (!event.target.closest("a")) this.activate(event.target.closest("tr")); });
      this.body.addEventListener("keydown", (event) => this.key(event));
    }

    head(column, at) {
      const name = column.unit ? `${column.name} (${column.unit})` : column.name;
      const button = make("button", { type: "button", onclick: () => this.sortBy(at) }, make("span", { dir: "auto" }, name));
      return make("th", { scope: "col", class: column.kind }, column.kind === "picture" ? name : button);
    }

    choice(column, at) {
      const select = make("select", {
        onchange: (event) => {
          if (event.target.value === "") this.choices.delete(at); else this.choices.set(at, event.target.value.slice(1));
          this.page = 0;
          this.update();
        },
      });
      return make("label", {}, `${column.name} `, select);
    }

    /** Offer the values that there are; an option's value begins with "=", so that none is empty. */
    fillChoices() {
      this.selects.forEach((label, at) => {
        if (!label) return;
        const select = label.querySelector("select"), chosen = select.value;
        const values = [...new Set(this.rows.map((row) => textOf(row.cells[at])))].sort(compare).slice(0, 200);
        select.replaceChildren(make("option", { value: "" }, "all"),
          ...values.map((value) => make("option", { value: `=${value}` }, value.slice(0, 80) || "(empty)")));
        select.value = chosen;
      });
    }

    sortBy(at) {
      this.descending = this.column === at ? !this.descending : this.data.columns[at].kind === "number";
      this.column = at;
      this.page = 0;
      this.update();
    }

    found() {
      const chosen = [...this.choices];
      const rows = this.rows.filter((row) => chosen.every(([at, value]) => textOf(row.cells[at]) === value) && this.holds(row));
      if (this.column < 0) return rows;
      const sign = this.descending ? -1 : 1, at = this.column;
      return rows.sort((a, b) => ordered(a.cells[at], b.cells[at], sign) || a.at - b.at);
    }

    holds(row) {
      if (!this.words) return true;
      row.text ??= row.cells.map((cell, i) => (this.data.columns[i].kind === "picture" ? "" : textOf(cell))).join("\n").toLowerCase();
      return row.text.includes(this.words);
    }

    update() {
      const rows = this.found(), { data } = this, size = data.page;
      const pages = Math.max(1, Math.ceil(rows.length / size));
      this.page = Math.max(0, Math.min(pages - 1, this.page));
      const first = this.page * size;
      this.shown = rows;
      this.body.replaceChildren(...rows.slice(first, first + size).map((row) => this.line(row)));
      if (!rows.length) this.body.append(make("tr", {}, make("td", { colspan: data.columns.length, class: "quiet" }, this.rows.length ? "No row matches." : "No rows.")));
      this.before.disabled = this.page === 0;
      this.after.disabled = this.page === pages - 1;
      const range = rows.length ? `${count(first + 1)}–${count(Math.min(rows.length, first + size))} of ${count(rows.length)}` : "0 rows";
      const all = rows.length < this.rows.length ? ` (of ${count(this.rows.length)})` : "";
      const cut = isNumber(data.total) && data.total > this.rows.length ? `; the first ${count(this.rows.length)} of ${count(data.total)} are listed` : "";
      this.status.textContent = `${range}${all}${cut}`;
      this.heads.forEach((head, at) => {
        if (at === this.column) head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      if (this.more.length && (this.words || this.choices.size || this.column >= 0 || this.page >= pages - 2)) this.fetch();
    }

    /** Fetch the rows of the next script beside the page. */
    fetch() {
      const address = safeAddress(this.more.shift());
      if (!address) return;
      const script = make("script", { src: address });
      script.addEventListener("error", () => { this.status.textContent += " (further rows are missing: their file cannot be read)"; });
      document.head.append(script);
    }

    line(row) {
      const leads = row.id !== null;
      const made = make("tr", leads ? { tabindex: 0, "data-id": row.id, class: "leads", "aria-current": row.id === this.selected ? "true" : null } : {},
        row.cells.map((cell, at) => this.cell(cell, this.data.columns[at])));
      return made;
    }

    cell(cell, column) {
      if (column.kind === "number") return make("td", { class: "number" }, isNumber(cell) ? figure(cell, column.digits) : cell === null ? "–" : String(cell));
      if (column.kind === "picture") {
        const source = cell && safePicture(cell);
        return make("td", {}, source ? make("img", { src: source, alt: "", loading: "lazy" }) : "–");
      }
      const text = textOf(cell), short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
      const to = column.kind === "link" && Array.isArray(cell) && cell[1] ? safeAddress(cell[1]) : null;
      const inner = to ? make("a", { href: to, dir: "auto" }, short) : make("span", { dir: "auto", class: column.kind === "state" ? `badge ${stateOf(text)}` : "" }, short || "–");
      return make("td", { class: short.length > WORDS ? "words" : null, title: text.length > CUT ? text.slice(0, TITLE) : null }, inner);
    }

    key(event) {
      const row = event.target.closest("tr.leads");
      if (!row || event.target !== row) return;
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.activate(row); }
      const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
      if (next) { event.preventDefault(); next.focus(); }
    }

    activate(row) {
      if (!row?.dataset.id) return;
      this.mark(row.dataset.id);
      announce(this.element, "object", { id: row.dataset.id });
    }

    mark(id) {
      this.selected = id;
      if (this.toMap) this.toMap.textContent = `Object ${id} on the map`;
      for (const row of this.body.children) {
        if (row.dataset.id === id) row.setAttribute("aria-current", "true");
        else row.removeAttribute("aria-current");
      }
    }

    /** Show the row of an object, on whichever page it is. */
    select(id) {
      const at = this.shown.findIndex((row) => row.id === id);
      if (at >= 0 && Math.floor(at / this.data.page) !== this.page) {
        this.page = Math.floor(at / this.data.page);
        this.update();
      }
      this.mark(id);
    }
  }

  /** Order of two cells; what is missing comes last, whichever the direction. */
  function ordered(a, b, sign) {
    const [x, y] = [a, b].map((cell) => (Array.isArray(cell) ? cell[0] : cell));
    const none = (value) => value === null || value === undefined || value === "";
    if (none(x) || none(y)) return none(x) - none(y);
    return sign * (isNumber(x) && isNumber(y) ? x - y : compare(String(x), String(y)));
  }

  const STATES = {
    good: ["normal", "good", "done", "usable", "closed", "yes", "ok"],
    doubtful: ["not comparable", "doubtful", "provisional", "muted"],
    bad: ["anomalous", "failed", "no", "bad", "confirmed", "missing"],
  };
  const stateOf = (text) => Object.keys(STATES).find((state) => STATES[state].includes(text.toLowerCase())) || "";

  anomvae.define("table", (element, data) => new Table(element, data));
})();
