// Who is in a picture, and where: posepipe.keypoints, with the left/right guard of posepipe.body.sides and the ids of
// posepipe.tracking. Thresholds come from the manifest.
// ---- region of interest (posepipe.keypoints.roi) ----------------------------------------------------------------------
function roiAround([hx, hy], [ex, ey]) {
  const dx = ex - hx, dy = ey - hy;
  let angle = Math.PI / 2 - Math.atan2(-dy, dx);
  angle -= 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
  return { x: hx, y: hy, size: 2.5 * Math.hypot(dx, dy), angle };
}

function matrixOf(roi, side) {
  const scale = roi.size / side, c = Math.cos(roi.angle) * scale, s = Math.sin(roi.angle) * scale, half = side / 2;
  return [c, -s, roi.x - half * (c - s), s, c, roi.y - half * (s + c)];
}

function toPicture(roi, x, y) {
  const m = matrixOf(roi, 1);
  return [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];
}

// `within`: black outside this part of the picture; null repeats the picture's edge.
function crop(picture, roi, side, within) {
  const { data, width, height } = picture, m = matrixOf(roi, side), out = new Uint8Array(side * side * 3);
  const at = (x, y, c) => {
    if (!within) { x = Math.min(Math.max(x, 0), width - 1); y = Math.min(Math.max(y, 0), height - 1); }
    else if (x < within[0] || y < within[1] || x >= within[2] || y >= within[3]) return 0;
    return data[4 * (y * width + x) + c];
  };
  let k = 0;
  for (let v = 0; v < side; v++) {
    for (let u = 0; u < side; u++) {
      const x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5];
      const x0 = Math.floor(x), y0 = Math.floor(y), fx = x - x0, fy = y - y0;
      for (let c = 2; c >= 0; c--) {  // BGR
        const top = at(x0, y0, c) * (1 - fx) + at(x0 + 1, y0, c) * fx;
        const low = at(x0, y0 + 1, c) * (1 - fx) + at(x0 + 1, y0 + 1, c) * fx;
        out[k++] = Math.round(top * (1 - fy) + low * fy);
      }
    }
  }
  return new ort.Tensor("uint8", out, [1, side, side, 3]);
}

// ---- networks' answers (posepipe.keypoints.finder, .blazepose) --------------------------------------------------------
const JOINTS = 33;

// Part of a picture as a picture: left, top, right, bottom.
async function detect(net, picture, [left, top, right, bottom]) {
  const square = { x: (left + right) / 2, y: (top + bottom) / 2, size: Math.max(right - left, bottom - top), angle: 0 };
  const raw = await net.detector.run({ image: crop(picture, square, 224, [left, top, right, bottom]) });
  const found = await net.detector_decode.run({ boxes: raw.boxes, scores: raw.scores }), p = found.points.data;
  const regions = Array.from({ length: found.score.dims[0] }, (_, i) =>
    roiAround(toPicture(square, p[8 * i], p[8 * i + 1]), toPicture(square, p[8 * i + 2], p[8 * i + 3])));
  return regions.filter((roi) => roi.size > 1);
}

function sigmaOf(rules, joint, peak, spread, visible, inside, cell) {
  const c = rules.first, clip = (x) => Math.min(Math.max(x, 0), 1);
  const wide = spread < 1e5 ? spread : c.most, sharp = c.floor + c.slope * Math.max(wide - c.blur, 0);
  const doubt = 1 + c.peak * (1 - clip(peak)) + c.hidden * (1 - clip(visible)) ** 2 + c.outside * (1 - clip(inside));
  const first = Math.min(sharp * doubt, c.most), [gain, power, hidden, width] = rules.cap.map((row) => row[joint]);
  return cell * Math.min(gain * width * Math.max(first, 1e-3) ** power * Math.exp(hidden * (1 - clip(visible))), c.most);
}

