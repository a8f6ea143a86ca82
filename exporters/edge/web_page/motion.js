// From keypoints to a pose in metres, and from poses to the recogniser's input. Names follow run_edge.py.
const SMALLEST = 1e-9;
const MADE = new Set([0, 7, 8]);  // pelvis, spine and thorax are made from others
const tensor = (values, shape) => new ort.Tensor("float32", values, shape);

// ---- lifter, One-Euro (posepipe.body.lift, .smooth) --------------------------------------------------------
export async function lift(net, body, picture, person) {
  const { width, height } = picture, focal = Math.max(width, height) / (2 * Math.tan((60 * Math.PI) / 360));
  const rays = new Float32Array(42), spread = new Float32Array(21);
  body.forEach((parts, j) => {
    let x = 0, y = 0, variance = 0;
    for (const [k, w] of parts) {
      x += w * person.xy[k][0]; y += w * person.xy[k][1]; variance += (w * person.sigma[k]) ** 2;
    }
    rays[2 * j] = (x - width / 2) / focal; rays[2 * j + 1] = (y - height / 2) / focal;
    spread[j] = Math.sqrt(variance) / focal;
  });
  const found = await net.lifter.run({
    rays: tensor(rays, [1, 21, 2]), ray_sigma: tensor(spread, [1, 21]),
    valid: new ort.Tensor("bool", new Uint8Array(21).fill(1), [1, 21]),
    focal_assumed: new ort.Tensor("bool", new Uint8Array([1]), [1]),
  });
  const xyz = Array.from({ length: 21 }, (_, j) => Array.from(found.xyz_m.data.slice(3 * j, 3 * j + 3)));
  const sigma = Array.from(found.sigma_m.data);
  return { xyz, sigma, ...standing(xyz, sigma, rays, spread) };
}

// Where the pelvis is: weighted least squares over the joints (posepipe.body.lift).
function standing(xyz, sigma, rays, spread) {
  let depth = 3, root = null, rootSigma = null;
  for (let pass = 0; pass < 2; pass++) {
    const side = [1e-9, 1e-9], tie = [0, 0], free = [0, 0];
    let stiff = 1e-9, pull = 0;
    xyz.forEach(([X, Y, Z], j) => {
      if (MADE.has(j)) return;
      [X, Y].forEach((offset, k) => {
        const r = rays[2 * j + k], right = r * Z - offset;
        const w = 1 / (sigma[j] ** 2 * (1 + r * r) + (spread[j] * depth) ** 2 + 1e-8);
        side[k] += w; tie[k] -= w * r; free[k] += w * right; stiff += w * r * r; pull -= w * r * right;
      });
    });
    stiff = Math.max(stiff - tie[0] ** 2 / side[0] - tie[1] ** 2 / side[1], 1e-12);
    const z = (pull - (tie[0] * free[0]) / side[0] - (tie[1] * free[1]) / side[1]) / stiff;
    root = [(free[0] - tie[0] * z) / side[0], (free[1] - tie[1] * z) / side[1], z];
    rootSigma = [...[0, 1].map((k) => Math.sqrt(1 / side[k] + (tie[k] / side[k]) ** 2 / stiff)), Math.sqrt(1 / stiff)];
    depth = Math.min(Math.max(z, 0.3), 60);
  }
  if (!(root[2] > 0.3 && root[2] < 60)) return { root: null, rootSigma: null };
  // An assumed body size moves it along its ray, an assumed focal length in depth.
  const shared = root.map((x, k) => Math.hypot(0.06 * x, k === 2 ? 0.26 * x : 0));
  return { root, rootSigma: rootSigma.map((s, k) => Math.hypot(s, shared[k])) };
}

// Filters points (of any number of coordinates) by their sigmas; gives both, the lag in sigma.
export class OneEuro {
  step(time, points, sigma) {
    if (!this.value || time - this.time > 0.5) {
      Object.assign(this, { time, value: points.map((p) => [...p]), raw: points, speed: points.map((p) => p.map(() => 0)) });
      this.variance = sigma.map((s) => s * s);
      return { value: this.value.map((p) => [...p]), sigma: [...sigma] };
    }
    const dt = time - this.time, alpha = (hz) => { const t = 2 * Math.PI * hz * dt; return t / (t + 1); }, out = [];
    points.forEach((p, j) => {
      const v = this.speed[j];
      p.forEach((x, k) => { v[k] += alpha(2) * ((x - this.raw[j][k]) / dt - v[k]); });
      const size = Math.hypot(...v), hz = 1.5 + (0.2 * size) / Math.max(sigma[j], 1e-6), a = alpha(hz);
      p.forEach((x, k) => { this.value[j][k] += a * (x - this.value[j][k]); });
      this.variance[j] += a * (sigma[j] ** 2 - this.variance[j]);
      out.push(Math.sqrt(this.variance[j] + (size / (2 * Math.PI * hz)) ** 2 / p.length));
    });
    Object.assign(this, { time, raw: points });
    return { value: this.value.map((p) => [...p]), sigma: out };
  }
}

