// mul_mat_transposed: y[t,k] = Σ over n of weight[n,k] · x[t,n]
//
//   weight  [row, column]  packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, height]  f32  height is the rows of the whole weight, row0 the first row of this range
//   y       [token, column]  f32
//
// One dispatch per range of rows; all but the first add to y. A workgroup owns 32 columns of a token: its lanes stride over
// the rows, so that neighbouring lanes read neighbouring bytes, then each column's parts are added up.
// use: weight_group
// use: workgroup_index

struct Params {
  rows: u32,
  row0: u32,
  row_groups: u32,
  groups: u32,
  height: u32,
  columns: u32,
  tokens: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// How many, src/ops/workgroups.ts says.
override LANES: u32 = 64;

// [lane, vec4 of the group]; 8 vec4 are a group's 32 columns.
var<workgroup> parts: array<vec4f, LANES * 8>;

@compute @workgroup_size(LANES)
fn mul_mat_transposed(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup_index(workgroup, grid);
  let token = index / p.row_groups;
  let group = index % p.row_groups;
  if (token >= p.tokens) {
    return;
  }
  var sums = array<vec4f, 8>();
  for (var row = lane; row < p.rows; row += LANES) {
    let found = weight_group(row, group);
    let factor = x[token * p.height + p.row0 + row];
    for (var i = 0u; i < 8u; i++) {
      let half = i >> 2u;
      sums[i] += (found.q[i] * found.scale[half] + vec4f(found.offset[half])) * factor;
    }
  }
  for (var i = 0u; i < 8u; i++) {
    parts[lane * 8u + i] = sums[i];
  }
  workgroupBarrier();
  for (var i = lane; i < 32u; i += LANES) {
    var sum = 0.0;
    for (var other = 0u; other < LANES; other++) {
      sum += parts[other * 8u + i / 4u][i % 4u];
    }
    let column = group * 32u + i;
    if (column < p.columns) {
      let at = token * p.columns + column;
      if (p.row0 > 0u) {
        sum += y[at];
      }
      y[at] = sum;
    }
  }
}
