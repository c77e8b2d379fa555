// F32: every number as it is. A row is padded with zeros to whole groups. See src/gguf/blocks/f32.ts.
// use: weight_group

fn weight_group(row: u32, group: u32) -> Group {
  let at = block_index(row, group, p.row_groups) * 8u;
  let q = array(
    bitcast<vec4f>(weight_quad(at)), bitcast<vec4f>(weight_quad(at + 1u)),
    bitcast<vec4f>(weight_quad(at + 2u)), bitcast<vec4f>(weight_quad(at + 3u)),
    bitcast<vec4f>(weight_quad(at + 4u)), bitcast<vec4f>(weight_quad(at + 5u)),
    bitcast<vec4f>(weight_quad(at + 6u)), bitcast<vec4f>(weight_quad(at + 7u)),
  );
  return Group(q, vec2f(1.0), vec2f(0.0));
}
