// heads_unmerged: y is x in the order [head, token, dim], taken for [token, head, dim]
//
//   x, y  [token, head, dim]  f32
//
// The fault of not merging heads by token. Values are copied. Four elements per lane.
// use: workgroup_index

struct Params {
  count: u32,
  tokens: u32,
  heads: u32,
  dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn heads_unmerged(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    let head = i / (p.dim * p.tokens);
    let token = i / p.dim % p.tokens;
    y[i] = x[(token * p.heads + head) * p.dim + i % p.dim];
  }
}
