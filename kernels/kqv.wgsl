// kqv: y[t,h,d] = Σ over j of x[h,t,j] · v[j, h / group, d], what each token's attention gathers
//
//   x  [head, token, key]   f32  the attention pattern, kq_soft_max
//   v  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [token, head, dim]   f32
//   group = heads / kv_heads query heads share one KV head
//
// One lane per dimension. Each sum over the keys is split over 8 partial sums. Source: Vaswani et al. 2017, arXiv:1706.03762.
// use: attention_tile

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 32u;

@compute @workgroup_size(LANES)
fn kqv(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(workgroup_index(group, groups), p.dim);
  if (tile.kv_head >= p.kv_heads) {
    return;
  }
  // Lanes past the last dimension repeat it and store nothing.
  let d = tile.column + lane;
  let v_start = tile.kv_head * p.dim + min(d, p.dim - 1u);
  let v_step = p.kv_heads * p.dim;
  var x_start: array<u32, MAX_ROWS>;
  var low: array<vec4f, MAX_ROWS>;
  var high: array<vec4f, MAX_ROWS>;
  for (var r = 0u; r < rows_each; r++) {
    let row = row_at(tile, r);
    x_start[r] = (row.head * p.tokens + row.token) * p.keys;
  }
  var j = 0u;
  for (; j + 8u <= p.keys; j += 8u) {
    let v_low = v_four(v_start + j * v_step, v_step);
    let v_high = v_four(v_start + (j + 4u) * v_step, v_step);
    for (var r = 0u; r < rows_each; r++) {
      low[r] += v_low * x_four(x_start[r] + j);
      high[r] += v_high * x_four(x_start[r] + j + 4u);
    }
  }
  for (; j < p.keys; j++) {
    for (var r = 0u; r < rows_each; r++) {
      low[r].x += v[v_start + j * v_step] * x[x_start[r] + j];
    }
  }
  if (d >= p.dim) {
    return;
  }
  for (var r = 0u; r < rows_each; r++) {
    let row = row_at(tile, r);
    let sum = low[r] + high[r];
    if (is_stored(tile, r)) {
      y[(row.token * p.heads + row.head) * p.dim + d] = (sum.x + sum.y) + (sum.z + sum.w);
    }
  }
}

fn v_four(i: u32, step: u32) -> vec4f {
  return vec4f(v[i], v[i + step], v[i + 2u * step], v[i + 3u * step]);
}

fn x_four(i: u32) -> vec4f {
  return vec4f(x[i], x[i + 1u], x[i + 2u], x[i + 3u]);
}
