// take: y[t,j] = x[t, ids[t,j]]
//
//   x    [token, vocab]  f32  logits, copied as bits so that NaN stays what it was
//   ids  [token, k]      f32  whole numbers
//   y    [token, k]      f32  NaN where an id is not in the row
//
// Four elements per lane.
// use: workgroup_index

struct Params {
  count: u32,
  vocab: u32,
  k: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> ids: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

const LANES = 64u;
const NAN = 0x7fc00000u;

@compute @workgroup_size(LANES)
fn take(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    if (ids[i] >= 0.0 && ids[i] < f32(p.vocab)) {
      y[i] = x[i / p.k * p.vocab + u32(ids[i])];
    } else {
      y[i] = NAN;
    }
  }
}
