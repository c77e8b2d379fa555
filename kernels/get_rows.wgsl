// get_rows: y[t,k] = weight[tokens[t], k]
//
//   tokens  [token]          u32
//   weight  [row, column]    packed, one range of rows; see kernels/parts/weight_group.wgsl
//   y       [token, column]  f32
//
// One dispatch per range of rows, which writes the tokens whose row is in its range. A lane unpacks one group of 32.
// use: weight_group
// use: workgroup_index

struct Params {
  rows: u32,
  row0: u32,
  row_groups: u32,
  groups: u32,
  columns: u32,
  tokens: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn get_rows(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup_index(workgroup, grid) * LANES + lane;
  let token = index / p.row_groups;
  let group = index % p.row_groups;
  if (token >= p.tokens) {
    return;
  }
  // Rows below row0 wrap around to large numbers and are left out with the ones past the end.
  let row = tokens[token] - p.row0;
  if (row >= p.rows) {
    return;
  }
  let found = weight_group(row, group);
  for (var i = 0u; i < 8u; i++) {
    let half = i >> 2u;
    let values = found.q[i] * found.scale[half] + vec4f(found.offset[half]);
    for (var j = 0u; j < 4u; j++) {
      let column = group * 32u + i * 4u + j;
      if (column < p.columns) {
        y[token * p.columns + column] = values[j];
      }
    }
  }
}
