// texels: where quad i, the words 4i … 4i + 3, lies in a texture used as memory (src/engine/webgpu/texels.ts). Rows are
// 1,024 quads long.

fn texel_of(quad: u32) -> vec2u {
  return vec2u(quad & 1023u, quad >> 10u);
}
