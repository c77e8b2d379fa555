// rope: turns pairs of x by an angle that grows with the token's position.
//
//   x, y   [token, head, dim]         f32  queries or keys
//   table  [token, dim_rot / 2, 2]    f32  cosine and sine of each token's angles, computed on the host in f64
//
// Pair i is (2i, 2i+1) with `neighbours` (Llama in GGUF), (i, i + dim_rot/2) with `halves` (Hugging Face):
//   y[first] = x[first] · cos - x[second] · sin      y[second] = x[first] · sin + x[second] · cos
// Dimensions from dim_rot on are copied. Four elements per lane.
// No sin or cos here: WGSL promises only 2⁻¹¹, and SwiftShader's sin is off by up to 3e-3.
// Source: Su et al. 2021, arXiv:2104.09864.
// use: workgroup_index

struct Params {
  count: u32,
  heads: u32,
  dim: u32,
  dim_rot: u32,
  // Within a pair, how far the second stands from the first: 1 or dim_rot / 2.
  distance: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const LANES = 64u;

@compute @workgroup_size(LANES)
fn rope(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * 4u * LANES + lane;
  for (var i = first; i < min(first + 4u * LANES, p.count); i += LANES) {
    let d = i % p.dim;
    if (d >= p.dim_rot) {
      y[i] = x[i];
      continue;
    }
    // Pairs come in runs of `distance` firsts, then as many seconds.
    let is_second = d / p.distance % 2u == 1u;
    let pair = d / (2u * p.distance) * p.distance + d % p.distance;
    let token = i / (p.heads * p.dim);
    let entry = 2u * (token * (p.dim_rot / 2u) + pair);
    let cosine = table[entry];
    let sine = table[entry + 1u];
    if (is_second) {
      y[i] = x[i - p.distance] * sine + x[i] * cosine;
    } else {
      y[i] = x[i] * cosine - x[i + p.distance] * sine;
    }
  }
}
