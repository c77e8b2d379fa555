// mul_mat_f16: y[t,n] = Σ over k of weight[n,k] · x[t,k], factors, products and sums rounded to f16, k after k
//
//   weight  [row, column]    packed, one range of rows; see kernels/parts/weight_group.wgsl
//   x       [token, column]  f32
//   y       [token, stride]  f32  stride is the rows of the whole weight, row0 the first row of this range
//
// A lane owns one row of one token.
// use: weight_group
// use: nearest_half
// use: workgroup_index

struct Params {
  rows: u32,
  row0: u32,
  row_groups: u32,
  groups: u32,
  stride: u32,
  columns: u32,
  tokens: u32,
  row_tiles: u32, // workgroups are [token, row tile]
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn mul_mat_f16(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = workgroup_index(workgroup, workgroups);
  let row = tile % p.row_tiles * LANES + lane;
  let token = tile / p.row_tiles;
  if (token >= p.tokens || row >= p.rows) {
    return;
  }
  var sum = 0.0;
  for (var group = 0u; group < p.row_groups; group++) {
    let weights = weight_group(row, group);
    for (var i = 0u; i < min(32u, p.columns - group * 32u); i++) {
      let half = i / 16u;
      let factor = nearest_half(weights.scale[half] * weights.q[i / 4u][i % 4u] + weights.offset[half]);
      let product = nearest_half(factor * nearest_half(x[token * p.columns + group * 32u + i]));
      sum = nearest_half(sum + product);
    }
  }
  y[token * p.stride + p.row0 + row] = sum;
}
