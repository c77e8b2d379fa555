// weight_texture: a packed weight in a texture, as quads of words; in its place may stand weight_buffer.
// use: texels

@group(0) @binding(2) var weight: texture_storage_2d<rgba32uint, read>;

fn weight_quad(index: u32) -> vec4u {
  return textureLoad(weight, texel_of(index));
}

fn weight_word(index: u32) -> u32 {
  return weight_quad(index >> 2u)[index & 3u];
}
