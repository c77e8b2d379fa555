// x_buffer: activations in a storage buffer, as quads of four columns; in its place may stand x_texture.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;

fn x_quad(index: u32) -> vec4f {
  return x[index];
}
