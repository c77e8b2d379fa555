// logit_direction: y[k] = norm[k] · (weight[token,k] − weight[versus,k])
//
//   weight  [row, column]  packed, one range of rows; see kernels/parts/weight_group.wgsl
//   norm    [column]       f32  output_norm
//   y       [1, column]    f32
//
// One dispatch per token: the first has sign 1 and sets y, the second has sign -1 and adds to it. A lane owns one column and
// unpacks the group that it is in: a row is soon done, and what takes long on lavapipe is to compile a kernel of many
// stores (all tests of this one without a shader cache: 4 s, with a lane for each group 89 s).
// Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
// use: weight_group
// use: workgroup_index

struct Params {
  rows: u32,
  row0: u32,
  row_groups: u32,
  groups: u32,
  columns: u32,
  row: u32, // of the whole weight
  sign: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn logit_direction(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = workgroup_index(workgroup, grid) * LANES + lane;
  if (column >= p.columns) {
    return;
  }
  let found = weight_group(p.row - p.row0, column / 32u);
  let at = column % 32u;
  let value = found.q[at / 4u][at % 4u] * found.scale[at / 16u] + found.offset[at / 16u];
  var before = 0.0;
  if (p.sign < 0.0) {
    before = y[column];
  }
  y[column] = before + p.sign * norm[column] * value;
}
