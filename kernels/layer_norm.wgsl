// layer_norm: y[t,i] = weight[i] · (x[t,i] - mean) / sqrt(mean over i of (x[t,i] - mean)² + eps), mean of row t
//
//   x       [row, embd]  f32  the residual stream, one row per token
//   weight  [embd]       f32
//   y       [row, embd]  f32
//   eps                  f32  added to the variance, so in the unit of x²
//
// One workgroup per row, laid out as rms_norm's. The mean is subtracted before squaring, so that nothing cancels.
// Source: Ba et al. 2016, arXiv:1607.06450.
// use: workgroup_index
// use: sum_of_lanes

struct Params {
  rows: u32,
  embd: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 64;

@compute @workgroup_size(LANES)
fn layer_norm(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  let start = row * p.embd;
  var sum = 0.0;
  for (var i = lane; i < p.embd; i += LANES) {
    sum += x[start + i];
  }
  let mean = sum_of_lanes(sum, lane) / f32(p.embd);
  var sum_of_squares = 0.0;
  for (var i = lane; i < p.embd; i += LANES) {
    let value = x[start + i] - mean;
    sum_of_squares += value * value;
  }
  let deviation = sqrt(sum_of_lanes(sum_of_squares, lane) / f32(p.embd) + p.eps);
  for (var i = lane; i < p.embd; i += LANES) {
    y[start + i] = weight[i] * (x[start + i] - mean) / deviation;
  }
}
