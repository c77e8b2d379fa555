// kqv_untransposed: y[t,h,d] = Σ over j of x[h,t,j] · flat[d · keys + j], flat being the values of h's KV head, key after key
//
//   x  [head, token, key]   f32  the attention pattern
//   v  [key, kv_head, dim]  f32  the cache up to and with this pass
//   y  [token, head, dim]   f32
//
// The fault of reading values as [dim, key] that lie as [key, dim]. One lane per element, the sum split over 4 partial sums:
// a fault need not be fast.
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

const LANES = 64u;

@compute @workgroup_size(LANES)
fn kqv_untransposed(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = workgroup_index(group, groups) * LANES + lane;
  if (i >= p.tokens * p.heads * p.dim) {
    return;
  }
  let d = i % p.dim;
  let head = i / p.dim % p.heads;
  let token = i / (p.dim * p.heads);
  let kv_head = head / (p.heads / p.kv_heads);
  let start = (head * p.tokens + token) * p.keys;
  var sums = vec4f();
  for (var j = 0u; j < p.keys; j++) {
    let flat = d * p.keys + j;
    sums[j % 4u] += x[start + j] * v[(flat / p.dim * p.kv_heads + kv_head) * p.dim + flat % p.dim];
  }
  y[i] = (sums.x + sums.y) + (sums.z + sums.w);
}
