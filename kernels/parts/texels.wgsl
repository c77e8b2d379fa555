// texels: where quad i, the words 4i … 4i + 3, lies in a texture used as memory (src/engine/webgpu/texels.ts). Rows are as wide
// as every WebGPU device allows.

fn texel_of(quad: u32) -> vec2u {
  return vec2u(quad & 8191u, quad >> 13u);
}
