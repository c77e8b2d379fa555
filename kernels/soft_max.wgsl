// soft_max: y[h,t,j] = exp(scale · (x[h,t,j] - max)) / Σ of the same, over the keys j that token t may see; 0 for the others
//
//   x, y   [head, token, key]  f32  unscaled scores, and the pattern
//   scale                      f32  1 / sqrt(head dim), positive
//   first                      u32  how many keys token 0 sees: 1 more than stand before it. Token t sees first + t of them
//
// One workgroup per row. The maximum is subtracted before scaling, so the error of the product stays small where the
// pattern is large. The mask is the end of a loop, never arithmetic with -inf, which WGSL may drop.
// A row whose greatest score is NaN or infinite becomes NaN, as in f64.
// use: workgroup_index
// use: sum_of_lanes
// use: max_of_lanes
// use: order
// use: exp

struct Params {
  rows: u32,
  tokens: u32,
  keys: u32,
  first: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 32;

@compute @workgroup_size(LANES)
fn soft_max(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  let start = row * p.keys;
  let visible = min(p.first + row % p.tokens, p.keys);
  var greatest = 0u;
  for (var j = lane; j < visible; j += LANES) {
    greatest = max(greatest, order_of(x[start + j]));
  }
  let max_order = max_of_lanes(greatest, lane);
  let max_score = value_of(max_order);

  var part = 0.0;
  for (var j = lane; j < visible; j += LANES) {
    let e = exp_f32(p.scale * (x[start + j] - max_score));
    y[start + j] = e;
    part += e;
  }
  let total = sum_of_lanes(part, lane);
  for (var j = lane; j < visible; j += LANES) {
    if (is_order_finite(max_order)) {
      y[start + j] = y[start + j] / total;
    } else {
      y[start + j] = nan_from(max_order);
    }
  }
  for (var j = visible + lane; j < p.keys; j += LANES) {
    y[start + j] = 0.0;
  }
}
