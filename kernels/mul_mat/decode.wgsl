// mul_mat for one token: y[n] = Σ over k of weight[n,k] · x[k]
//
//   weight  [row, column]  packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [column]       f32, a multiple of 32 columns
//   y       [stride]       f32  row0 is the first row of this range
//
// Lanes are rows, two or four each: neighbouring lanes read neighbouring blocks, weights pass by as one stream, and nothing has to
// be summed across lanes. A group's 32 activations are loaded once by eight lanes and handed to all by shuffles. Where a
// device wants more lanes at work than there are rows, `splits` subgroups share a row, each taking every splits-th group.
// use: group_dot
// use: workgroup_index
// use: shuffled_x
enable subgroups;

struct Params {
  rows: u32,
  row0: u32,
  row_groups: u32,
  groups: u32,
  stride: u32,
  columns: u32,
  tokens: u32,
  row_tiles: u32, // workgroups
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override lanes: u32 = 8u; // in a subgroup
override subgroups: u32 = 4u; // in a workgroup, a multiple of splits
override splits: u32 = 1u;
override rows_each: u32 = 2u; // of a lane: 2 or 4

var<workgroup> parts: array<vec4f, lanes * subgroups>;

@compute @workgroup_size(lanes * subgroups)
fn decode(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let subgroup = index / lanes;
  let split = subgroup % splits;
  let tile_index = workgroup_index(workgroup, workgroups);
  if (tile_index >= p.row_tiles) {
    return;
  }
  let first_row = (tile_index * (subgroups / splits) + subgroup / splits) * rows_each * lanes + lane;
  let row = vec4u(first_row) + lanes * vec4u(0u, 1u, 2u, 3u);
  // Lanes past the last row compute it again and write nothing: shuffles need every lane.
  let weight_row = min(row, vec4u(p.rows - 1u));
  var sums = vec4f(0.0);
  // The same number of turns for every split, as shuffles need; a turn past the last group multiplies by zero.
  for (var group0 = 0u; group0 < p.row_groups; group0 += splits) {
    let group = min(group0 + split, p.row_groups - 1u);
    let mine = select(vec4f(0.0), x_quad(group * 8u + (lane & 7u)), group0 + split < p.row_groups);
    let x = shuffled_x(mine);
    sums.x += group_dot(weight_group(weight_row.x, group), x.x, x.sums);
    sums.y += group_dot(weight_group(weight_row.y, group), x.x, x.sums);
    if (rows_each > 2u) {
      sums.z += group_dot(weight_group(weight_row.z, group), x.x, x.sums);
      sums.w += group_dot(weight_group(weight_row.w, group), x.x, x.sums);
    }
  }
  if (splits > 1u) {
    parts[index] = sums;
    workgroupBarrier();
    if (split > 0u) {
      return;
    }
    for (var i = 1u; i < splits; i++) {
      sums += parts[index + i * lanes];
    }
  }
  for (var i = 0u; i < rows_each; i++) {
    if (row[i] < p.rows) {
      y[p.row0 + row[i]] = sums[i];
    }
  }
}
