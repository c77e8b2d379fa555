// rms: y[t] = sqrt(mean over i of x[t,i]² + eps), what rms_norm divides a row by
//
//   x    [token, embd]  f32
//   y    [token, 1]     f32
//   eps                 f32  added to the mean square, so in the unit of x²
//
// One workgroup per row. Lanes stride over embd, then add their parts as a tree.
// Source: Zhang and Sennrich 2019, arXiv:1910.07467.
// use: workgroup_index
// use: sum_of_lanes

struct Params {
  rows: u32,
  embd: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 64;

@compute @workgroup_size(LANES)
fn rms(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  var sum_of_squares = 0.0;
  for (var i = lane; i < p.embd; i += LANES) {
    let value = x[row * p.embd + i];
    sum_of_squares += value * value;
  }
  let total = sum_of_lanes(sum_of_squares, lane);
  if (lane == 0u) {
    y[row] = sqrt(total / f32(p.embd) + p.eps);
  }
}
