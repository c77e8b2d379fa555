// round_bf16: y = the bfloat16 number nearest to x, ties to even: f32 without its last 16 bits
//
//   x, y  any one shape  f32
//
// Four elements per lane.
// use: workgroup_index
// use: shifted_to_nearest

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn round_bf16(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    y[i] = nearest_bf16(x[i]);
  }
}

fn nearest_bf16(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {
    return x; // NaN
  }
  return bitcast<f32>((bits & 0x80000000u) | (shifted_to_nearest(size, 16u) << 16u));
}
