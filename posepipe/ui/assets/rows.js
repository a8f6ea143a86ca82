// The library's list: a name opens its row, ticks compare two; by mouse, by finger, or by keys.
const MOST = 2, SOUGHT_FROM = 8, SEPARATOR = "\n";

function element(name, text, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  if (text) made.textContent = text;
  return made;
}

export default function ({ data, parentElement: root, setStateValue }) {
  if (!data) return;
  const place = root.querySelector(".list");
  const state = (place.state ||= { chosen: data.chosen, column: -1, down: false, sought: "" });

  function choose(ids) {
    state.chosen = ids;
    mark();
    setStateValue("chosen", ids);
  }

  function mark() {
    place.querySelectorAll("tbody tr").forEach(row => {
      const on = state.chosen.includes(row.dataset.id);
      row.classList.toggle("on", on);
      row.querySelector("input").checked = on;
    });
  }

  function row(one) {
    const made = element("tr"), tick = element("input", "", { type: "checkbox" }), first = element("td", "", { className: "tick" });
    const open = element("button", one.cells[0], { type: "button", className: "open" });
    made.dataset.id = one.id;
    tick.setAttribute("aria-label", `${data.words.tick}: ${one.cells[0]}`);
    tick.onchange = () => {
      const others = state.chosen.filter(id => id !== one.id);
      choose(tick.checked ? [...others, one.id].slice(-MOST) : others);
    };
    open.onclick = event => { event.stopPropagation(); choose([one.id]); };
    made.onclick = event => { if (!first.contains(event.target)) choose([one.id]); };
    first.append(tick);
    made.append(first, ...one.cells.map((text, k) => {
      const cell = element(k ? "td" : "th", k ? text : "");
      if (!k) { cell.scope = "row"; cell.append(open); }
      return cell;
    }));
    return made;
  }

  function shown() {
    const sought = state.sought.trim().toLowerCase(), { column, down } = state;
    const found = data.rows.filter(one => one.cells.join(SEPARATOR).toLowerCase().includes(sought));
    if (column < 0) return found;
    const order = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, data.language);
    return found.sort((a, b) => (down ? -1 : 1) * order(a.order[column], b.order[column]));
  }

  function fill() {
    place.querySelector("tbody").replaceChildren(...shown().map(row));
    place.querySelectorAll("thead th[data-column]").forEach(head => {
      const here = Number(head.dataset.column) === state.column;
      head.setAttribute("aria-sort", !here ? "none" : state.down ? "descending" : "ascending");
    });
    mark();
  }

  const said = JSON.stringify([data.rows, data.columns, data.words]);
  if (place.said === said) return;
  place.said = said;
  // Whoever was here with the keyboard stays here.
  const held = place.getRootNode().activeElement?.closest?.("tr")?.dataset.id;
  const head = element("tr"), table = element("table"), search = element("input", "", { type: "search", value: state.sought });
  head.append(element("td"), ...data.columns.map((name, k) => {
    const cell = element("th", "", { scope: "col" }), button = element("button", name, { type: "button" });
    cell.dataset.column = k;
    button.onclick = () => {
      state.down = state.column === k && !state.down;
      state.column = k;
      fill();
    };
    cell.append(button);
    return cell;
  }));
  search.setAttribute("aria-label", data.words.search);
  search.placeholder = data.words.search;
  search.hidden = data.rows.length < SOUGHT_FROM;
  search.oninput = () => { state.sought = search.value; fill(); };
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  table.onkeydown = event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], line = place.getRootNode().activeElement?.closest("tbody tr");
    if (!step || !line) return;
    const next = step > 0 ? line.nextElementSibling : line.previousElementSibling;
    next?.querySelector(place.getRootNode().activeElement.tagName).focus();
    event.preventDefault();
  };
  const box = element("div", "", { className: "box" });
  box.append(table);
  place.replaceChildren(search, box);
  fill();
  if (held) place.querySelector(`tr[data-id="${CSS.escape(held)}"] .open`)?.focus();
}
