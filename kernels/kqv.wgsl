// kqv: y[t,h,d] = Σ over j of x[h,t,j] · v[j, h / group, d], the values that each token's attention gathers
//
//   x  [head, token, key]   f32  the attention pattern, kq_soft_max
//   v  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [token, head, dim]   f32
//   group = heads / kv_heads query heads share one KV head
//
// One lane per dimension, for ROWS pattern rows at once, so that a value is loaded once for all of them; rows as in kq.wgsl.
// Each sum over the keys is split over 8 partial sums. Source: Vaswani et al. 2017, arXiv:1706.03762.
// use: workgroup_index

struct Params {
  tokens: u32,
  heads: u32,
  kv_heads: u32,
  keys: u32,
  dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 32u;
const ROWS = 4u;

@compute @workgroup_size(LANES)
fn kqv(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group_heads = p.heads / p.kv_heads;
  let rows = p.tokens * group_heads;
  let dim_tiles = (p.dim + LANES - 1u) / LANES;
  let row_tiles = (rows + ROWS - 1u) / ROWS;
  let tile = workgroup_index(group, groups);
  let d = tile % dim_tiles * LANES + lane;
  let first_row = tile / dim_tiles % row_tiles * ROWS;
  let kv_head = tile / (dim_tiles * row_tiles);
  if (kv_head >= p.kv_heads || d >= p.dim) {
    return;
  }

  var x_start: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    // Rows past the end repeat the last one and are not stored.
    let row = min(first_row + r, rows - 1u);
    x_start[r] = ((kv_head * group_heads + row % group_heads) * p.tokens + row / group_heads) * p.keys;
  }
  let v_start = kv_head * p.dim + d;
  let v_step = p.kv_heads * p.dim;
  var low: array<vec4f, ROWS>;
  var high: array<vec4f, ROWS>;
  var j = 0u;
  for (; j + 8u <= p.keys; j += 8u) {
    let v_low = v_four(v_start + j * v_step, v_step);
    let v_high = v_four(v_start + (j + 4u) * v_step, v_step);
    for (var r = 0u; r < ROWS; r++) {
      low[r] += x_four(x_start[r] + j) * v_low;
      high[r] += x_four(x_start[r] + j + 4u) * v_high;
    }
  }
  for (; j < p.keys; j++) {
    for (var r = 0u; r < ROWS; r++) {
      low[r].x += x[x_start[r] + j] * v[v_start + j * v_step];
    }
  }
  for (var r = 0u; r < ROWS && first_row + r < rows; r++) {
    let row = first_row + r;
    let head = kv_head * group_heads + row % group_heads;
    let sum = low[r] + high[r];
    y[(row / group_heads * p.heads + head) * p.dim + d] = (sum.x + sum.y) + (sum.z + sum.w);
  }
}

fn x_four(i: u32) -> vec4f {
  return vec4f(x[i], x[i + 1u], x[i + 2u], x[i + 3u]);
}

fn v_four(i: u32, step: u32) -> vec4f {
  return vec4f(v[i], v[i + step], v[i + 2u * step], v[i + 3u * step]);
}
