// silu_mul: y = gate / (1 + exp(-gate)) · up
//
//   gate, up, y  any one shape  f32
//
// One lane per element; what silu.wgsl and mul.wgsl compute in two kernels, without the value between them.
// Source: Shazeer 2020, arXiv:2002.05202.
// use: workgroup_index
// use: exp

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
@group(0) @binding(2) var<storage, read> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 256u;

@compute @workgroup_size(LANES)
fn silu_mul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = workgroup_index(group, groups) * LANES + lane;
  if (i >= p.count) {
    return;
  }
  let value = gate[i];
  let e = exp_f32(-abs(value));
  y[i] = value * (select(e, 1.0, value >= 0.0) / (1.0 + e)) * up[i];
}
