// Q3_K: blocks of 256, x = d·(s - 32) · (q - 4), q in 0 … 7, s for each sixteen. Planes: qs (64 bytes, low two bits), hmask
// (32 bytes, third bits), scales (12 bytes), d. See src/gguf/blocks/q3_k.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group >> 3u, p.row_groups >> 3u);
  let blocks = p.groups >> 3u;
  let part = group & 7u;
  let low_at = 4u * block + 2u * (part >> 2u);
  let high_at = 4u * blocks + 2u * block;
  let shift = vec4u(2u * (part & 3u));
  let bit = vec4u(part);
  let a = ((weight_quad(low_at) >> shift) & vec4u(0x03030303u)) | (((weight_quad(high_at) >> bit) & vec4u(0x01010101u)) << vec4u(2u));
  let b = ((weight_quad(low_at + 1u) >> shift) & vec4u(0x03030303u)) |
    (((weight_quad(high_at + 1u) >> bit) & vec4u(0x01010101u)) << vec4u(2u));
  let scale = weight_half(54u * blocks + block) * scales_q3(24u * blocks + 3u * block, part);
  return Group(numbers_of(a, b), scale, -4.0 * scale);
}

// s - 32 of the part's two sixteens: low nibbles in bytes 0 … 7, first of sixteens 0 … 7, then 8 … 15; upper two bits in bytes 8 … 11.
fn scales_q3(at: u32, part: u32) -> vec2f {
  let low = weight_word(at + ((part >> 1u) & 1u)) >> (16u * (part & 1u) + 4u * (part >> 2u));
  let high = weight_word(at + 2u) >> (16u * (part & 1u) + 2u * (part >> 1u));
  let first = (low & 15u) | ((high & 3u) << 4u);
  let second = ((low >> 8u) & 15u) | (((high >> 8u) & 3u) << 4u);
  return vec2f(vec2i(vec2u(first, second)) - vec2i(32));
}
