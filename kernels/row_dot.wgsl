// row_dot: y[t,h] = Σ over k of x[t,h,k] · direction[h,k]
//
//   x          [token, head, dim]  f32  of a tensor without heads, one head
//   direction  [1, head, dim]      f32  the same for every token
//   y          [token, head]       f32
//
// One workgroup per row of x. Lanes stride over dim, then add their parts as a tree.
// use: workgroup_index
// use: sum_of_lanes

struct Params {
  rows: u32,
  heads: u32,
  dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> direction: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 64;

@compute @workgroup_size(LANES)
fn row_dot(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  let head = row % p.heads;
  var sum_of_lane = 0.0;
  for (var k = lane; k < p.dim; k += LANES) {
    sum_of_lane += x[row * p.dim + k] * direction[head * p.dim + k];
  }
  let sum = sum_of_lanes(sum_of_lane, lane);
  if (lane == 0u) {
    y[row] = sum;
  }
}