async function lookAt(net, rules, picture, roi) {
  const raw = await net.landmarks.run({ image: crop(picture, roi, 256, null) });
  const sure = raw.presence.data[0];
  const found = await net.landmarks_decode.run({ landmarks: raw.landmarks, heatmaps: raw.heatmaps });
  const xy = [], sigma = [], score = [], f = found.features.data, p = found.points.data;
  for (let j = 0; j < JOINTS + 2; j++) xy.push(toPicture(roi, p[2 * j], p[2 * j + 1]));
  for (let j = 0; j < JOINTS; j++) {
    sigma.push(sigmaOf(rules, j, ...f.slice(4 * j, 4 * j + 4), roi.size / 64));
    score.push(f[4 * j + 2] * f[4 * j + 3]);
  }
  // Presence of the body: the network's, times the mean score of the surer half of the joints.
  const surer = [...score].sort((a, b) => a - b).slice(JOINTS >> 1);
  return { xy: xy.slice(0, JOINTS), body: xy.slice(JOINTS), sigma, score, roi, sure, presence: sure * mean(surer) };
}

// One-euro of the two points that the next region stands on (posepipe.keypoints.roi).
function steady(before, time, raw) {
  if (!before || time <= before.time) return { time, raw, points: raw, speed: [[0, 0], [0, 0]] };
  const dt = time - before.time, size = Math.max(2 * Math.hypot(raw[1][0] - raw[0][0], raw[1][1] - raw[0][1]), 1);
  const weight = (hz) => 1 / (1 + 1 / (2 * Math.PI * hz * dt)), w = weight(1);
  const each = (f) => [0, 1].map((i) => [0, 1].map((k) => f(i, k)));
  const speed = each((i, k) => (w * (raw[i][k] - before.raw[i][k])) / size / dt + (1 - w) * before.speed[i][k]);
  const points = each((i, k) => {
    const a = weight(0.01 + 10 * Math.abs(speed[i][k]));
    return a * raw[i][k] + (1 - a) * before.points[i][k];
  });
  return { time, raw, points, speed };
}

// ---- everyone (posepipe.keypoints.blazepose.BlazePoseStream) ----------------------------------------------------------
const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;
const gap = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

function areas(width, height) {
  const side = Math.min(width, height), whole = [0, 0, width, height];
  return Math.max(width, height) < 1.2 * side ? [whole] : [whole, [0, 0, side, side], [width - side, height - side, width, height]];
}

function tiles(width, height) {
  const short = Math.min(width, height), side = Math.max(Math.round(0.6 * short), 1), step = 0.4 * short;
  const starts = (length) => {
    const count = Math.ceil(Math.max(length - side, 0) / step - 1e-6) + 1;
    return Array.from({ length: count }, (_, i) => (count > 1 ? Math.round((i * (length - side)) / (count - 1)) : 0));
  };
  const squares = starts(height).flatMap((y) => starts(width).map((x) => [x, y, x + side, y + side]));
  const away = ([x0, y0, x1, y1]) => gap([(x0 + x1) / 2, (y0 + y1) / 2], [width / 2, height / 2]);
  return squares.sort((a, b) => away(a) - away(b));
}

