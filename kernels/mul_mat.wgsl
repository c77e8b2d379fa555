// mul_mat: y[t,n] = Σ over k of weight[n,k] · x[t,k]
//
//   weight  [row, column]  packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, column]  f32
//   y       [token, stride]  f32  stride is the rows of the whole weight, row0 the first row of this range
//
// The kernel for every device and every row length; kernels/mul_mat/ holds faster ones that need subgroups. A lane owns one
// row. The workgroup puts 4 tokens × 128 columns of x into its memory, then each lane unpacks its weights once for the 4
// tokens.
// use: group_dot
// use: workgroup_index

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;
const TOKENS = 4u;
const TILE_GROUPS = 4u;

// [token, group, vec4 of the group]; 8 vec4 are a group's 32 columns.
var<workgroup> tile: array<vec4f, TOKENS * TILE_GROUPS * 8u>;

@compute @workgroup_size(LANES)
fn mul_mat(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile_index = workgroup_index(workgroup, workgroups);
  let row = tile_index % p.row_tiles * LANES + lane;
  let token0 = tile_index / p.row_tiles * TOKENS;
  if (token0 >= p.tokens) {
    return;
  }
  // Lanes past the last row compute it again and write nothing: all lanes must meet at the barriers.
  let weight_row = min(row, p.rows - 1u);
  let end_token = min(token0 + TOKENS, p.tokens);
  var sums = vec4f(0.0); // one for each token
  for (var group0 = 0u; group0 < p.row_groups; group0 += TILE_GROUPS) {
    workgroupBarrier();
    for (var i = lane; i < TOKENS * TILE_GROUPS * 8u; i += LANES) {
      tile[i] = x_at(token0 + i / (TILE_GROUPS * 8u), group0 * 32u + (i % (TILE_GROUPS * 8u)) * 4u);
    }
    workgroupBarrier();
    let end_group = min(group0 + TILE_GROUPS, p.row_groups);
    for (var i = group0; i < end_group; i++) {
      let group = weight_group(weight_row, i);
      for (var token = token0; token < end_token; token++) {
        let dot = tile_dot(group, ((token - token0) * TILE_GROUPS + i - group0) * 8u);
        sums += select(vec4f(0.0), vec4f(dot), vec4u(token - token0) == vec4u(0u, 1u, 2u, 3u));
      }
    }
  }
  for (var token = token0; token < end_token; token++) {
    if (row < p.rows) {
      y[token * p.stride + p.row0 + row] = sums[token - token0];
    }
  }
}

fn tile_dot(group: Group, at: u32) -> f32 {
  let columns = array(
    tile[at], tile[at + 1u], tile[at + 2u], tile[at + 3u], tile[at + 4u], tile[at + 5u], tile[at + 6u], tile[at + 7u],
  );
  return group_dot(group, columns, sums_of(columns));
}

// Σ x of each sixteen.
fn sums_of(x: array<vec4f, 8>) -> vec2f {
  return vec2f(dot((x[0] + x[1]) + (x[2] + x[3]), vec4f(1.0)), dot((x[4] + x[5]) + (x[6] + x[7]), vec4f(1.0)));
}

// Four columns of a token, zero outside x.
fn x_at(token: u32, column: u32) -> vec4f {
  var values = vec4f(0.0);
  if (token < p.tokens) {
    for (var i = 0u; i < 4u; i++) {
      if (column + i < p.columns) {
        values[i] = x[token * p.columns + column + i];
      }
    }
  }
  return values;
}
