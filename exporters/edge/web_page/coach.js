// What somebody does, and how often: posepipe.exercise.coach and .count, and of a walk its steps.
// Thresholds and exercises come from the manifest; run_edge.py says more of both (form, gait parameters, doubt).
import { bodyAxes, dot, minus, norm, windowFeatures } from "./motion.js";

// ---- counting (posepipe.exercise.count) ---------------------------------------------------------------------------------
function bend(xyz, [a, b, c]) {
  const u = minus(xyz[a], xyz[b]), v = minus(xyz[c], xyz[b]);
  return 180 - (180 / Math.PI) * Math.acos(Math.min(Math.max(dot(u, v) / (norm(u) * norm(v)), -1), 1));
}

// When a straight line between two points [time, value] passes a level.
const crossing = (below, above, level) =>
  below[0] + Math.min(Math.max((level - below[1]) / (above[1] - below[1]), 0), 1) * (above[0] - below[0]);

// Follows one curve through rest, out and back.
class Track {
  constructor(exercise, side, settings) {
    Object.assign(this, { exercise, side, s: settings, sign: exercise.start === "low" ? 1 : -1 });
    this.lag = 1 / (2 * Math.PI * settings.cutoff_hz);
    Object.assign(this, { time: NaN, value: NaN, first: NaN, past: [], low: [0, NaN], high: [0, NaN], fall: [] });
    Object.assign(this, { sizes: [], usual: 0, blind: 0, level: NaN, end: -Infinity, phase: "rest" });
  }
  swing() { return Math.max(this.s.looked_at * this.exercise.min_range_deg, this.s.of_usual * this.usual); }
  // The repetition that this sample completes, or null.
  step(time, deg) {
    const gap = time - this.time;
    if (gap <= 0 || !Number.isFinite(deg)) return null;
    const raw = this.sign * deg, value = gap <= this.s.blind_s ? this.value + (gap / (gap + this.lag)) * (raw - this.value) : raw;
    if (gap > this.s.blind_s && this.phase !== "rest") this.blind += gap;
    if (Number.isNaN(this.time)) { this.first = time; this.low = this.high = [time, value]; }
    this.time = time; this.value = value;
    const at = Math.max(time - this.lag, this.first);
    this.past.push([at, value]);
    if (this.phase === "out") return this.goingOut(at, value);
    this.resting(at, value);
    return null;
  }
  resting(at, value) {
    if (value <= this.low[1]) { this.low = [at, value]; this.fall.push(this.low); this.ended(); }
    if (value - this.low[1] >= this.swing()) { this.phase = "out"; this.high = [at, value]; this.blind = 0; }
    else if (this.phase === "back" && at - this.low[0] > this.s.rest_s) this.phase = "rest";
    this.forget(at - this.exercise.tempo_s[1]);
  }
  forget(before) { while (this.past.length && this.past[0][0] < before) this.past.shift(); }
  goingOut(at, value) {
    if (value >= this.high[1]) this.high = [at, value];
    const most = this.exercise.tempo_s[1];
    if (this.past[0][0] < at - 3 * most) { this.low = [this.left(), this.low[1]]; this.forget(at - 2 * most); }
    const out = this.high[1] - this.low[1], back = this.high[1] - value;
    if (back < Math.max(this.swing(), this.s.way_back * out)) return null;
    const cycle = { start: this.left(), turn: this.high[0], end: at, side: this.side }, good = this.good(cycle, out);
    this.phase = "back";
    this.low = [at, value]; this.fall = [this.low];
    if (!good) { this.level = NaN; this.end = -Infinity; return null; }
    this.level = this.high[1]; this.end = at;
    this.sizes = [...this.sizes, out].slice(-this.s.usual_of);
    const top = [...this.sizes].sort((a, b) => a - b).slice(-this.s.usual_top), n = top.length;
    this.usual = n % 2 ? top[(n - 1) / 2] : (top[n / 2 - 1] + top[n / 2]) / 2;
    return cycle;
  }
  good(cycle, out) {
    const [least, most] = this.exercise.tempo_s, length = cycle.end - cycle.start, s = this.s;
    const usual = this.sizes.length >= s.usual_from ? this.usual : 0;
    const fast = length < 0.5 * (1 + s.way_back) * least * (1 - 2 * s.edge);
    return out >= Math.max(this.exercise.min_range_deg, s.full * usual) && this.blind <= s.blind_share * length && !fast && length <= most;
  }
  // When the curve left its low level.
  left() {
    const level = this.low[1] + this.s.edge * (this.high[1] - this.low[1]);
    let after = null;
    for (let i = this.past.length - 1; i >= 0; i--) {
      const point = this.past[i];
      if (point[0] > this.high[0]) continue;
      if (point[1] <= level) return after ? crossing(point, after, level) : point[0];
      after = point;
    }
    return this.low[0];
  }
  // Moves the end of the last repetition to where the curve has come back to its low level.
  ended() {
    const level = this.low[1] + this.s.edge * (this.level - this.low[1]);
    let before = null;
    for (const point of this.fall) {
      if (point[1] <= level) { this.end = before ? crossing(point, before, level) : point[0]; return; }
      before = point;
    }
  }
}

