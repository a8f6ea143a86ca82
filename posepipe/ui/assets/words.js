// Streamlit's own words (upload box, menus, tooltips) in the page's language, and the page's language for screen readers.
export default function ({ data }) {
  if (!data) return;
  fold();
  document.documentElement.lang = data.language;
  if (window.posepipeWords) window.posepipeWords.disconnect();
  const table = new Map(Object.entries(data.words));
  if (!table.size) return;

  function told(said) {
    const text = said.trim();
    if (table.has(text)) return said.replace(text, table.get(text));
    if (text.endsWith("Running the app's main page.")) return table.get("Running the app's main page");
    const help = text.match(/^Help for (.*)$/s);
    if (help) return `${table.get("Help for")} ${help[1]}`;
    const options = text.match(/^(\d+) options? available\b/);
    if (options) return `${options[1]} ${table.get("options available")}`;
    const size = text.match(/^(\d+(?:\.\d+)?)\s?([KMG]B) per file(.*)$/);
    return size ? `${size[1]} ${size[2]} ${table.get("per file")}${size[3]}` : null;
  }

  function put(node) {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.trim() && told(node.data);
      if (text && text !== node.data) node.data = text;
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE", "IFRAME"].includes(node.tagName)) return;
    // Signs stand beside words that say the same; their names are English.
    if (node.getAttribute("role") === "img" && /icon/i.test(node.dataset.testid || node.className)) {
      node.removeAttribute("aria-label");
      node.setAttribute("aria-hidden", "true");
    }
    for (const name of ["title", "aria-label", "placeholder", "alt"]) {
      const said = node.getAttribute(name), text = said && told(said);
      if (text && text !== said) node.setAttribute(name, text);
    }
    node.childNodes.forEach(put);
  }

  put(document.body);
  window.posepipeWords = new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach(put); else put(change.target);
    }
  });
  window.posepipeWords.observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true,
    attributeFilter: ["title", "aria-label", "placeholder", "alt"],
  });
}

// On a phone held on its side the menu would take a third of the picture's room.
function fold(looks = 25) {
  if (window.posepipeFolded || innerHeight > 500 || innerWidth < innerHeight) return;
  const button = document.querySelector("[data-testid=stSidebarCollapseButton] button");
  window.posepipeFolded = Boolean(button);
  // The menu may be drawn after this.
  if (button) button.click(); else if (looks) setTimeout(() => fold(looks - 1), 200);
}
