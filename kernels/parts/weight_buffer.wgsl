// weight_buffer: a packed weight in a storage buffer, as quads of words; in its place may stand weight_texture.

@group(0) @binding(2) var<storage, read> weight: array<vec4u>;

fn weight_quad(index: u32) -> vec4u {
  return weight[index];
}

fn weight_word(index: u32) -> u32 {
  return weight[index >> 2u][index & 3u];
}
