// Q4_K: blocks of 256, x = d·s · q - dmin·m, q in 0 … 15. Planes: qs (128 bytes), scales (12 bytes), dm (d, then dmin, as
// halves). See src/gguf/blocks/q4_k.ts.
// use: weight_group
// use: scales_k4

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group >> 3u, p.row_groups >> 3u);
  let blocks = p.groups >> 3u;
  let part = group & 7u;
  let at = 8u * block + 2u * (part >> 1u);
  let shift = vec4u(4u * (part & 1u));
  let dm = unpack2x16float(weight_word(35u * blocks + block));
  let scales = scales_k4(32u * blocks + 3u * block, part);
  let a = (weight_quad(at) >> shift) & vec4u(0x0f0f0f0fu);
  let b = (weight_quad(at + 1u) >> shift) & vec4u(0x0f0f0f0fu);
  return Group(numbers_of(a, b), vec2f(dm.x * scales.x), vec2f(-dm.y * scales.y));
}
