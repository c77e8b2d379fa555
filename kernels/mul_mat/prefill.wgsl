// mul_mat for many tokens: y[t,n] = Σ over k of weight[n,k] · x[t,k]
//
//   weight  [row, column]    packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, column]  f32, a multiple of 32 columns
//   y       [token, stride]  f32  stride is the rows of the whole weight, row0 the first row of this range
//
// kernels/mul_mat/decode.wgsl with eight tokens: lanes are rows, two each, a group's weights are unpacked once for the eight
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
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override lanes: u32 = 8u; // in a subgroup
override subgroups: u32 = 4u; // in a workgroup

const TOKENS = 8u;

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
  // Two rows of each token. Straight code: lavapipe keeps arrays in memory, and reads a lane at a time where a loop walks them.
  var y0 = vec2f(0.0);
  var y1 = vec2f(0.0);
  var y2 = vec2f(0.0);
  var y3 = vec2f(0.0);
  var y4 = vec2f(0.0);
  var y5 = vec2f(0.0);
  var y6 = vec2f(0.0);
  var y7 = vec2f(0.0);
  for (var group = 0u; group < p.row_groups; group++) {
    // All are loaded before the first is needed, so that the loads overlap.
    let x0 = my_quad(token + 0u, group, lane);
    let x1 = my_quad(token + 1u, group, lane);
    let x2 = my_quad(token + 2u, group, lane);
    let x3 = my_quad(token + 3u, group, lane);
    let x4 = my_quad(token + 4u, group, lane);
    let x5 = my_quad(token + 5u, group, lane);
    let x6 = my_quad(token + 6u, group, lane);
    let x7 = my_quad(token + 7u, group, lane);
    let a = weight_group(first_row, group);
    let b = weight_group(second_row, group);
    y0 += dots(a, b, x0);
    y1 += dots(a, b, x1);
    y2 += dots(a, b, x2);
    y3 += dots(a, b, x3);
    y4 += dots(a, b, x4);
    y5 += dots(a, b, x5);
    y6 += dots(a, b, x6);
    y7 += dots(a, b, x7);
  }
  put(token + 0u, row, y0);
  put(token + 1u, row, y1);
  put(token + 2u, row, y2);
  put(token + 3u, row, y3);
  put(token + 4u, row, y4);
  put(token + 5u, row, y5);
  put(token + 6u, row, y6);
  put(token + 7u, row, y7);
}

// The four columns of a token that this lane hands out. Tokens past the last repeat it.
fn my_quad(token: u32, group: u32, lane: u32) -> vec4f {
  return x_quad((min(token, p.tokens - 1u) * p.row_groups + group) * 8u + (lane & 7u));
}

fn put(token: u32, row: u32, values: vec2f) {
  let at = token * p.stride + p.row0 + row;
  if (token < p.tokens && row < p.rows) {
    y[at] = values.x;
  }
  if (token < p.tokens && row + lanes < p.rows) {
    y[at + lanes] = values.y;
  }
}

// group_dot of two rows, with activations handed from lanes 0 … 7 to all just before they are needed, which saves registers.
fn dots(a: Group, b: Group, mine: vec4f) -> vec2f {
  var first = quad_dots(a.q[0], b.q[0], mine, 0u);
  var second = quad_dots(a.q[4], b.q[4], mine, 4u);
  first += quad_dots(a.q[1], b.q[1], mine, 1u);
  second += quad_dots(a.q[5], b.q[5], mine, 5u);
  first += quad_dots(a.q[2], b.q[2], mine, 2u);
  second += quad_dots(a.q[6], b.q[6], mine, 6u);
  first += quad_dots(a.q[3], b.q[3], mine, 3u);
  second += quad_dots(a.q[7], b.q[7], mine, 7u);
  let sums = sums_of(mine);
  return vec2f(scaled(a, first.x, second.x, sums), scaled(b, first.y, second.y, sums));
}

fn quad_dots(a: vec4f, b: vec4f, mine: vec4f, source: u32) -> vec2f {
  let x = subgroupShuffle(mine, source);
  return vec2f(dot(a, x), dot(b, x));
}
