// Two videos in step. The left one leads; where the right one has to be is said by moments that are the same in both.
const LATE_S = 0.06, SLOWEST = 0.0625, FASTEST = 16;

function element(name, text, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  if (text) made.textContent = text;
  return made;
}

// The right video's time at the left one's, and how fast it runs there.
export function follow(mode, anchors, time_s) {
  if (mode === "time" || !anchors.length) return [time_s, 1];
  const [first] = anchors;
  if (mode === "first" || anchors.length < 2) return [time_s - first[0] + first[1], 1];
  let k = anchors.findIndex(one => one[0] > time_s);
  if (k === 0) return [time_s - first[0] + first[1], 1];
  if (k < 0) { const last = anchors[anchors.length - 1]; return [time_s - last[0] + last[1], 1]; }
  const [from, to] = [anchors[k - 1], anchors[k]], slope = (to[1] - from[1]) / (to[0] - from[0]);
  return [from[1] + slope * (time_s - from[0]), slope];
}

export default function ({ data, parentElement: root }) {
  if (!data) return;
  let here = true;
  function look() {
    const found = [0, 1].map(number => document.querySelector(`.st-key-pair${number} video`));
    if (found.every(Boolean)) begin(...found, root, data); else if (here) setTimeout(look, 100);
  }
  look();
  return () => { here = false; };
}

function begin(left, right, root, data) {
  const place = root.querySelector(".tools"), words = data.words;
  place.replaceChildren();
  const state = { mode: data.anchors.length ? "phase" : "time", rate: 1 };
  for (const video of [left, right]) {
    video.ariaLabel = words.video;
    video.controls = false;
    video.muted = true;
    video.pause();
  }

  function step() {
    const [time_s, slope] = follow(state.mode, data.anchors, left.currentTime);
    const end_s = right.duration || time_s, at_s = Math.min(Math.max(time_s, 0), end_s);
    const off_s = Math.abs(right.currentTime - at_s), running = !left.paused && time_s >= 0 && time_s < end_s;
    if (running) {
      right.playbackRate = Math.min(Math.max(state.rate * slope, SLOWEST), FASTEST);
      if (right.paused) right.play().catch(() => {});
    } else if (!right.paused) right.pause();
    // Where both stand still they stand exactly.
    if (!right.seeking && off_s > (running ? LATE_S * Math.max(1, state.rate * slope) : 0.001)) right.currentTime = at_s;
    output.textContent = `${left.currentTime.toFixed(2)} s | ${at_s.toFixed(2)} s`.replaceAll(".", words.point);
    slider.max = left.duration || 0;
    if (document.activeElement !== slider) slider.value = left.currentTime;
    button.textContent = left.paused ? words.play : words.pause;
    if (!left.paused) requestAnimationFrame(step);
  }

  function seek(time_s) {
    left.pause();
    left.currentTime = Math.min(Math.max(time_s, 0), left.duration || time_s);
  }

  function control(text, label, act) {
    const made = element("button", text, { type: "button", title: label, onclick: act });
    made.setAttribute("aria-label", label);
    return made;
  }

  const turn = frames => seek((Math.round(left.currentTime * data.fps_hz - 0.01) + frames) / data.fps_hz + 0.001);
  const button = element("button", words.play, { type: "button" });
  button.onclick = () => { if (left.paused) left.play(); else left.pause(); };
  const speed = element("select");
  speed.setAttribute("aria-label", words.speed);
  for (const rate of [0.1, 0.25, 0.5, 1]) {
    speed.append(element("option", `${String(rate).replace(".", words.point)} ×`, { value: rate, selected: rate === 1 }));
  }
  speed.onchange = () => { state.rate = left.playbackRate = Number(speed.value); step(); };
  const mode = element("select");
  mode.setAttribute("aria-label", words.together);
  for (const one of data.anchors.length ? ["phase", "first", "time"] : ["time"]) {
    mode.append(element("option", words[one], { value: one }));
  }
  mode.onchange = () => { state.mode = mode.value; step(); };
  const slider = element("input", "", { type: "range", min: 0, step: 0.001, value: 0 });
  slider.setAttribute("aria-label", words.moment);
  slider.style.flex = "1 1 12rem";
  slider.oninput = () => seek(Number(slider.value));
  const output = element("output"), bar = element("div", "", { className: "bar" });
  bar.append(button, control("◀", words.back, () => turn(-1)), control("▶", words.on, () => turn(1)), speed, mode, slider, output);
  place.append(bar);

  function key(event) {
    const inside = event.composedPath()[0];
    if (!document.contains(left)) { document.removeEventListener("keydown", key); return; }
    if (["INPUT", "TEXTAREA", "SELECT"].includes(inside.tagName) || inside.isContentEditable) return;
    if (event.key === ",") turn(-1); else if (event.key === ".") turn(1);
  }
  if (window.posepipeKeys) document.removeEventListener("keydown", window.posepipeKeys);
  window.posepipeKeys = key;
  document.addEventListener("keydown", key);
  // Pictures that were taken away while a new pair came must not move it.
  for (const name of ["play", "pause", "seeked", "loadedmetadata", "ended"]) left.addEventListener(name, step);
  for (const name of ["seeked", "loadedmetadata"]) right.addEventListener(name, () => { if (left.paused) step(); });
  step();
}
