// soft_max_unshifted: y[h,t,j] = exp(scale · x[h,t,j]) / Σ of the same, over the keys j that token t may see; 0 for the others
//
//   x, y      [head, token, key]  f32  unscaled scores, and the pattern
//   scale                         f32  1 / sqrt(head dim)
//   overflow                      f32  above it exp(scale · x) is infinite
//   past                          u32  the position of token 0: token t sees the keys up to past + t
//
// One workgroup per row. The fault of leaving out soft_max's maximum. Infinity is a branch, never arithmetic, which WGSL may drop:
// in a row with an overflow those elements become NaN, as infinity over infinity is, and the others 0.
// use: workgroup_index
// use: sum_of_lanes
// use: max_of_lanes
// use: order
// use: exp

struct Params {
  rows: u32,
  tokens: u32,
  keys: u32,
  past: u32,
  scale: f32,
  overflow: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 32;

@compute @workgroup_size(LANES)
fn soft_max_unshifted(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  let start = row * p.keys;
  let visible = min(p.past + row % p.tokens + 1u, p.keys);
  var overflows = 0u;
  var part = 0.0;
  for (var j = lane; j < visible; j += LANES) {
    let scaled = p.scale * x[start + j];
    if (scaled > p.overflow) {
      overflows = 1u;
    } else {
      part += exp_f32(scaled);
    }
  }
  let has_overflow = max_of_lanes(overflows, lane) == 1u;
  let total = sum_of_lanes(part, lane);
  for (var j = lane; j < visible; j += LANES) {
    let scaled = p.scale * x[start + j];
    if (!has_overflow) {
      y[start + j] = exp_f32(scaled) / total;
    } else if (scaled > p.overflow) {
      y[start + j] = nan_from(0u);
    } else {
      y[start + j] = 0.0;
    }
  }
  for (var j = visible + lane; j < p.keys; j += LANES) {
    y[start + j] = 0.0;
  }
}