// Follows everyone, `most` at the most. Each of `step`'s people has xy, sigma, score, presence and what the next look needs.
export class People {
  constructor(net, manifest, most) {
    Object.assign(this, { net, sigma: manifest.sigma, rules: manifest.finder, torso: manifest.torso, most });
    Object.assign(this, { followed: [], looked: -Infinity, lost: -Infinity, turn: 0, tile: 0 });
  }
  async step(picture, time) {
    const { width, height } = picture, parts = areas(width, height), before = this.followed;
    const places = before.map((one) => [roiAround(...one.steady.points), one.steady]);
    let people = await this.look(picture, time, places, []);
    if (!people.length) {
      people = await this.more(picture, time, parts[0], []);
      for (const part of parts.slice(1)) {
        if (people.length && people.length < this.most) people = await this.more(picture, time, part, people);
      }
      if (!people.length) {
        const squares = tiles(width, height);
        this.tile = (this.tile + 1) % squares.length;
        people = await this.more(picture, time, squares[(this.tile + squares.length - 1) % squares.length], []);
      }
    } else if (people.length < this.most && this.due(time, people.length < before.length)) {
      people = await this.more(picture, time, this.next(parts, time), people);
    }
    this.followed = people.sort((a, b) => b.presence - a.presence);
    return this.followed;
  }
  missing(time) { return time - this.lost < this.rules.missed_s; }
  due(time, lost) {
    if (lost) this.lost = time;
    return time - this.looked >= (this.missing(time) ? this.rules.again_s : this.rules.redetect_s);
  }
  next(parts, time) {
    if (this.missing(time) || parts.length === 1) return parts[0];
    this.turn += 1;
    return this.turn % 2 ? parts[0] : parts[1 + ((this.turn >> 1) % (parts.length - 1))];
  }
  async more(picture, time, part, people) {
    this.looked = time;
    const found = await detect(this.net, picture, part), free = this.most - people.length;
    const near = (a, b) => gap([a.x, a.y], [b.x, b.y]) < this.rules.same_place * Math.max(a.size, b.size);
    const fresh = found.filter((roi) => !people.some((old) => near(roi, old.roi))).slice(0, free);
    const whole = part[2] - part[0] === picture.width && part[3] - part[1] === picture.height;
    const sure = (one) => one.sure >= this.rules.sure_presence && mean(one.score) >= this.rules.sure_score;
    const fresher = await this.look(picture, time, fresh.map((roi) => [roi, null]), people);
    return [...people, ...fresher.filter((one) => whole || sure(one))];
  }
  async look(picture, time, places, known) {
    const people = [], rules = this.rules;
    const same = (a, b, near) => mean(this.torso.map((j) => gap(a.xy[j], b.xy[j]))) < near * Math.max(a.roi.size, b.roi.size);
    for (const [roi, before] of places) {
      const one = await lookAt(this.net, this.sigma, picture, { ...roi, size: roi.size / rules.closer });
      if (one.sure < rules.min_presence || (!before && one.presence < rules.min_new_presence)) continue;
      one.steady = steady(before, time, one.body);
      const next = roiAround(...one.steady.points), margin = next.size / 4;
      const inside = next.x >= -margin && next.x <= picture.width + margin && next.y >= -margin && next.y <= picture.height + margin;
      if (!(next.size > 1 && inside) || known.some((other) => same(one, other, rules.nobody_new))) continue;
      const twin = people.findIndex((other) => same(one, other, rules.same_person));
      if (twin < 0) people.push(one);
      else if (one.presence > people[twin].presence) people[twin] = one;
    }
    return people;
  }
}

