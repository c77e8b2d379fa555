// Q2_K: blocks of 256, x = d·s · q - dmin·m, q in 0 … 3, s and m for each sixteen. Planes: qs (64 bytes), scales (16 bytes,
// s in the low nibble, m in the high), dm. See src/gguf/blocks/q2_k.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group >> 3u, p.row_groups >> 3u);
  let blocks = p.groups >> 3u;
  let part = group & 7u;
  let at = 4u * block + 2u * (part >> 2u);
  let shift = vec4u(2u * (part & 3u));
  let dm = unpack2x16float(weight_word(20u * blocks + block));
  let scales = weight_word(16u * blocks + 4u * block + (part >> 1u)) >> (16u * (part & 1u));
  let s = vec2f(vec2i(vec2u(scales & 15u, (scales >> 8u) & 15u)));
  let m = vec2f(vec2i(vec2u((scales >> 4u) & 15u, (scales >> 12u) & 15u)));
  let a = (weight_quad(at) >> shift) & vec4u(0x03030303u);
  let b = (weight_quad(at + 1u) >> shift) & vec4u(0x03030303u);
  return Group(numbers_of(a, b), dm.x * s, -dm.y * m);
}
