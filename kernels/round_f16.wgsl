// round_f16: y = the half (IEEE 754 binary16) nearest to x, ties to even, as f32
//
//   x, y  any one shape  f32
//
// Four elements per lane.
// use: workgroup_index
// use: nearest_half

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn round_f16(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    y[i] = nearest_half(x[i]);
  }
}