export class RepCounter {
  constructor(exercise, settings) {
    Object.assign(this, { exercise, s: settings, cycles: [] });
    this.tracks = (exercise.sides === "either" ? ["left", "right"] : ["both"]).map((side) => new Track(exercise, side, settings));
    this.last = this.tracks.map(() => -1);
  }
  step(time, xyz) {
    const { triples, flip, sides, start } = this.exercise;
    if (!triples.length) return;
    const both = triples.map((t) => (flip ? 180 - bend(xyz, t) : bend(xyz, t)));
    const one = sides === "most" ? (start === "low" ? Math.max(...both) : Math.min(...both)) : (both[0] + both[1]) / 2;
    const values = sides === "either" ? both : [one];
    this.tracks.forEach((track, i) => {
      const cycle = track.step(time, values[i]), mine = this.cycles[this.last[i]];
      if (cycle) this.take(cycle, i);
      else if (mine && track.end > mine.end) mine.end = track.end;
    });
  }
  // Counts it, unless the other side has just done the same repetition.
  take(cycle, track) {
    const last = this.cycles.at(-1);
    if (last && last.side !== cycle.side) {
      const shared = Math.min(last.end, cycle.end) - Math.max(last.start, cycle.start);
      if (shared > this.s.same_time * Math.min(last.end - last.start, cycle.end - cycle.start)) {
        Object.assign(last, { end: Math.max(last.end, cycle.end), side: "both" });
        this.last[track] = this.cycles.length - 1;
        return;
      }
    }
    this.last[track] = this.cycles.length;
    this.cycles.push(cycle);
  }
}

