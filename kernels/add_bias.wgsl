// add_bias: y[t,i] = x[t,i] + weight[i]
//
//   x, y    [token, embd]  f32  embd may be several axes, for instance head and dim
//   weight  [embd]         f32  the bias of a projection
//
// Four elements per lane.
// use: workgroup_index

struct Params {
  count: u32,
  embd: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn add_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    y[i] = x[i] + weight[i % p.embd];
  }
}
