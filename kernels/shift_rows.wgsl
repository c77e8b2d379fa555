// shift_rows: y[t] = x[t - by]; the first row stands for those before it
//
//   x, y   [token, ...]  f32
//   width                u32  elements of a row
//   by                   u32  1 or more
//
// Values are copied. Four elements per lane.
// use: workgroup_index

struct Params {
  count: u32,
  width: u32,
  by: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn shift_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    let token = i / p.width;
    y[i] = x[(token - min(token, p.by)) * p.width + i % p.width];
  }
}
