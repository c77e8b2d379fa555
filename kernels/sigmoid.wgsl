// sigmoid: y = 1 / (1 + exp(-x))
//
//   x, y  any one shape  f32
//
// Four elements per lane. Written with exp(-|x|), which cannot overflow: y = 1 / (1 + e) for x ≥ 0, e / (1 + e) below.
// use: workgroup_index
// use: exp

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn sigmoid(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    let e = exp_f32(-abs(x[i]));
    y[i] = select(e, 1.0, x[i] >= 0.0) / (1.0 + e);
  }
}
