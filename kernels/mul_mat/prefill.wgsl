// mul_mat for many tokens: y[t,n] = Σ over k of weight[n,k] · x[t,k]
//
//   weight  [row, column]    packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, column]  f32, a multiple of 32 columns
//   y       [token, stride]  f32  stride is the rows of the whole weight, row0 the first row of this range
//
// kernels/mul_mat/decode.wgsl with four tokens: lanes are rows, two each, a group's weights are unpacked once for the four
// tokens, and each dot is summed in the same order as there. Registers decide the speed: two rows and four tokens run at
// 53 GFLOP/s on lavapipe with two cores, four rows or eight tokens at 40.
// use: weight_group
// use: workgroup_index
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
  var y_tile = mat2x4f(); // [row, token]
  for (var group = 0u; group < p.row_groups; group++) {
    let a = weight_group(first_row, group);
    let b = weight_group(second_row, group);
    let at = start + vec4u(group * 8u);
    let mine = mat4x4f(x[at.x], x[at.y], x[at.z], x[at.w]); // four columns of each token
    let one = vec4f(1.0);
    var sum = vec4f(dot(one, mine[0]), dot(one, mine[1]), dot(one, mine[2]), dot(one, mine[3]));
    sum += subgroupShuffleXor(sum, 1u);
    sum += subgroupShuffleXor(sum, 2u);
    let first_sum = subgroupShuffle(sum, 0u);
    let second_sum = subgroupShuffle(sum, 4u);
    let first = (dots(a.q[0], b.q[0], mine, 0u) + dots(a.q[1], b.q[1], mine, 1u)) +
      (dots(a.q[2], b.q[2], mine, 2u) + dots(a.q[3], b.q[3], mine, 3u));
    let second = (dots(a.q[4], b.q[4], mine, 4u) + dots(a.q[5], b.q[5], mine, 5u)) +
      (dots(a.q[6], b.q[6], mine, 6u) + dots(a.q[7], b.q[7], mine, 7u));
    y_tile += mat2x4f(
      (a.scale.x * first[0] + a.offset.x * first_sum) + (a.scale.y * second[0] + a.offset.y * second_sum),
      (b.scale.x * first[1] + b.offset.x * first_sum) + (b.scale.y * second[1] + b.offset.y * second_sum),
    );
  }
  for (var i = 0u; i < min(TOKENS, p.tokens - token); i++) {
    let at = (token + i) * p.stride + p.row0 + row;
    if (row < p.rows) {
      y[at] = y_tile[0][i];
    }
    if (row + lanes < p.rows) {
      y[at + lanes] = y_tile[1][i];
    }
  }
}

// Four weights of two rows times the activations that lane `source` holds, for four tokens: [row, token].
fn dots(a: vec4f, b: vec4f, mine: mat4x4f, source: u32) -> mat2x4f {
  let x = mat4x4f(
    subgroupShuffle(mine[0], source), subgroupShuffle(mine[1], source),
    subgroupShuffle(mine[2], source), subgroupShuffle(mine[3], source),
  );
  return mat2x4f(
    vec4f(dot(a, x[0]), dot(a, x[1]), dot(a, x[2]), dot(a, x[3])),
    vec4f(dot(b, x[0]), dot(b, x[1]), dot(b, x[2]), dot(b, x[3])),
  );
}
