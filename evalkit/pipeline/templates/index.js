"use strict";
/* Sorts and filters the tables of the index page and keeps what was chosen in the address, so that another language
   opens on the same place with the same choice. Without it the page is whole, in the order of the plan. */
(() => {
  const DIRECTIONS = ["ascending", "descending", "none"];
  const bar = document.querySelector(".bar");
  const main = document.getElementById("main");
  const tools = document.getElementById("tools");
  const say = document.getElementById("shown");
  const fields = ["name", "kind", "status"].map((id) => document.getElementById(`by-${id}`));
  const [name, kind, status] = fields;
  const sections = [...document.querySelectorAll("section[data-kind]")];
  const rows = [...document.querySelectorAll("section[data-kind] tbody tr")];
  const place = new Map(rows.map((row, i) => [row, i]));
  const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
  const links = [...document.querySelectorAll(".languages a")];
  let sorted = {};
  let last = null;

  const plain = (words) => words.normalize("NFKC").toLocaleLowerCase();

  function filter() {
    const wanted = plain(name.value).split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const { names, kind: own, status: ended } = row.dataset;
      const known = plain(names);
      row.hidden = !wanted.every((word) => known.includes(word))
        || Boolean(kind.value && kind.value !== own) || Boolean(status.value && status.value !== ended);
    }
    for (const section of sections) section.hidden = !section.querySelector("tbody tr:not([hidden])");
  }

  function compare(column, direction) {
    const sign = direction === "descending" ? -1 : 1;
    return (one, other) => {
      const [a, b] = [one, other].map((row) => row.cells[column].dataset.sort);
      const still = place.get(one) - place.get(other);
      if (direction === "none" || a === b) return still;
      if (a === "" || b === "") return a === "" ? 1 : -1;
      const apart = Number(a) - Number(b);
      return (Number.isNaN(apart) ? order.compare(a, b) : apart) * sign || still;
    };
  }

  function sort(section, column, direction) {
    const body = section.querySelector("tbody");
    [...section.querySelectorAll("thead th")].forEach((head, i) => {
      if (head.querySelector("button")) head.setAttribute("aria-sort", i === column ? direction : "none");
    });
    body.append(...[...body.rows].sort(compare(column, direction)));
    sorted[section.dataset.kind] = [column, direction];
    if (direction === "none") delete sorted[section.dataset.kind];
  }

  function state() {
    const chosen = new URLSearchParams();
    for (const field of fields) if (field.value) chosen.set(field.id.slice(3), field.value);
    for (const [own, [column, direction]] of Object.entries(sorted)) chosen.append("sort", [own, column, direction]);
    return chosen;
  }

  function told(words = "") {
    const shown = rows.filter((row) => !row.hidden).length;
    const { shown: some, none } = say.dataset;
    const count = (shown ? some : none).replace("{shown}", shown).replace("{total}", rows.length);
    say.textContent = words ? `${count} ${words}` : count;
  }

  const to = (address, chosen) => address.split("#")[0] + (chosen && `#${chosen}`);
  const lead = (link, chosen) => link.setAttribute("href", to(link.getAttribute("href"), chosen));

  function remember() {
    const chosen = state().toString();
    history.replaceState(null, "", to(location.href, chosen));
    for (const link of links) lead(link, chosen);
  }

  /* The row that the reader is at: the last one that had the focus, else the first, of those in sight. */
  function at() {
    const edge = bar.getBoundingClientRect().bottom;
    const seen = (row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return !row.hidden && bottom > edge && top < window.innerHeight;
    };
    if (last && seen(last)) return last.id;
    return main.getBoundingClientRect().top < edge ? rows.find(seen)?.id : undefined;
  }

  function restore() {
    const words = location.hash.slice(1);
    if (words && !words.includes("=")) return reveal(document.getElementById(words));
    const chosen = new URLSearchParams(words);
    for (const field of fields) field.value = chosen.get(field.id.slice(3)) ?? "";
    for (const section of sections) sort(section, 0, "none");
    for (const one of chosen.getAll("sort")) {
      const [own, column, direction] = one.split(",");
      const section = sections.find((s) => s.dataset.kind === own);
      if (section?.querySelectorAll("thead th")[column]?.querySelector("button") && DIRECTIONS.includes(direction))
        sort(section, Number(column), direction);
    }
    filter();
    told();
    const row = document.getElementById(chosen.get("at") ?? "");
    if (row) { row.tabIndex = -1; row.focus(); row.scrollIntoView(); }
    remember();
  }

  /* A link inside the page to a row that the filter hides shows it again. */
  function reveal(target) {
    if (target?.closest("[hidden]")) clear();
    told();
    target?.scrollIntoView();
  }

  function clear() {
    for (const field of fields) field.value = "";
    filter();
  }

  for (const head of document.querySelectorAll("th[data-sortable]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = DIRECTIONS[(DIRECTIONS.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      sort(head.closest("section"), head.cellIndex, next);
      told(say.dataset[next === "none" ? "original" : next].replace("{column}", button.textContent.trim()));
      remember();
    });
  }
  for (const field of fields) field.addEventListener("input", () => { filter(); told(); remember(); });
  document.getElementById("reset").addEventListener("click", () => {
    clear();
    for (const section of sections) sort(section, 0, "none");
    told();
    remember();
    name.focus();
  });
  document.addEventListener("focusin", ({ target }) => {
    if (!bar.contains(target)) last = target.closest("tbody tr");
  });
  for (const link of links) link.addEventListener("click", () => {
    const chosen = state();
    const row = at();
    if (row) chosen.set("at", row);
    lead(link, chosen.toString());
  });
  window.addEventListener("hashchange", restore);
  tools.hidden = false;
  restore();
})();
