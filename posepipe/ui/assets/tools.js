// Beside the annotated video: single frames, speeds, moments to jump to, angles at a joint, and corrections.
const NUDGE = 0.004, LEAP = 10;  // A step by key, as a share of the picture's height; with Shift, so many.
const FADE = { left: "#56b4e9", right: "#f2a33c", middle: "#e5e7e9" };

function element(name, text, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  if (text) made.textContent = text;
  return made;
}

function nearest(times, time) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1; else high = middle;
  }
  return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  if (!data) return;
  let left = true;
  // The video may come after its tools.
  function look() {
    const video = document.querySelector(".st-key-player video");
    if (video) begin(video, root, data, setTriggerValue); else if (left) setTimeout(look, 100);
  }
  look();
  return () => { left = false; };
}

function begin(video, root, data, setTriggerValue) {
  const place = root.querySelector(".tools");
  place.replaceChildren();
  const words = data.words, person = data.person, step_s = 1 / data.fps_hz;
  const state = { correcting: false, joint: "", start_s: null, drag: null, hand: "" };

  // A canvas over the picture: angles on demand, and joints to drag.
  video.ariaLabel = words.video;
  const box = video.parentElement;
  box.style.position = "relative";
  box.querySelectorAll("canvas.posepipe").forEach(old => old.remove());
  const canvas = element("canvas", "", { className: "posepipe" });
  canvas.setAttribute("aria-hidden", "true");
  canvas.style.cssText = "position:absolute;z-index:1;pointer-events:none;touch-action:none";
  box.append(canvas);
  const pen = canvas.getContext("2d");

  function fit() {
    const width = video.clientWidth, height = video.clientHeight;
    const scale = Math.min(width / data.width_px, height / data.height_px) || 1;
    canvas.style.left = video.offsetLeft + (width - scale * data.width_px) / 2 + "px";
    canvas.style.top = video.offsetTop + (height - scale * data.height_px) / 2 + "px";
    canvas.width = Math.round(scale * data.width_px);
    canvas.height = Math.round(scale * data.height_px);
    return scale;
  }

  function row() { return nearest(person.time_s, video.currentTime); }

  function point(at, joint) {
    const xy = person.xy_px[at][joint];
    return state.drag && state.drag.joint === joint ? state.drag.xy : xy;
  }

  function paint() {
    const scale = fit(), at = row(), size = Math.max(12, 0.035 * canvas.height);
    // What was moved in another frame, and not put there, is where it was.
    if (state.drag && state.drag.at !== at) state.drag = null;
    output.textContent = `${words.at} ${video.currentTime.toFixed(2).replace(".", words.point)} s, ` +
      `${words.frame} ${person.frame[at]}`;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (state.correcting) {
      person.joints.forEach((name, joint) => {
        const xy = point(at, joint);
        if (!xy) return;
        const side = name.startsWith("left") ? "left" : name.startsWith("right") ? "right" : "middle";
        pen.beginPath();
        pen.arc(scale * xy[0], scale * xy[1], Math.max(5, 0.012 * canvas.height), 0, 7);
        pen.fillStyle = FADE[side];
        pen.globalAlpha = 0.85;
        pen.fill();
        pen.globalAlpha = 1;
        pen.lineWidth = 2;
        pen.strokeStyle = "#111";
        pen.stroke();
        if (String(joint) !== state.hand) return;
        pen.beginPath();
        pen.arc(scale * xy[0], scale * xy[1], Math.max(11, 0.026 * canvas.height), 0, 7);
        pen.lineWidth = 3;
        pen.strokeStyle = "#fff";
        pen.stroke();
      });
    }
    if (!state.joint) return;
    const angle = data.angles.find(one => one.name === state.joint);
    const deg = angle.deg[at], joint = person.joints.indexOf(angle.joint), xy = joint < 0 ? null : point(at, joint);
    const said = deg === null ? `${angle.label}: –` : `${angle.label}: ${deg}° ± ${angle.half_deg[at]}`;
    pen.font = `600 ${size}px sans-serif`;
    const wide = pen.measureText(said).width + size;
    const x = xy ? Math.min(Math.max(scale * xy[0] + size, 0), canvas.width - wide) : size / 2;
    const y = xy ? Math.min(Math.max(scale * xy[1], 1.6 * size), canvas.height - size) : canvas.height - size;
    pen.fillStyle = "rgba(0, 0, 0, .75)";
    pen.fillRect(x, y - 1.3 * size, wide, 1.8 * size);
    pen.fillStyle = "#fff";
    pen.fillText(said, x + size / 2, y);
  }

  function seek(time_s) {
    video.pause();
    video.currentTime = Math.min(Math.max(time_s, 0), video.duration || time_s);
  }

  function turn(frames) {
    const at = Math.min(Math.max(row() + frames, 0), person.time_s.length - 1);
    // A hair into the frame: its very beginning may still show the one before.
    seek(person.time_s[at] + 0.001);
  }

  const output = element("output");
  const bar = element("div", "", { className: "bar" });
  const button = (text, label, act) => {
    const made = element("button", text, { type: "button", title: label });
    made.setAttribute("aria-label", label);
    made.onclick = act;
    return made;
  };
  const back = button("◀", words.back, () => turn(-1)), on = button("▶", words.on, () => turn(1));
  const speed = element("select");
  speed.setAttribute("aria-label", words.speed);
  for (const rate of [0.1, 0.25, 0.5, 1]) {
    speed.append(element("option", `${String(rate).replace(".", words.point)} ×`, { value: rate, selected: rate === 1 }));
  }
  speed.onchange = () => { video.playbackRate = Number(speed.value); };
  const joints = element("select");
  joints.setAttribute("aria-label", words.angle);
  joints.append(element("option", words.no_angle, { value: "" }));
  for (const angle of data.angles) joints.append(element("option", angle.label, { value: angle.name }));
  joints.onchange = () => { state.joint = joints.value; paint(); };
  const picture = button(words.picture, words.picture, () => {
    const copy = document.createElement("canvas");
    copy.width = data.width_px;
    copy.height = data.height_px;
    const into = copy.getContext("2d");
    into.drawImage(video, 0, 0, copy.width, copy.height);
    into.drawImage(canvas, 0, 0, copy.width, copy.height);
    copy.toBlob(blob => {
      const link = element("a", "", { href: URL.createObjectURL(blob), download: `${data.stem}-${person.frame[row()]}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });
  const clipFrom = button(words.clip_from, words.clip_from, () => {
    state.clip_s = video.currentTime;
    clipTo.disabled = false;
    clipFrom.title = `${words.clip_begun} ${state.clip_s.toFixed(2).replace(".", words.point)} s`;
    clipFrom.setAttribute("aria-pressed", "true");
  });
  const clipTo = button(words.clip_to, words.clip_to, () => {
    const ends = [state.clip_s, video.currentTime].sort((a, b) => a - b);
    clipTo.disabled = true;
    clipFrom.setAttribute("aria-pressed", "false");
    send({ kind: "clip", start_s: ends[0], end_s: ends[1] });
  });
  clipTo.disabled = true;
  bar.append(back, on, speed, joints, picture, clipFrom, clipTo, output);
  place.append(bar);

  const marks = element("div", "", { className: "bar marks" });
  for (const mark of data.marks) {
    const one = element("span");
    one.append(button(mark.label, mark.label, () => seek(mark.start_s)));
    if (mark.kind) {
      const out = button("✕", `${words.remove}: ${mark.label}`, () => send({ kind: mark.kind, start_s: mark.start_s, end_s: mark.end_s, joint: mark.joint || "" }));
      out.className = "out";
      out.hidden = true;
      one.append(out);
    }
    marks.append(one);
  }
  if (data.marks.length) place.append(marks);

  function send(edit) {
    // What is computed again has new tools: whoever works with the keyboard goes on in them.
    window.posepipeHeld = place.getRootNode().activeElement ? person.id : null;
    setTriggerValue("edit", { person: person.id, ...edit });
  }

  if (data.correctable) {
    const row2 = element("div", "", { className: "bar" }), hint = element("p", "", { className: "hint" });
    hint.setAttribute("aria-live", "polite");
    const from = button(words.swap_from, words.swap_from, () => {
      state.start_s = video.currentTime;
      to.disabled = false;
      hint.textContent = `${words.swap_begun} ${state.start_s.toFixed(2).replace(".", words.point)} s`;
    });
    const to = button(words.swap_to, words.swap_to, () => {
      const ends = [state.start_s, video.currentTime].sort((a, b) => a - b);
      send({ kind: "swap", start_s: ends[0], end_s: ends[1], joint: "" });
    });
    to.disabled = true;
    const correct = button(words.correct, words.correct, () => {
      state.correcting = !state.correcting;
      correct.setAttribute("aria-pressed", String(state.correcting));
      canvas.style.pointerEvents = state.correcting ? "auto" : "none";
      from.hidden = to.hidden = hand.hidden = pad.hidden = !state.correcting;
      marks.querySelectorAll(".out").forEach(out => { out.hidden = !state.correcting; });
      hint.textContent = state.correcting ? words.drag : "";
      video.pause();
      paint();
    });
    correct.setAttribute("aria-pressed", "false");
    const hand = element("select"), pad = element("span", "", { className: "pad" });
    hand.setAttribute("aria-label", words.joint);
    hand.append(element("option", words.no_joint, { value: "" }));
    person.joints.forEach((_, joint) => hand.append(element("option", person.joint_names[joint], { value: joint })));
    hand.onchange = () => { state.hand = hand.value; state.drag = null; pad.classList.toggle("ready", Boolean(hand.value)); paint(); };
    pad.setAttribute("role", "group");
    pad.setAttribute("aria-label", words.move);
    const arrows = { ArrowLeft: ["←", words.left, -1, 0], ArrowUp: ["↑", words.up, 0, -1], ArrowDown: ["↓", words.down, 0, 1], ArrowRight: ["→", words.right, 1, 0] };
    for (const [sign, label, x, y] of Object.values(arrows)) pad.append(button(sign, label, () => nudge(x, y)));
    pad.append(button(words.put, words.put, drop));
    pad.onkeydown = event => {
      const arrow = arrows[event.key];
      if (!arrow) return;
      nudge(...arrow.slice(2).map(one => one * (event.shiftKey ? LEAP : 1)));
      event.preventDefault();
    };
    from.hidden = to.hidden = hand.hidden = pad.hidden = true;
    row2.append(correct, from, to, hand, pad);
    if (data.edits) row2.append(
      button(words.undo, words.undo, () => send({ kind: "undo" })),
      button(words.undo_all, words.undo_all, () => send({ kind: "undo_all" })),
    );
    place.append(row2, hint);
    if (window.posepipeHeld === person.id) correct.focus();
    window.posepipeHeld = null;

    const where = event => {
      const rect = canvas.getBoundingClientRect();
      const scale = rect.width / data.width_px;
      return [(event.clientX - rect.left) / scale, (event.clientY - rect.top) / scale];
    };
    canvas.onpointerdown = event => {
      const [x, y] = where(event), at = row();
      let best = null, least = 0.06 * data.height_px;
      person.joints.forEach((name, joint) => {
        const xy = person.xy_px[at][joint];
        const away = xy ? Math.hypot(xy[0] - x, xy[1] - y) : Infinity;
        if (away < least) { least = away; best = joint; }
      });
      if (best === null) return;
      canvas.setPointerCapture(event.pointerId);
      state.drag = { joint: best, at, xy: [x, y] };
      event.preventDefault();
      paint();
    };
    canvas.onpointermove = event => {
      if (!state.drag) return;
      state.drag.xy = where(event);
      paint();
    };
    canvas.onpointerup = drop;

    // The way by keys: a joint is chosen in the box, moved step by step, and put there.
    function nudge(x, y) {
      if (!state.hand) { hint.textContent = words.choose_joint; return; }
      const joint = Number(state.hand), at = row(), xy = point(at, joint), step = NUDGE * data.height_px;
      if (!xy) { hint.textContent = words.unseen; return; }
      video.pause();
      state.drag = { joint, at, xy: [xy[0] + step * x, xy[1] + step * y] };
      paint();
      const [dx, dy] = state.drag.xy.map((value, k) => Math.round(value - person.xy_px[at][joint][k]));
      hint.textContent = `${person.joint_names[joint]}: ${words.right} ${dx} px, ${words.down} ${dy} px`;
    }

    function drop() {
      const drag = state.drag;
      if (!drag) return;
      const time_s = person.time_s[drag.at];
      // Until the answer comes, the joint stays where it was put.
      person.xy_px[drag.at][drag.joint] = drag.xy;
      state.drag = null;
      send({ kind: "move", start_s: time_s, end_s: time_s, joint: person.joints[drag.joint], x_px: drag.xy[0], y_px: drag.xy[1] });
    }
  }

  // Comma and point, as in other players; never while somebody types.
  function key(event) {
    const inside = event.composedPath()[0];
    if (!document.contains(video)) { document.removeEventListener("keydown", key); return; }
    if (["INPUT", "TEXTAREA", "SELECT"].includes(inside.tagName) || inside.isContentEditable) return;
    if (event.key === ",") turn(-1); else if (event.key === ".") turn(1);
  }
  if (window.posepipeKeys) document.removeEventListener("keydown", window.posepipeKeys);
  window.posepipeKeys = key;
  document.addEventListener("keydown", key);
  for (const name of ["seeked", "timeupdate", "loadedmetadata", "play"]) video.addEventListener(name, paint);
  new ResizeObserver(paint).observe(video);
  paint();
}