// ---- recognition (posepipe.exercise.features) ---------------------------------------------------------------------------
export const minus = (a, b) => a.map((x, k) => x - b[k]);
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const norm = (a) => Math.hypot(...a);
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const median = (list) => { const s = [...list].sort((a, b) => a - b), n = s.length;
                           return n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2; };

export function bodyAxes(points, up, at) {
  let line = [0, 0, 0], trunk = [0, 0, 0];
  for (const p of points) {
    const across = minus(p[at.left_shoulder], p[at.right_shoulder]), hips = minus(p[at.left_hip], p[at.right_hip]);
    line = line.map((x, k) => x + (across[k] + hips[k]) / points.length);
    trunk = trunk.map((x, k) => x + p[at.thorax][k] / points.length);
  }
  const level = minus(line, up.map((u) => u * dot(line, up))), flat = minus(trunk, up.map((u) => u * dot(trunk, up)));
  let left = norm(level) < 0.25 * norm(line) + SMALLEST ? cross(up, flat) : level;
  left = norm(left) > SMALLEST ? left.map((x) => x / norm(left)) : [1, 0, 0];
  return [cross(left, up), left, up];
}

export function windowFeatures(spec, frames, end) {
  const { joints, angles, distances, heights, bones, trunk_m, samples, window_s } = spec, at = spec.at, up = [0, -1, 0];
  const points = [], trust = [], drift = [], clip3 = (x) => Math.min(Math.max(x, -3), 3);
  for (let s = 0; s < samples; s++) {
    const t = Math.min(Math.max(end - window_s + (s / (samples - 1)) * window_s, frames[0].time), frames.at(-1).time);
    let b = frames.findIndex((f) => f.time >= t - 1e-12);
    if (b < 0) b = frames.length - 1;
    const a = frames[b].time > t ? Math.max(b - 1, 0) : b;
    const share = frames[b].time > frames[a].time ? (t - frames[a].time) / (frames[b].time - frames[a].time) : 0;
    const mix = (x, y) => (1 - share) * x + share * y, doubt = (x) => 1 / (1 + (x / 0.1) ** 2);
    points.push(joints.map((j) => frames[a].xyz[j].map((x, k) => mix(x, frames[b].xyz[j][k]))));
    const [r0, r1] = [frames[a].root, frames[b].root];
    drift.push(r0 && r1 ? r0.map((x, k) => mix(x, r1[k])) : null);
    trust.push(joints.map((j) => mix(doubt(frames[a].sigma[j]), doubt(frames[b].sigma[j]))));
  }
  const there = drift.filter((p) => p);
  const middle = [0, 1, 2].map((k) => there.reduce((sum, p) => sum + p[k], 0) / Math.max(there.length, 1));
  const axes = bodyAxes(points, up, at), ratios = [];
  for (const p of points) {
    for (const [a, b, length] of bones) ratios.push(norm(minus(p[a], p[b])) / length);
    ratios.push(norm(p[at.thorax]) / trunk_m, norm(p[at.thorax]) / trunk_m);
  }
  const size = Math.max(median(ratios), 1e-6), rows = [];
  points.forEach((p, s) => {
    const q = p.map((x) => axes.map((axis) => dot(axis, x) / size));
    rows.push(...q.flat());
    for (const [a, b, c] of angles) {
      const u = minus(q[a], q[b]), v = minus(q[c], q[b]);
      rows.push(Math.acos(Math.min(Math.max(dot(u, v) / Math.max(norm(u) * norm(v), SMALLEST), -1), 1)));
    }
    for (const [a, b] of distances) rows.push(norm(minus(q[a], q[b])));
    for (const [a, b] of heights) rows.push(Math.abs(q[a][2] - q[b][2]));
    const known = drift[s] !== null;
    const way = known ? axes.map((axis) => clip3(dot(axis, minus(drift[s], middle)) / size)) : [0, 0, 0];
    rows.push(...way, known ? 1 : 0, ...trust[s]);
  });
  return Float32Array.from(rows);
}
