// Q4_1: x = q · d + m, q in 0 … 15. Planes: qs (16 bytes), dm (d, then m, as halves). See src/gguf/blocks/q4_1.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let dm = unpack2x16float(weight_word(4u * p.groups + block));
  return Group(nibbles_of(weight_quad(block), 0.0), vec2f(dm.x), vec2f(dm.y));
}
