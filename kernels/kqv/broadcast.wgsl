// kqv/broadcast: y[t,h,d] = Σ over j of x[h,t,j] · v[j, h / group, d], what each token's attention gathers
//
//   x  [head, token, key]   f32  the attention pattern, kq_soft_max
//   v  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [token, head, dim]   f32
//   group = heads / kv_heads query heads share one KV head
//
// As kernels/kqv.wgsl, but the numbers that all lanes need are loaded once by eight of them and handed out
// by subgroup broadcast: on lavapipe 9 ms of a core against 33 for 128 tokens, 32 heads of 64 on 4.
// Needs subgroups of 8 or more; eight lanes load eight numbers, whatever the subgroup's size.
// use: attention_tile
enable subgroups;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 32u;

@compute @workgroup_size(LANES)
fn broadcast(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let tile = tile_of(workgroup_index(group, groups), p.dim);
  if (tile.kv_head >= p.kv_heads) {
    return;
  }
  // Lanes past the last dimension repeat it, because all lanes of a subgroup must take part in a broadcast.
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
      let eight = x[x_start[r] + j + subgroup_lane % 8u];
      low[r] += v_low * vec4f(
        subgroupBroadcast(eight, 0u),
        subgroupBroadcast(eight, 1u),
        subgroupBroadcast(eight, 2u),
        subgroupBroadcast(eight, 3u),
      );
      high[r] += v_high * vec4f(
        subgroupBroadcast(eight, 4u),
        subgroupBroadcast(eight, 5u),
        subgroupBroadcast(eight, 6u),
        subgroupBroadcast(eight, 7u),
      );
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
