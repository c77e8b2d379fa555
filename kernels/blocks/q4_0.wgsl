// Q4_0: x = (q - 8) · d, q in 0 … 15. Planes: qs (16 bytes), d. See src/gguf/blocks/q4_0.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let d = weight_half(8u * p.groups + block);
  return Group(nibbles_of(weight_quad(block), 8.0), vec2f(d), vec2f(0.0));
}
