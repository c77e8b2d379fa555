// Q6_K: blocks of 256, x = d·s · (q - 32), q in 0 … 63, s a signed byte for each sixteen. Planes: ql (128 bytes, low four
// bits), qh (64 bytes, upper two), scales (16 bytes), d. See src/gguf/blocks/q6_k.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group >> 3u, p.row_groups >> 3u);
  let blocks = p.groups >> 3u;
  let part = group & 7u;
  let quarter = part & 3u;
  let low_at = 8u * block + 4u * (part >> 2u) + 2u * (quarter & 1u);
  let high_at = 8u * blocks + 4u * block + 2u * (part >> 2u);
  let low_shift = vec4u(4u * (quarter >> 1u));
  let high_shift = vec4u(2u * quarter);
  let a = ((weight_quad(low_at) >> low_shift) & vec4u(0x0f0f0f0fu)) |
    (((weight_quad(high_at) >> high_shift) & vec4u(0x03030303u)) << vec4u(4u));
  let b = ((weight_quad(low_at + 1u) >> low_shift) & vec4u(0x0f0f0f0fu)) |
    (((weight_quad(high_at + 1u) >> high_shift) & vec4u(0x03030303u)) << vec4u(4u));
  let pair = unpack4xI8(weight_word(48u * blocks + 4u * block + (part >> 1u)) >> (16u * (part & 1u)));
  let scale = weight_half(104u * blocks + block) * vec2f(pair.xy);
  return Group(numbers_of(a, b), scale, -32.0 * scale);
}
