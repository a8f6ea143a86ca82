// A report that may run no script can't tell how high it is, Streamlit's own way: look from out here.
export default function () {
  let left = true;
  const seen = new Set();
  function fit() {
    for (const frame of document.querySelectorAll("iframe[srcdoc]")) {
      const body = frame.contentDocument?.body;
      if (!body || !body.childElementCount) continue;
      const high = Math.ceil(body.getBoundingClientRect().height + 4);
      if (Math.abs(frame.clientHeight - high) > 4) frame.style.height = `${high}px`;
      if (seen.has(frame)) continue;
      seen.add(frame);
      new ResizeObserver(fit).observe(frame);
    }
    if (left && !seen.size) setTimeout(fit, 200);
  }
  fit();
  // It may be drawn anew, with another document.
  const again = setInterval(fit, 1000);
  return () => { left = false; clearInterval(again); };
}
