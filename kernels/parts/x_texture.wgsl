// x_texture: activations in a texture, as quads of four columns; in its place may stand x_buffer.
// use: texels

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;

fn x_quad(index: u32) -> vec4f {
  return textureLoad(x, texel_of(index));
}
