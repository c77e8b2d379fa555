// BF16: the upper half of an f32. A row is padded with zeros to whole groups. See src/gguf/blocks/bf16.ts.
// use: weight_group

fn upper_halves_of(a: u32, b: u32) -> vec4f {
  return bitcast<vec4f>(vec4u(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}

fn weight_group(row: u32, group: u32) -> Group {
  let at = block_index(row, group, p.row_groups) * 4u;
  let a = weight_quad(at);
  let b = weight_quad(at + 1u);
  let c = weight_quad(at + 2u);
  let d = weight_quad(at + 3u);
  let q = array(
    upper_halves_of(a.x, a.y), upper_halves_of(a.z, a.w), upper_halves_of(b.x, b.y), upper_halves_of(b.z, b.w),
    upper_halves_of(c.x, c.y), upper_halves_of(c.z, c.w), upper_halves_of(d.x, d.y), upper_halves_of(d.z, d.w),
  );
  return Group(q, vec2f(1.0), vec2f(0.0));
}
