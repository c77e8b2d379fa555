// gelu: y = x / (1 + exp(-2u)), u = sqrt(2 / π) · (x + 0.044715 x³)
//
//   x, y  any one shape  f32
//
// Four elements per lane. No tanh: WGSL promises little for it. Written with exp(-|2u|), which cannot overflow:
// y = x / (1 + e) for u ≥ 0, x · e / (1 + e) below. Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.
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
fn gelu(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    let value = x[i];
    let u = 0.7978845608 * (value + 0.044715 * value * value * value);
    let e = exp_f32(-2.0 * abs(u));
    y[i] = value * (select(e, 1.0, u >= 0.0) / (1.0 + e));
  }
}
