// kq: y[h,t,j] = Σ over d of q[t,h,d] · k[j, h / group, d], the unscaled, unmasked attention scores
//
//   q  [token, head, dim]   f32
//   k  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [head, token, key]   f32
//   group = heads / kv_heads query heads share one KV head
//
// One lane per key. Each dot is split over 8 partial sums. Source: Vaswani et al. 2017, arXiv:1706.03762.
// use: attention_tile

@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn kq(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(workgroup_index(group, groups), p.keys);
  if (tile.kv_head >= p.kv_heads) {
    return;
  }
  // Lanes past the last key repeat it and store nothing.
  let key = tile.column + lane;
  let k_start = (min(key, p.keys - 1u) * p.kv_heads + tile.kv_head) * p.dim;
  var q_start: array<u32, MAX_ROWS>;
  var low: array<vec4f, MAX_ROWS>;
  var high: array<vec4f, MAX_ROWS>;
  for (var r = 0u; r < rows_each; r++) {
    let row = row_at(tile, r);
    q_start[r] = (row.token * p.heads + row.head) * p.dim;
  }
  var d = 0u;
  for (; d + 8u <= p.dim; d += 8u) {
    let k_low = k_four(k_start + d);
    let k_high = k_four(k_start + d + 4u);
    for (var r = 0u; r < rows_each; r++) {
      low[r] += k_low * q_four(q_start[r] + d);
      high[r] += k_high * q_four(q_start[r] + d + 4u);
    }
  }
  for (; d < p.dim; d++) {
    for (var r = 0u; r < rows_each; r++) {
      low[r].x += k[k_start + d] * q[q_start[r] + d];
    }
  }
  if (key >= p.keys) {
    return;
  }
  for (var r = 0u; r < rows_each; r++) {
    let row = row_at(tile, r);
    let sum = low[r] + high[r];
    if (is_stored(tile, r)) {
      y[(row.head * p.tokens + row.token) * p.keys + key] = (sum.x + sum.y) + (sum.z + sum.w);
    }
  }
}

fn k_four(i: u32) -> vec4f {
  return vec4f(k[i], k[i + 1u], k[i + 2u], k[i + 3u]);
}

fn q_four(i: u32) -> vec4f {
  return vec4f(q[i], q[i + 1u], q[i + 2u], q[i + 3u]);
}
