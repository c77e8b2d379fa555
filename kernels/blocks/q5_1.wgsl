// Q5_1: x = q · d + m, q in 0 … 31. Planes: qs (16 bytes), qh (4 bytes, the fifth bits), dm. See src/gguf/blocks/q5_1.ts.
// use: weight_group
// use: fifth_bits

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let high = weight_word(4u * p.groups + block);
  let dm = unpack2x16float(weight_word(5u * p.groups + block));
  return Group(five_bits_of(weight_quad(block), high), vec2f(dm.x), vec2f(dm.y));
}
