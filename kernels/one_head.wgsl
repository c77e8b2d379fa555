// one_head: y is b in one head and a in the others
//
//   a, b, y  one shape  f32
//   head                u32  which head is b's
//   heads               u32  how many there are
//   width               u32  neighbouring elements that belong to one head
//
// Values are copied. Four elements per lane.
// use: workgroup_index

struct Params {
  count: u32,
  head: u32,
  heads: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn one_head(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    if (i / p.width % p.heads == p.head) {
      y[i] = b[i];
    } else {
      y[i] = a[i];
    }
  }
}