// ---- the coach (posepipe.exercise.coach) --------------------------------------------------------------------------------
export class Coach {
  constructor(net, manifest) {
    Object.assign(this, { net, manifest, frames: [], due: 0, last: NaN, found: null, belief: null, open: null, done: [] });
  }
  async step(time, pose) {
    const since = Number.isNaN(this.last) ? 0 : time - this.last, { memory_s } = this.manifest.coach;
    this.last = time;
    this.frames.push({ time, ...pose });
    while (this.frames[0].time < time - memory_s) this.frames.shift();
    await this.score(time);
    this.follow(time, this.named(since));
    this.open?.counter?.step(time, pose.xyz);
  }
  // Probabilities of the labels for the last seconds, told anew now and then.
  async score(time) {
    const spec = this.manifest.recogniser;
    if (!this.net.exercise || time < this.due || time - this.frames[0].time < spec.min_stream_s) return;
    this.due = time + spec.stride_s - 1e-3;
    const recent = this.frames.filter((frame) => frame.time > time - spec.window_s - 0.1), x = windowFeatures(spec, recent, time);
    // The mean over the window and its mirror image: left and right make no difference.
    const columns = x.length / spec.samples, { column, sign } = spec.mirror, both = new Float32Array(2 * x.length);
    both.set(x);
    for (let i = 0; i < x.length; i++) both[x.length + i] = sign[i % columns] * x[i - (i % columns) + column[i % columns]];
    const out = await this.net.exercise.run({ windows: new ort.Tensor("float32", both, [2, spec.samples, columns]) });
    const p = out.probability.data, labels = p.length / 2;
    this.found = Array.from({ length: labels }, (_, i) => (p[i] + p[labels + i]) / 2);
  }
  // The label by its probability's running mean; null while nothing is sure.
  named(since) {
    const { settle_s, start, stop } = this.manifest.coach, { labels, recogniser } = this.manifest;
    if (!this.found) return null;
    const share = Math.min(1, since / settle_s);
    this.belief = this.belief ? this.belief.map((b, i) => b + share * (this.found[i] - b)) : [...this.found];
    const best = this.belief.indexOf(Math.max(...this.belief)), sure = this.belief[best] >= start;
    this.walking = labels[best] === "walking";
    if (this.open && (this.belief[labels.indexOf(this.open.label)] >= stop || !sure)) return this.open.label;
    const known = labels[best] in recogniser.exercises || recogniser.held.includes(labels[best]);
    return sure && known ? labels[best] : null;
  }
  follow(time, label) {
    if (this.open && this.open.label !== label) { this.done.push(this.open); this.open = null; }
    if (label === null) return;
    if (!this.open) {
      // Recognising takes a repetition or so: what was done since the last one is counted, too.
      const since = Math.max(-Infinity, ...this.done.flatMap((bout) => bout.counter?.cycles.map((cycle) => cycle.end) ?? []));
      const exercise = this.manifest.recogniser.exercises[label];
      this.open = { label, start: time, end: time, counter: exercise ? new RepCounter(exercise, this.manifest.count) : null };
      for (const frame of this.frames.slice(0, -1)) {
        if (frame.time > since) { this.open.counter?.step(frame.time, frame.xyz); this.open.start = Math.min(this.open.start, frame.time); }
      }
    }
    this.open.end = time;
  }
  get label() { return this.open?.label ?? null; }
  get bouts() {
    const all = this.open ? [...this.done, this.open] : this.done;
    return all.map(({ label, start, end, counter }) => ({ label, start_s: start, end_s: end, reps: counter?.cycles.length ?? 0 }));
  }
  get reps() { return this.bouts.reduce((sum, bout) => sum + bout.reps, 0); }
}

// ---- walking --------------------------------------------------------------------------------------------------------------
const STEP_M = 0.15, PAUSE_S = 2;  // A shorter step is no step; after a longer pause another walk begins.

// Steps of somebody who walks: turns of how far the left ankle is before the right one.
export class Walk {
  constructor(manifest) {
    const at = Object.fromEntries(manifest.joints.map((name, j) => [name, j]));
    Object.assign(this, { at, window: manifest.recogniser.window_s, recent: [], curve: [] });
  }
  step(time, xyz, walking) {
    this.recent.push(xyz);
    if (this.recent.length > 30) this.recent.shift();
    const [forward] = bodyAxes(this.recent, [0, -1, 0], this.at);
    this.curve.push({ time, before: dot(minus(xyz[this.at.left_ankle], xyz[this.at.right_ankle]), forward), walking });
  }
  // Steps, cadence and seconds of all walks; null of who doesn't walk.
  get result() {
    // A label tells of the seconds before it.
    const spans = [];
    for (const { time } of this.curve.filter((frame) => frame.walking)) {
      if (spans.length && time - this.window <= spans.at(-1)[1]) spans.at(-1)[1] = time;
      else spans.push([time - this.window, time]);
    }
    let steps = 0, gaps = 0, between = 0, last = null, way = 0, high = -Infinity, low = Infinity, when = 0;
    const noted = (time) => {
      steps += 1;
      if (last !== null && time - last < PAUSE_S) { gaps += 1; between += time - last; }
      last = time;
    };
    for (const { time, before } of this.curve.filter(({ time }) => spans.some(([a, b]) => a <= time && time <= b))) {
      if (way >= 0 && before >= high) { high = before; when = time; }
      if (way <= 0 && before <= low) { low = before; when = time; }
      if (way >= 0 && high - before >= STEP_M) { if (way) noted(when); way = -1; low = before; when = time; }
      else if (way <= 0 && before - low >= STEP_M) { if (way) noted(when); way = 1; high = before; when = time; }
    }
    const seconds = spans.reduce((sum, [a, b]) => sum + b - Math.max(a, this.curve[0].time), 0);
    return gaps >= 2 ? { steps, cadence_per_min: (60 * gaps) / between, seconds } : null;
  }
}
