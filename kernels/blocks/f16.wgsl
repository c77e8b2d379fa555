// F16: IEEE 754 binary16. A row is padded with zeros to whole groups. See src/gguf/blocks/f16.ts.
// use: weight_group

fn halves_of(a: u32, b: u32) -> vec4f {
  return vec4f(unpack2x16float(a), unpack2x16float(b));
}

fn weight_group(row: u32, group: u32) -> Group {
  let at = block_index(row, group, p.row_groups) * 4u;
  let a = weight_quad(at);
  let b = weight_quad(at + 1u);
  let c = weight_quad(at + 2u);
  let d = weight_quad(at + 3u);
  let q = array(
    halves_of(a.x, a.y), halves_of(a.z, a.w), halves_of(b.x, b.y), halves_of(b.z, b.w),
    halves_of(c.x, c.y), halves_of(c.z, c.w), halves_of(d.x, d.y), halves_of(d.z, d.w),
  );
  return Group(q, vec2f(1.0), vec2f(0.0));
}
