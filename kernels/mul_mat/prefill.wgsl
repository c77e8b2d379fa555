// mul_mat for many tokens: y[t,n] = Σ over k of weight[n,k] · x[t,k]
//
//   weight  [row, column]    packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, column]  f32, a multiple of 32 columns
//   y       [token, stride]  f32  stride is the rows of the whole weight, row0 the first row of this range
//
// kernels/mul_mat/decode.wgsl with four tokens: lanes are rows, two each, a group's weights are unpacked once for the four
// tokens, and each dot is summed in the same order as there.
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
  row_tiles: u32, // workgroups are [token tile, row tile]
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override lanes: u32 = 8u; // in a subgroup
override subgroups: u32 = 4u; // in a workgroup

const TOKENS = 4u;

@compute @workgroup_size(lanes * subgroups)
fn prefill(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile_index = workgroup_index(workgroup, workgroups);
  let row = (tile_index % p.row_tiles * subgroups + index / lanes) * 2u * lanes + lane;
  let token = tile_index / p.row_tiles * TOKENS;
  if (token >= p.tokens) {
    return;
  }
  // Lanes past the last row, and tokens past the last, compute it again and write nothing: shuffles need every lane.
  let first_row = min(row, p.rows - 1u);
  let second_row = min(row + lanes, p.rows - 1u);
  let start = vec4u(
    token, min(token + 1u, p.tokens - 1u), min(token + 2u, p.tokens - 1u), min(token + 3u, p.tokens - 1u),
  ) * (p.columns / 4u) + vec4u(lane & 7u);
  var first = vec4f(0.0);
  var second = vec4f(0.0);
  for (var group = 0u; group < p.row_groups; group++) {
    let a = weight_group(first_row, group);
    let b = weight_group(second_row, group);
    let at = start + vec4u(group * 8u);
    let x0 = shuffled_x(x[at.x]);
    first.x += group_dot(a, x0.x, x0.sums);
    second.x += group_dot(b, x0.x, x0.sums);
    let x1 = shuffled_x(x[at.y]);
    first.y += group_dot(a, x1.x, x1.sums);
    second.y += group_dot(b, x1.x, x1.sums);
    let x2 = shuffled_x(x[at.z]);
    first.z += group_dot(a, x2.x, x2.sums);
    second.z += group_dot(b, x2.x, x2.sums);
    let x3 = shuffled_x(x[at.w]);
    first.w += group_dot(a, x3.x, x3.sums);
    second.w += group_dot(b, x3.x, x3.sums);
  }
  for (var i = 0u; i < min(TOKENS, p.tokens - token); i++) {
    let at = (token + i) * p.stride + p.row0 + row;
    if (row < p.rows) {
      y[at] = first[i];
    }
    if (row + lanes < p.rows) {
      y[at + lanes] = second[i];
    }
  }
}
