"""How well every text of a page stands out from what is behind it (WCAG 2.2, success criterion 1.4.3)."""

from __future__ import annotations

from typing import Any

LEAST = 4.5

_READ = """() => {
  const pen = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d',
    { willReadFrequently: true });
  const known = new Map();
  function rgba(color) {
    if (!known.has(color)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = color;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(color, [r, g, b, a / 255]);
    }
    return known.get(color);
  }
  const over = (top, below, share) => [0, 1, 2].map(k => top[k] * top[3] * share + below[k] * (1 - top[3] * share));
  const parent = one => one.parentElement || one.getRootNode().host || null;
  function light(color) {
    const [r, g, b] = color.map(v => v / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function look(text) {
    const own = text.parentElement || text.getRootNode().host, chain = [];
    for (let one = own; one; one = parent(one)) chain.push(getComputedStyle(one));
    if (chain.some(style => style.backgroundImage !== 'none')) return null;
    let behind = document.documentElement.style.colorScheme === 'dark' ||
      getComputedStyle(document.documentElement).colorScheme === 'dark' ? [18, 18, 18] : [255, 255, 255];
    let share = 1;
    for (const style of chain.reverse()) {
      share *= Number(style.opacity);
      behind = over(rgba(style.backgroundColor), behind, share);
    }
    const style = getComputedStyle(own), drawn = own.closest('svg') ? style.fill : style.color;
    const shown = over(rgba(drawn), behind, share);
    const [a, b] = [light(shown), light(behind)].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), shown.map(Math.round).join(' '), behind.map(Math.round).join(' ')];
  }
  const found = [];
  function walk(root) {
    for (const one of root.querySelectorAll('*')) if (one.shadowRoot) walk(one.shadowRoot);
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode, own = text.parentElement || text.getRootNode().host;
      if (!own || !text.data.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'TITLE'].includes(own.tagName)) continue;
      // Signs are drawn by a font; what can't be used now may be pale.
      if (own.closest('[data-testid=stIconMaterial], [disabled], [aria-disabled=true], [aria-hidden=true]')) continue;
      const range = document.createRange();
      range.selectNode(text);
      const box = range.getBoundingClientRect(), style = getComputedStyle(own);
      if (box.width < 2 || box.height < 2 || style.visibility !== 'visible') continue;
      const seen = look(text);
      if (seen) found.push([...seen, text.data.trim().slice(0, 60)]);
    }
  }
  walk(document.body);
  return found;
}"""


def faint(page: Any) -> tuple[int, list[str]]:
    """How many texts were looked at in a page and its frames, and those that don't stand out enough."""
    count, pale = 0, []
    for frame in page.frames:
        for ratio, shown, behind, said in frame.evaluate(_READ):
            count += 1
            if ratio < LEAST:
                pale.append(f"{ratio:.2f}: {shown} on {behind}: {said}")
    return count, sorted(set(pale))
