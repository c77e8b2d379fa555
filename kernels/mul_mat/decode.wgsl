// mul_mat for one token: y[n] = Σ over k of weight[n,k] · x[k]
//
//   weight  [row, column]  packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [column]       f32, a multiple of 32 columns
//   y       [stride]       f32  row0 is the first row of this range
//
// Lanes are rows, two each: neighbouring lanes read neighbouring blocks, weights pass by as one stream, and nothing has to
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

var<workgroup> parts: array<vec2f, lanes * subgroups>;

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
  let row = (tile_index * (subgroups / splits) + subgroup / splits) * 2u * lanes + lane;
  // Lanes past the last row compute it again and write nothing: shuffles need every lane.
  let first_row = min(row, p.rows - 1u);
  let second_row = min(row + lanes, p.rows - 1u);
  var first = 0.0;
  var second = 0.0;
  // The same number of turns for every split, as shuffles need; a turn past the last group multiplies by zero.
  for (var group0 = 0u; group0 < p.row_groups; group0 += splits) {
    let group = min(group0 + split, p.row_groups - 1u);
    let mine = select(vec4f(0.0), x_quad(group * 8u + (lane & 7u)), group0 + split < p.row_groups);
    let activations = shuffled_x(mine);
    first += group_dot(weight_group(first_row, group), activations.x, activations.sums);
    second += group_dot(weight_group(second_row, group), activations.x, activations.sums);
  }
  if (splits > 1u) {
    parts[index] = vec2f(first, second);
    workgroupBarrier();
    if (split > 0u) {
      return;
    }
    for (var i = 1u; i < splits; i++) {
      first += parts[index + i * lanes].x;
      second += parts[index + i * lanes].y;
    }
  }
  if (row < p.rows) {
    y[p.row0 + row] = first;
  }
  if (row + lanes < p.rows) {
    y[p.row0 + row + lanes] = second;
  }
}