// ---- left and right (posepipe.body.sides.SwapGuard) -------------------------------------------------------------------
// Each frame takes the labels of arms and legs that fit the last two reliable frames best, and pays for a change.
export class Guard {
  constructor(facts) { this.facts = facts; this.reset(); }
  reset() {
    Object.assign(this, { time: -Infinity, past: [[], []], state: [0, 0], usual: null, seconds: [[0, 0], [0, 0]], against: 0 });
  }
  step(time, person) {
    const { pairs, settings } = this.facts, { xy, sigma } = person;
    const d = pairs.map(([l, r]) => [0, 1].map((k) => (xy[l][k] - xy[r][k]) / 2));
    const spread = pairs.map(([l, r]) => (sigma[l] ** 2 + sigma[r] ** 2) / 4);
    const span = (k) => Math.max(...xy.map((p) => p[k])) - Math.min(...xy.map((p) => p[k])), size = Math.hypot(span(0), span(1));
    let away = time - this.time;
    if (away > settings.forget_s) this.reset();
    if (!this.usual) { this.usual = pairs.map(() => 0); this.usualSpread = [...spread]; away = 0; }
    const good = spread.map((v, i) => v <= settings.doubt ** 2 * this.usualSpread[i]), gain = Math.min(away, 1);
    const of = (group) => pairs.map((_, i) => i).filter((i) => pairs[i][2] === group);
    const sure = [0, 1].map((group) => mean(of(group).map((i) => (good[i] ? 1 : 0))) > 0.5);
    this.usualSpread = this.usualSpread.map((v, i) => v + gain * (spread[i] - v));
    for (const group of [0, 1]) {
      if (sure[group]) this.decide(group, of(group), time, d, spread, size, gain);
      this.seconds[group][this.state[group]] += Math.min(away, settings.forget_s);
      if (this.state[group] && this.seconds[group][1] > this.seconds[group][0]) this.giveBack(group);
    }
    if (sure[0] && sure[1]) this.untwist(d, size, away);
    this.time = time;
    return this.relabel(person);
  }
  decide(group, at, time, d, spread, size, gain) {
    const past = this.past[group], s = this.facts.settings;
    if (past.length === 2) {
      const [one, two] = past, before = two.time - one.time, now = time - two.time, near = now <= 2 * before;
      const r = near ? Math.min(now / before, 2) : 0, swing = Math.min(s.turn_per_s2 * Math.max(now, before) ** 2, s.turn_most) * size;
      const total = [0, 0], squares = [[], []], wide = at.map((i) => {
        const most = Math.max(one.spread[i], two.spread[i], spread[i]);
        const v = 6 * s.frame_jitter ** 2 * most + (s.floor * size) ** 2 + swing ** 2 + 4 * this.usual[i];
        if (near) return v;
        const way = (sign) => (two.d[i][0] + sign * one.d[i][0]) ** 2 + (two.d[i][1] + sign * one.d[i][1]) ** 2;
        return v + Math.min(way(-1), way(1)) * (now / before) ** 2;
      });
      at.forEach((i, n) => [1, -1].forEach((sign, state) => {
        const e = [0, 1].map((k) => sign * d[i][k] - (1 + r) * two.d[i][k] + r * one.d[i][k]), square = e[0] ** 2 + e[1] ** 2;
        squares[state][n] = square;
        total[state] += s.pair_weight * Math.min(square / (2 * Math.max(wide[n], 1e-12)), s.cap);
      }));
      total[1 - this.state[group]] += s.switch;
      this.state[group] = total[1] < total[0] ? 1 : 0;
      at.forEach((i, n) => { this.usual[i] += gain * (Math.min(squares[this.state[group]][n] / 2, 9 * wide[n]) - this.usual[i]); });
    }
    const sign = this.state[group] ? -1 : 1;
    this.past[group] = [...past.slice(-1), { time, spread, d: d.map((p) => p.map((x) => sign * x)) }];
  }
  // Hips that stay turned against the shoulders: the exchanged half was wrongly exchanged.
  untwist(d, size, away) {
    const s = this.facts.settings, hip = this.facts.pairs.findIndex(([, , group]) => group === 1), [a, b] = [d[0], d[hip]];
    const [across, below] = [Math.hypot(...a), Math.hypot(...b)];
    const long = Math.min(Math.max(Math.min(across, below) / (s.wide * size), 0), 1);
    const agree = ((a[0] * b[0] + a[1] * b[1]) / Math.max(across * below, 1e-9)) * long ** 2;
    this.against = this.state[0] !== this.state[1] && agree > 0.5 ? this.against + away : 0;
    if (this.against > s.twisted_s) { this.giveBack(this.state[0] ? 0 : 1); this.against = 0; }
  }
  giveBack(group) {
    this.seconds[group].reverse();
    this.state[group] = 0;
    this.past[group] = this.past[group].map((p) => ({ ...p, d: p.d.map((x) => [-x[0], -x[1]]) }));
  }
  relabel(person) {
    if (!this.state[0] && !this.state[1]) return person;
    const { mirror, group, settings } = this.facts, order = mirror.map((m, j) => (this.state[group[j]] ? m : j));
    const pick = (list) => order.map((j) => list[j]);
    return { ...person, xy: pick(person.xy), score: pick(person.score),
             sigma: pick(person.sigma).map((x, j) => (order[j] === j ? x : x * settings.more_sigma)) };
  }
}

