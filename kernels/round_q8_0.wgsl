// round_q8_0: y = q · d in blocks of 32, d = f16(max |x| / 127), q whole
//
//   x, y  [token, ...]  f32  a token has whole blocks
//
// A lane rounds a block.
// use: workgroup_index
// use: eight_bit_block
// use: nearest_half

struct Params {
  blocks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 64u;
const SIZE = 32u;

@compute @workgroup_size(LANES)
fn round_q8_0(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = workgroup_index(group, groups) * LANES + lane;
  if (block < p.blocks) {
    round_block(block * SIZE, SIZE);
  }
}

fn scale_of(m: f32, per_step: f32) -> f32 {
  return nearest_half(quotient(m, 127.0));
}
