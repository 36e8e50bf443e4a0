/* Sorts, searches and chooses in tables that are whole without it. What is chosen stands in the address, behind "#". */
(() => {
  "use strict";
  const make = (tag, attributes, ...inside) => {
    const one = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") for (const [event, act] of Object.entries(value)) one.addEventListener(event, act);
      else if (value !== false) one.setAttribute(name, value === true ? "" : value);
    }
    one.append(...inside);
    return one;
  };

  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const remember = (key, value) => {
    if (value) state.set(key, value); else state.delete(key);
    const words = state.toString();
    history.replaceState(history.state, "", location.pathname + location.search + (words ? "#" + words : ""));
  };
  const read = (key) => state.get(key) || "";
  const shownText = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("button, small").forEach((each) => each.remove());
    return copy.textContent.trim();
  };

  const LATEX = (key) => `pre[data-latex="${key}"] code`;

  /* The page at an address, asked for once however many of its tables wait for it. */
  const pages = new Map();
  const whole = (address) => {
    if (!pages.has(address)) {
      pages.set(address, fetch(address).then((answer) => {
        if (!answer.ok) throw new Error(answer.status);
        return answer.text();
      }).then((words) => new DOMParser().parseFromString(words, "text/html")));
      pages.get(address).catch(() => {}).finally(() => setTimeout(() => pages.delete(address), 5000));
    }
    return pages.get(address);
  };

  class Board {
    constructor(table) {
      this.table = table;
      this.key = table.dataset.key;
      this.heads = [...table.querySelectorAll("thead th[data-c]")].sort((a, b) => a.dataset.c - b.dataset.c);
      this.count = make("span", { role: "status", class: "count" });
      this.facets = (table.dataset.facets || "").split("|").filter(Boolean);
      this.groups = [...new Set(this.heads.map((head) => head.dataset.g || "").filter(Boolean))];
      const rows = Number(table.dataset.rows) || table.querySelectorAll("tbody tr:not(.section)").length;
      if (rows > 2 && this.heads.some((head) => head.classList.contains("n"))) this.heads.forEach((head) => this.sortable(head));
      if (rows > 14 || this.facets.length || this.groups.length > 1) this.tools();
      this.loading = table.dataset.whole ? this.load().then(() => this.ready()) : null;
      if (!this.loading) this.ready();
    }

    /* Of a long table the app's page has the first rows. Once these are seen, the others come with the whole page. */
    async load() {
      if (!this.touched()) await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
      try {
        const found = await whole(this.table.dataset.whole);
        const of = (selector) => found.querySelector(selector);
        const parts = of(`table[data-key="${this.key}"]`).tBodies;
        [...this.table.tBodies].forEach((part, k) => part.append(...[...parts[k].rows].slice(part.rows.length)));
        const place = this.block();
        if (place && !place.textContent) place.textContent = of(LATEX(this.key)).textContent;
      } catch {
        this.lost = true;
      }
    }

    ready() {
      this.loading = null;
      this.rows = [...this.table.querySelectorAll("tbody tr:not(.section)")];
      this.rows.forEach((row, place) => { row.dataset.place = place; });
      if (this.search) this.fill();
      this.restore();
      if (this.lost) this.count.textContent = "Only the first rows are here: the others could not be loaded. Open the page again.";
    }

    block() { return this.table.closest(".cs").querySelector(LATEX(this.key)); }

    touched() { return [...state.keys()].some((key) => key.startsWith(`${this.key}.`)); }

    name(part) { return `${this.key}.${part}`; }

    sortable(head) {
      const words = shownText(head);
      const button = make("button", { type: "button", class: "sort", "aria-label": `Sort by ${words}`,
        on: { click: () => this.turn(head) } });
      head.append(button);
    }

    async turn(head) {
      if (this.loading) await this.loading;
      const now = head.getAttribute("aria-sort");
      const number = head.classList.contains("n");
      const next = now === null ? (number ? "descending" : "ascending")
        : now === (number ? "descending" : "ascending") ? (number ? "ascending" : "descending") : null;
      this.sort(head, next);
      remember(this.name("sort"), next ? `${head.dataset.k} ${next}` : "");
      this.latex();
    }

    sort(head, direction) {
      this.heads.forEach((each) => each.removeAttribute("aria-sort"));
      const column = Number(head.dataset.c);
      const value = (row) => {
        const cell = row.children[column];
        if (!head.classList.contains("n")) return shownText(cell).toLowerCase();
        const found = shownText(cell).replace(/,/g, "").replace("−", "-").match(/[+-]?\d+(\.\d+)?/);
        return found ? Number(found[0]) : null;
      };
      const sign = direction === "ascending" ? 1 : -1;
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === y) return a.dataset.place - b.dataset.place;
        if (x === null) return 1;
        if (y === null) return -1;
        return sign * (x < y ? -1 : 1);
      };
      if (direction) head.setAttribute("aria-sort", direction);
      for (const part of this.table.tBodies) {
        const own = [...part.querySelectorAll("tr:not(.section)")];
        own.sort(direction ? order : (a, b) => a.dataset.place - b.dataset.place);
        part.append(...own);
      }
    }

    tools() {
      this.search = make("input", { type: "search", placeholder: "Search", "aria-label": "Search the rows",
        autocomplete: "off", on: { input: () => { remember(this.name("find"), this.search.value); this.apply(); } } });
      this.reset = make("button", { type: "button", class: "plain", hidden: true, on: { click: () => this.clear() } }, "Show all");
      this.panel = make("div", { class: "panel", id: `${this.key}-panel`, hidden: true });
      this.chips = [];
      const open = make("button", { type: "button", class: "plain", "aria-expanded": "false", "aria-controls": this.panel.id,
        on: { click: () => {
          this.panel.hidden = !this.panel.hidden;
          open.setAttribute("aria-expanded", String(!this.panel.hidden));
        } } }, "Filter");
      const some = this.facets.length || this.groups.length > 1;
      const bar = make("div", { class: "tools" }, this.search, ...(some ? [open] : []), this.reset, this.count);
      this.table.closest(".scroll").before(bar, this.panel);
    }

    fill() {
      this.facets.forEach((label, place) => {
        const values = new Map();
        for (const row of this.rows) {
          const own = (row.dataset.f || "").split("|")[place];
          if (own) values.set(own, (values.get(own) || 0) + 1);
        }
        this.group(label, [...values].map(([value, count]) => this.chip(value, place, ` ${count}`)));
      });
      if (this.groups.length > 1) this.group("Task types", this.groups.map((value) => this.chip(value, "type", "")));
    }

    group(label, chips) {
      const name = `${this.key}-${label.replace(/\W+/g, "-")}`;
      this.panel.append(make("div", { class: "chips", role: "group", "aria-labelledby": name },
        make("b", { id: name }, label), ...chips));
    }

    chip(value, place, count) {
      const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false", on: { click: () => {
        chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
        this.keep(place);
        this.apply();
      } } }, value, make("small", {}, count));
      this.chips.push({ chip, value, place });
      return chip;
    }

    pressed(place) {
      return this.chips.filter((each) => each.place === place && each.chip.getAttribute("aria-pressed") === "true")
        .map((each) => each.value);
    }

    keep(place) {
      remember(this.name(place === "type" ? "types" : `f${place}`), this.pressed(place).join("|"));
    }

    clear() {
      this.search.value = "";
      this.chips.forEach(({ chip }) => chip.setAttribute("aria-pressed", "false"));
      ["find", "types", ...this.facets.map((_, place) => `f${place}`)].forEach((part) => remember(this.name(part), ""));
      this.apply();
      this.search.focus();
    }

    restore() {
      const [key, direction] = read(this.name("sort")).split(" ");
      const head = key && this.heads.find((each) => each.dataset.k === key);
      if (head && ["ascending", "descending"].includes(direction)) this.sort(head, direction);
      if (this.search) {
        this.search.value = read(this.name("find"));
        for (const { chip, value, place } of this.chips) {
          const own = read(this.name(place === "type" ? "types" : `f${place}`)).split("|");
          chip.setAttribute("aria-pressed", String(own.includes(value)));
        }
        if (this.search.value || this.chips.some(({ chip }) => chip.getAttribute("aria-pressed") === "true")) this.apply();
        else if (head) this.latex();
      }
    }

    async apply() {
      if (this.loading) await this.loading;
      const words = this.search.value.trim().toLowerCase();
      const wanted = this.facets.map((_, place) => this.pressed(place));
      let shown = 0;
      for (const row of this.rows) {
        const own = (row.dataset.f || "").split("|");
        const fits = wanted.every((values, place) => !values.length || !own[place] || values.includes(own[place]));
        row.hidden = !(fits && (!words || row.textContent.toLowerCase().includes(words)));
        shown += !row.hidden;
      }
      for (const part of this.table.tBodies) {
        const head = part.querySelector("tr.section");
        if (head) head.hidden = ![...part.querySelectorAll("tr:not(.section)")].some((row) => !row.hidden);
      }
      const types = this.pressed("type");
      this.heads.forEach((head) => {
        const hide = Boolean(types.length && head.dataset.g && !types.includes(head.dataset.g));
        head.hidden = hide;
        for (const row of this.rows) row.children[Number(head.dataset.c)].hidden = hide;
      });
      this.table.querySelectorAll("thead th.group").forEach((head) => {
        head.hidden = Boolean(types.length && !types.includes(head.textContent));
      });
      const some = shown < this.rows.length;
      this.reset.hidden = !(some || types.length);
      this.count.textContent = some ? `${shown} of ${this.lost ? "the first " : ""}${this.rows.length} rows` : "";
      this.latex();
    }

    /* The table as it is seen now, for a paper. */
    latex() {
      const place = this.block();
      if (!place) return;
      if (place.dataset.whole === undefined) place.dataset.whole = place.textContent;
      if (!this.touched()) { place.textContent = place.dataset.whole; return; }
      const tex = (words) => words.replace(/[\\&%$#_{}~^<>|"−–×±✓✗◐]/g, (c) => ({
        "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}",
        ">": "\\textgreater{}", "|": "\\textbar{}", '"': "\\textquotedbl{}", "−": "$-$", "–": "--", "×": "$\\times$",
        "±": "$\\pm$", "✓": "", "✗": "", "◐": "" })[c] ?? "\\" + c);
      const heads = this.heads.filter((head) => !head.hidden && head.dataset.k !== "remarks");
      const line = (row) => heads.map((head) => {
        const cell = row.children[Number(head.dataset.c)];
        const small = head.classList.contains("n") && cell.querySelector("small");
        const inside = small && small.textContent ? ` {\\scriptsize ${tex(small.textContent)}}` : "";
        return tex(shownText(cell)) + inside;
      }).join(" & ") + " \\\\";
      const parts = [...this.table.tBodies].map((part) => [...part.querySelectorAll("tr:not(.section)")]
        .filter((row) => !row.hidden).map(line).join("\n")).filter(Boolean);
      const whole = place.dataset.whole;
      const source = (whole.match(/clinsynth snapshot [0-9a-f]+ of [0-9-]+/) || [""])[0];
      place.textContent = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        "\\begin{table}[t]", "\\centering",
        `\\caption{${tex(document.getElementById(`${this.key}-caption`).textContent.trim())}. ${source}.}`,
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        `\\begin{tabular}{@{}${heads.map((head) => (head.classList.contains("n") ? "r" : "l")).join("")}@{}}`, "\\toprule",
        heads.map((head) => tex(shownText(head))).join(" & ") + " \\\\", "\\midrule",
        parts.join("\n\\midrule\n"), "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""].join("\n");
    }
  }

  const copier = (block) => {
    const button = make("button", { type: "button", class: "plain copy", on: { click: async () => {
      try {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } } }, "Copy");
    block.before(button);
  };

  document.documentElement.classList.add("scripted");
  const found = new WeakSet();
  const look = () => {
    document.querySelectorAll(".cs table[data-key], .cs pre").forEach((each) => {
      if (found.has(each)) return;
      found.add(each);
      if (each.tagName === "PRE") copier(each); else new Board(each);
    });
  };
  const start = () => {
    look();
    /* The app puts pages in when they are asked for. */
    let waiting = false;
    new MutationObserver(() => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; look(); });
    }).observe(document.body, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
