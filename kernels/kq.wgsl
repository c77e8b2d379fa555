// kq: y[h,t,j] = Σ over d of q[t,h,d] · k[j, h / group, d], the unscaled, unmasked attention scores
//
//   q  [token, head, dim]   f32
//   k  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [head, token, key]   f32
//   group = heads / kv_heads query heads share one KV head
//
// One lane per key, for ROWS query rows at once, so that a key is loaded once for all of them. A query row is one head of
// one token; the rows of a KV head are its group's heads of token 0, of token 1, …
// Each dot is split over 8 partial sums. Source: Vaswani et al. 2017, arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245.
// use: workgroup_index

struct Params {
  tokens: u32,
  heads: u32,
  kv_heads: u32,
  keys: u32,
  dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;
const ROWS = 4u;

@compute @workgroup_size(LANES)
fn kq(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group_heads = p.heads / p.kv_heads;
  let rows = p.tokens * group_heads;
  let key_tiles = (p.keys + LANES - 1u) / LANES;
  let row_tiles = (rows + ROWS - 1u) / ROWS;
  let tile = workgroup_index(group, groups);
  let key = tile % key_tiles * LANES + lane;
  let first_row = tile / key_tiles % row_tiles * ROWS;
  let kv_head = tile / (key_tiles * row_tiles);
  if (kv_head >= p.kv_heads || key >= p.keys) {
    return;
  }

  var q_start: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    // Rows past the end repeat the last one and are not stored.
    let row = min(first_row + r, rows - 1u);
    q_start[r] = (row / group_heads * p.heads + kv_head * group_heads + row % group_heads) * p.dim;
  }
  let k_start = (key * p.kv_heads + kv_head) * p.dim;
  var low: array<vec4f, ROWS>;
  var high: array<vec4f, ROWS>;
  var d = 0u;
  for (; d + 8u <= p.dim; d += 8u) {
    let k_low = k_four(k_start + d);
    let k_high = k_four(k_start + d + 4u);
    for (var r = 0u; r < ROWS; r++) {
      low[r] += q_four(q_start[r] + d) * k_low;
      high[r] += q_four(q_start[r] + d + 4u) * k_high;
    }
  }
  for (; d < p.dim; d++) {
    for (var r = 0u; r < ROWS; r++) {
      low[r].x += q[q_start[r] + d] * k[k_start + d];
    }
  }
  for (var r = 0u; r < ROWS && first_row + r < rows; r++) {
    let row = first_row + r;
    let head = kv_head * group_heads + row % group_heads;
    let sum = low[r] + high[r];
    y[(head * p.tokens + row / group_heads) * p.keys + key] = (sum.x + sum.y) + (sum.z + sum.w);
  }
}

fn q_four(i: u32) -> vec4f {
  return vec4f(q[i], q[i + 1u], q[i + 2u], q[i + 3u]);
}

fn k_four(i: u32) -> vec4f {
  return vec4f(k[i], k[i + 1u], k[i + 2u], k[i + 3u]);
}
