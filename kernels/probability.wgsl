// probability: y[t,j] = exp(x[t,j] - log_sum_exp[t])
//
//   x, y         [token, k]  f32  some of a row's logits
//   log_sum_exp  [token, 1]  f32  over the whole row
//
// Four elements per lane.
// use: workgroup_index
// use: exp

struct Params {
  count: u32,
  k: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn probability(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    y[i] = exp_f32(x[i] - log_sum_exp[i / p.k]);
  }
}
