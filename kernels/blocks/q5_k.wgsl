// Q5_K: blocks of 256, x = d·s · q - dmin·m, q in 0 … 31. Planes: qs (128 bytes), qh (32 bytes, the fifth bits), scales
// (12 bytes), dm. See src/gguf/blocks/q5_k.ts.
// use: weight_group
// use: scales_k4

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group >> 3u, p.row_groups >> 3u);
  let blocks = p.groups >> 3u;
  let part = group & 7u;
  let low_at = 8u * block + 2u * (part >> 1u);
  let high_at = 8u * blocks + 2u * block;
  let shift = vec4u(4u * (part & 1u));
  let bit = vec4u(part);
  let dm = unpack2x16float(weight_word(43u * blocks + block));
  let scales = scales_k4(40u * blocks + 3u * block, part);
  let a = ((weight_quad(low_at) >> shift) & vec4u(0x0f0f0f0fu)) | (((weight_quad(high_at) >> bit) & vec4u(0x01010101u)) << vec4u(4u));
  let b = ((weight_quad(low_at + 1u) >> shift) & vec4u(0x0f0f0f0fu)) |
    (((weight_quad(high_at + 1u) >> bit) & vec4u(0x01010101u)) << vec4u(4u));
  return Group(numbers_of(a, b), vec2f(dm.x * scales.x), vec2f(-dm.y * scales.y));
}
