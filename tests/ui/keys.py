"""What of a page is reached by the Tab key alone, and whether it can be seen where one is."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

_AROUND_PX = 10
_LEAST_PIXELS, _LEAST_LEVELS = 40, 40
"""So many pixels change by so many levels of 255 where an element gets the focus."""
_MOST_STOPS = 250

_HELP = """() => {
  const reached = new Set();
  function deep() {
    let one = document.activeElement;
    for (;;) {
      const inside = one?.shadowRoot?.activeElement ||
        (one?.tagName === 'IFRAME' && one.contentDocument?.activeElement);
      if (!inside || inside.tagName === 'BODY') return one;
      one = inside;
    }
  }
  const shown = one => one.checkVisibility({ visibilityProperty: true });
  // What is seen of a box that is drawn by others: its label, or whatever is around it.
  function seen(one) {
    const small = box => box.width < 8 || box.height < 8;
    while (one.parentElement && (small(one.getBoundingClientRect()) || Number(getComputedStyle(one).opacity) === 0)) {
      one = one.parentElement;
    }
    return one.closest('label, [data-baseweb=select], [data-baseweb=input], [data-baseweb=textarea]') || one;
  }
  function box(one) {
    const rect = seen(one).getBoundingClientRect();
    let [x, y] = [rect.x, rect.y];
    for (let view = one.ownerDocument.defaultView; view !== window; view = view.parent) {
      const frame = view.frameElement.getBoundingClientRect();
      x += frame.x;
      y += frame.y;
    }
    return [x, y, rect.width, rect.height];
  }
  const outline = table => table && getComputedStyle(table).outlineStyle;
  const parent = one => one.parentElement || one.getRootNode().host || null;
  const said = one => one.getAttribute('aria-label') || one.title || one.textContent || one.value || '';
  const name = one => `${one.tagName} ${said(one)}`
    .replace(/\\s+/g, ' ').trim().slice(0, 70);
  const OPERATED = 'a[href], button, input, select, textarea, summary, video[controls], [role=button], ' +
    '[role=slider], ' +
    '[role=checkbox], [role=tab], [role=application], [contenteditable=true], canvas[tabindex]';
  function every(root, act) {
    for (const one of root.querySelectorAll('*')) {
      act(one);
      if (one.shadowRoot) every(one.shadowRoot, act);
      if (one.tagName === 'IFRAME' && one.srcdoc && one.contentDocument) every(one.contentDocument, act);
    }
  }
  function missed() {
    const found = [], groups = new Set([...reached].filter(one => one.type === 'radio').map(one => one.name));
    const held = [...reached];
    every(document, one => {
      if (!one.matches(OPERATED) || reached.has(one) || !shown(one)) return;
      if (one.disabled || one.closest('[aria-disabled=true], [aria-hidden=true], [inert]')) return;
      if (one.type === 'radio' && groups.has(one.name)) return;
      // Of buttons that are chosen between one is reached by Tab, the others by arrows.
      const group = one.closest('[role=radiogroup], [role=toolbar], [role=tablist]');
      if (group && held.some(other => group.contains(other))) return;
      // Steps of a number: its box takes arrows. A box's arrow or cross: its keys do the same.
      if (one.closest('[data-testid=stNumberInputStepUp], [data-testid=stNumberInputStepDown]')) return;
      const boxes = ['stSelectbox', 'stMultiSelect', 'stFileUploader'].map(id => `[data-testid=${id}]`);
      const around = one.closest(boxes.join());
      if (around && held.some(other => around.contains(other))) return;
      if (one.getBoundingClientRect().width < 2) return;
      found.push(name(one));
    });
    // What looks as if it could be clicked.
    every(document, one => {
      if (!shown(one) || getComputedStyle(one).cursor !== 'pointer') return;
      const above = parent(one);
      if (above && getComputedStyle(above).cursor === 'pointer') return;
      if (one.closest('[aria-hidden=true], [aria-disabled=true]') || one.matches(`:disabled, ${OPERATED}`)) return;
      const label = one.closest('label');
      for (const other of reached) {
        if (one.contains(other) || other.contains(one) || (label && label.contains(other))) return;
        if (one.getRootNode().host && other === one.getRootNode().host) return;
      }
      if (one.getBoundingClientRect().width < 2) return;
      found.push(`by mouse only: ${name(one)}`);
    });
    return [...new Set(found)];
  }
  window.posepipeWalk = {
    stop() {
      const one = deep();
      const before = reached.has(one), top = !one || one === document.body || one === document.documentElement;
      if (!top) reached.add(one);
      return { top, before, name: top ? '' : name(one), box: top ? null : box(one),
        operated: !one?.matches('video, main, iframe'),
        table: outline(one?.closest('[data-testid=stDataFrame]')),
        frame: !!one?.closest?.('[data-testid=stSidebar], [data-testid=stHeader]') };
    },
    missed,
    let() { this.held = deep(); this.held.blur(); },
    take() { this.held.focus({ preventScroll: true }); },
  };
}"""


def walk(page: Any, *, frame: bool = True) -> tuple[list[str], list[str], list[str]]:
    """Press Tab through the whole page.

    Args:
        page: at rest.
        frame: look at the focus in the menu and the header, too.

    Returns:
        Names of the stops, of controls that were never reached, and of stops at which the focus isn't seen.
    """
    page.evaluate(_HELP)
    # From the top, wherever the mouse was.
    page.evaluate(
        "() => { const body = document.body; body.tabIndex = -1; body.focus(); body.removeAttribute('tabindex'); }"
    )
    stops: list[str] = []
    unseen: list[str] = []
    known = 0
    # Round once more, until nothing new comes: a page that is drawn anew loses the focus.
    while known <= len(stops) + 5:
        assert len(stops) < _MOST_STOPS, stops[-20:]
        page.keyboard.press("Tab")
        stop = page.evaluate("window.posepipeWalk.stop()")
        if stop["top"] or stop["before"]:
            known += 1
            continue
        known = 0
        stops.append(stop["name"])
        if stop["table"]:
            # Its cells are drawn on a canvas, which loses its place with its focus.
            shown = stop["table"] != "none"
        else:
            shown = not stop["operated"] or (stop["frame"] and not frame) or _seen(page)
        if not shown:
            unseen.append(stop["name"])
    return stops, page.evaluate("window.posepipeWalk.missed()"), unseen


def _seen(page: Any) -> bool:
    """Whether the element that has the focus looks different without it."""
    page.wait_for_timeout(250)
    x, y, width, height = page.evaluate("window.posepipeWalk.stop().box")
    left, top = max(0.0, x - _AROUND_PX), max(0.0, y - _AROUND_PX)
    right = min(page.viewport_size["width"], x + width + _AROUND_PX)
    bottom = min(page.viewport_size["height"], y + height + _AROUND_PX)
    if right - left < 2 or bottom - top < 2:
        return False
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    on = _shot(page, clip)
    page.evaluate("window.posepipeWalk.let()")
    page.wait_for_timeout(250)
    off = _shot(page, clip)
    page.evaluate("window.posepipeWalk.take()")
    return int((abs(on - off).max(axis=2) > _LEAST_LEVELS).sum()) >= _LEAST_PIXELS


def _shot(page: Any, clip: dict[str, float]) -> np.ndarray:
    with Image.open(BytesIO(page.screenshot(clip=clip))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def tab_to(page: Any, name: str) -> None:
    """Press Tab until an element whose name begins so has the focus."""
    page.evaluate(_HELP)
    seen = []
    for _ in range(_MOST_STOPS):
        page.keyboard.press("Tab")
        said = page.evaluate("window.posepipeWalk.stop().name").partition(" ")[2]
        if said.startswith(name):
            return
        seen.append(said)
    raise AssertionError(f"{name!r} isn't among {seen}")
