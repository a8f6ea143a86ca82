"use strict";
(() => {
  const WORDS = JSON.parse(document.getElementById("words").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 640, HEIGHT = 480;
  const VIEWS = { filmed: [0, 0.05], turned: [0.6, 0.2], side: [Math.PI / 2, 0.05], above: [0, 1.35] };

  function make(name, attributes, parent) {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    parent.appendChild(element);
    return element;
  }

  // One person: poses, their plots, and the one moment that all of them show.
  function person(data, section) {
    const box = section.querySelector(".viewer");
    const drawing = box.querySelector("svg");
    const slider = box.querySelector("input");
    const clock = box.querySelector("output");
    const play = box.querySelector("[data-do=play]");
    const count = data.time_s.length, joints = data.joints;
    let now = 0, zoom = 1, yaw = VIEWS.turned[0], pitch = VIEWS.turned[1], playing = false, started = 0, from = 0;

    const floor = make("path", { class: "floor" }, drawing);
    const way = make("path", { class: "way" }, drawing);
    // In the room the floor is where it is; else the grid is one of two metres under the lowest joint.
    const reach = data.reach_mm || 1000;
    zoom = Math.max(1000 / reach, 0.4);
    const doubts = [], dots = [];
    for (let j = 0; j < joints; j++) doubts.push(make("circle", { class: "doubt" }, drawing));
    const bones = data.bones.map(bone => make("line", { class: "bone " + bone[2] }, drawing));
    for (let j = 0; j < joints; j++) dots.push(make("circle", { class: "joint", r: 4 }, drawing));
    const label = make("text", { x: 12, y: HEIGHT - 12 }, drawing);

    // Without a room the lowest joint of each pose stands on the floor; the pelvis stays over the middle of the grid.
    const lowest = data.mm.map(pose => {
      if (data.way_mm) return 0;
      let low = -Infinity;
      for (let j = 0; j < joints; j++) if (pose[3 * j + 1] !== null) low = Math.max(low, pose[3 * j + 1]);
      return Number.isFinite(low) ? low : 0;
    });

    function project(x, y, z) {
      const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
      const x1 = x * cy + z * sy, z1 = z * cy - x * sy;
      const up = y + 900;
      const y2 = up * cp - z1 * sp, z2 = z1 * cp + up * sp;
      const scale = 0.21 * zoom * 6000 / Math.max(6000 + z2, 1500);
      return [WIDTH / 2 + x1 * scale, HEIGHT / 2 + y2 * scale, scale];
    }

    function drawFloor() {
      let path = "";
      for (let k = -reach; k <= reach; k += 250) {
        const a = project(-reach, 0, k), b = project(reach, 0, k), c = project(k, 0, -reach), d = project(k, 0, reach);
        path += `M${a[0]} ${a[1]}L${b[0]} ${b[1]}M${c[0]} ${c[1]}L${d[0]} ${d[1]}`;
      }
      floor.setAttribute("d", path);
      let line = "", pen = "M";
      for (const place of data.way_mm || []) {
        if (place[0] === null) { pen = "M"; continue; }
        const p = project(place[0], 0, place[1]);
        line += `${pen}${p[0]} ${p[1]}`;
        pen = "L";
      }
      way.setAttribute("d", line);
    }

    function draw() {
      drawFloor();
      const pose = data.mm[now], sigma = data.sigma_mm[now], points = [];
      for (let j = 0; j < joints; j++) {
        const known = pose[3 * j] !== null;
        const p = known ? project(pose[3 * j], pose[3 * j + 1] - lowest[now], pose[3 * j + 2]) : null;
        points.push(p);
        for (const circle of [dots[j], doubts[j]]) {
          circle.setAttribute("visibility", p ? "visible" : "hidden");
          if (p) { circle.setAttribute("cx", p[0]); circle.setAttribute("cy", p[1]); }
        }
        if (p) doubts[j].setAttribute("r", data.band * (sigma[j] || 0) * p[2]);
      }
      data.bones.forEach((bone, k) => {
        const a = points[bone[0]], b = points[bone[1]];
        bones[k].setAttribute("visibility", a && b ? "visible" : "hidden");
        if (a && b) {
          bones[k].setAttribute("x1", a[0]); bones[k].setAttribute("y1", a[1]);
          bones[k].setAttribute("x2", b[0]); bones[k].setAttribute("y2", b[1]);
        }
      });
      label.textContent = points.some(p => p) ? WORDS["One square is 25 cm"] : WORDS["No pose at this moment"];
    }

    const plots = [...section.querySelectorAll(".plots figure")].map(figure => {
      const plot = figure.querySelector("svg");
      const [start, end, left, right] = JSON.parse(figure.dataset.axis);
      const cursor = make("path", { class: "cursor", d: `M${left} 60V${plot.viewBox.baseVal.height - 250}` }, plot);
      const curves = JSON.parse(figure.dataset.curves);
      return { plot, cursor, readout: figure.querySelector(".readout"), curves, start, end, left, right };
    });

    function drawCursors() {
      const time = data.time_s[now];
      for (const p of plots) {
        const share = (time - p.start) / Math.max(p.end - p.start, 1e-6);
        p.cursor.setAttribute("transform", `translate(${share * (p.right - p.left)} 0)`);
        if (!p.readout) continue;
        const said = p.curves.map(([side, column]) => {
          const value = data.deg[column][now], half = data.half_deg[column][now];
          const name = side === "middle" ? "" : WORDS[side] + " ";
          return name + (value === null ? WORDS["not known"] : `${value < 0 ? "−" : ""}${Math.abs(value)}° ± ${half}°`);
        });
        p.readout.textContent = `${WORDS.at} ${time.toFixed(2).replace(".", WORDS["."])} s: ${said.join(", ")}`;
      }
    }

    function show(index) {
      now = Math.min(Math.max(index, 0), count - 1);
      slider.value = now;
      const text = data.time_s[now].toFixed(2).replace(".", WORDS["."]) + " s";
      clock.textContent = text;
      slider.setAttribute("aria-valuetext", text);
      draw();
      drawCursors();
    }

    function nearest(time) {
      let low = 0, high = count - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (data.time_s[middle] < time) low = middle + 1; else high = middle;
      }
      return low > 0 && time - data.time_s[low - 1] < data.time_s[low] - time ? low - 1 : low;
    }

    function step(stamp) {
      if (!playing) return;
      if (!started) { started = stamp; from = data.time_s[now]; }
      const time = from + (stamp - started) / 1000;
      if (time >= data.time_s[count - 1]) { show(count - 1); run(false); return; }
      show(nearest(time));
      requestAnimationFrame(step);
    }

    function run(on) {
      playing = on;
      play.textContent = WORDS[on ? "Pause" : "Play"];
      if (on) {
        if (now === count - 1) show(0);
        started = 0;
        requestAnimationFrame(step);
      }
    }

    function turn(dx, dy) {
      yaw -= dx;
      pitch = Math.min(Math.max(pitch + dy, -0.4), 1.5);
      draw();
    }

    function grow(factor) {
      zoom = Math.min(Math.max(zoom * factor, 0.4), 5);
      draw();
    }

    slider.max = count - 1;
    slider.addEventListener("input", () => { run(false); show(+slider.value); });
    const acts = {
      play: () => run(!playing), closer: () => grow(1.25), farther: () => grow(0.8),
      ...Object.fromEntries(Object.entries(VIEWS).map(([name, angles]) => [name, () => { [yaw, pitch] = angles; draw(); }])),
    };
    for (const button of box.querySelectorAll("button")) button.addEventListener("click", acts[button.dataset.do]);
    let held = null;
    drawing.addEventListener("pointerdown", event => {
      held = [event.clientX, event.clientY];
      drawing.setPointerCapture(event.pointerId);
    });
    drawing.addEventListener("pointermove", event => {
      if (!held) return;
      turn((event.clientX - held[0]) * 0.01, (event.clientY - held[1]) * 0.01);
      held = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) drawing.addEventListener(name, () => { held = null; });
    // Only once it was clicked or tabbed to, so that the wheel goes on scrolling the page.
    drawing.addEventListener("wheel", event => {
      if (document.activeElement !== drawing) return;
      event.preventDefault();
      grow(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    const keys = {
      ArrowLeft: () => turn(0.15, 0), ArrowRight: () => turn(-0.15, 0), ArrowUp: () => turn(0, 0.1),
      ArrowDown: () => turn(0, -0.1), "+": () => grow(1.1), "-": () => grow(1 / 1.1), " ": () => run(!playing),
    };
    drawing.addEventListener("keydown", event => {
      if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    });
    for (const p of plots) {
      p.plot.addEventListener("pointerdown", event => {
        const rect = p.plot.getBoundingClientRect();
        const x = (event.clientX - rect.left) / rect.width * p.plot.viewBox.baseVal.width;
        run(false);
        show(nearest(p.start + (x - p.left) / (p.right - p.left) * (p.end - p.start)));
      });
    }
    show(0);
  }

  const people = JSON.parse(document.getElementById("data").textContent);
  for (const data of people) person(data, document.getElementById("person-" + data.id));
})();
