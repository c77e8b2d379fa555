// Q5_0: x = (q - 16) · d, q in 0 … 31. Planes: qs (16 bytes), qh (4 bytes, the fifth bits), d. See src/gguf/blocks/q5_0.ts.
// use: weight_group
// use: fifth_bits

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let high = weight_word(4u * p.groups + block);
  let d = weight_half(10u * p.groups + block);
  return Group(five_bits_of(weight_quad(block), high), vec2f(d), vec2f(-16.0 * d));
}