// ---- ids (posepipe.tracking.tracker, without its memory of body shapes) -----------------------------------------------
export class Tracker {
  constructor(facts) { Object.assign(this, { s: facts.settings, mirror: facts.mirror, people: [], next: 1 }); }
  // The id of each of the people.
  step(time, people) {
    this.people = this.people.filter((one) => time - one.time <= this.s.max_gap_s + 1e-6);
    const known = [...this.people], costs = known.map((one) => people.map((person) => this.cost(time, one, person)));
    const ids = people.map(() => 0);
    for (const [i, j] of cheapest(costs)) { ids[j] = known[i].id; this.update(known[i], time, people[j]); }
    people.forEach((person, j) => {
      if (ids[j]) return;
      ids[j] = this.next++;
      this.people.push({ id: ids[j], time, xy: person.xy, sigma: person.sigma, size: bodySize(person), speed: [0, 0], seen: 1 });
    });
    return ids;
  }
  cost(time, one, person) {
    const away = time - one.time, s = this.s, scale = (one.size + bodySize(person)) / 2, drift = 0.7 * (1 - Math.exp(-away / 0.7));
    const moved = this.distance(one.xy.map(([x, y]) => [x + one.speed[0] * drift, y + one.speed[1] * drift]), one.sigma, person, scale);
    const still = moved > s.near ? this.distance(one.xy, one.sigma, person, scale) : Infinity;
    const distance = Math.min(moved, still + s.still_weight);
    return distance <= Math.min(s.gate + s.gate_per_s * away, s.gate_most) ? distance + s.away_weight * away : Infinity;
  }
  // Mean distance of the keypoints in body sizes, the surer ones first; left and right may be exchanged.
  distance(xy, sigma, person, scale) {
    const orders = [this.mirror.map((_, j) => j), this.mirror];
    return Math.min(...orders.map((order) => {
      let sum = 0, total = 0;
      xy.forEach((p, j) => {
        const w = 1 / Math.max(sigma[j] ** 2 + person.sigma[order[j]] ** 2 + (this.s.exact * scale) ** 2, 1e-12);
        sum += w * Math.min(gap(p, person.xy[order[j]]) / scale, this.s.far); total += w;
      });
      return sum / total;
    }));
  }
  update(one, time, person) {
    const dt = time - one.time, follow = dt / (dt + this.s.speed_s), gain = one.seen === 1 ? 1 : follow;
    const weight = one.sigma.map((s, j) => 1 / Math.max(s ** 2 + person.sigma[j] ** 2 + (this.s.exact * one.size) ** 2, 1e-12));
    one.speed = one.speed.map((v, k) => v + gain * (middle(one.xy.map((p, j) => person.xy[j][k] - p[k]), weight) / dt - v));
    one.size += follow * (bodySize(person) - one.size);
    Object.assign(one, { time, xy: person.xy, sigma: person.sigma, seen: one.seen + 1 });
  }
}

// Pairs (row, column) of the smallest sum in which most are paired; there are four people at most.
function cheapest(costs) {
  const ways = (row, free) => {
    if (row === costs.length) return [{ pairs: [], cost: 0 }];
    const skipped = ways(row + 1, free);
    const taken = free.filter((j) => costs[row][j] < Infinity).flatMap((j) =>
      ways(row + 1, free.filter((k) => k !== j)).map((way) => ({ pairs: [[row, j], ...way.pairs], cost: way.cost + costs[row][j] })));
    return [...skipped, ...taken];
  };
  const all = costs.length ? ways(0, costs[0].map((_, j) => j)) : [{ pairs: [], cost: 0 }];
  return all.reduce((a, b) => (b.pairs.length - a.pairs.length || a.cost - b.cost) > 0 ? b : a).pairs;
}

// Diagonal of the box around the better-known half of the keypoints.
function bodySize({ xy, sigma }) {
  const most = 3 * [...sigma].sort((a, b) => a - b)[sigma.length >> 1], near = xy.filter((_, j) => sigma[j] <= most);
  const span = (k) => Math.max(...near.map((p) => p[k])) - Math.min(...near.map((p) => p[k]));
  return Math.hypot(span(0), span(1));
}

// Weighted median.
function middle(values, weight) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]), half = weight.reduce((a, b) => a + b, 0) / 2;
  let sum = 0;
  for (const i of order) { sum += weight[i]; if (sum >= half) return values[i]; }
  return 0;
}
