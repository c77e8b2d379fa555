// IQ4_NL: x = d · level[q], sixteen levels that are denser near zero. Planes: qs (16 bytes), d. See src/gguf/blocks/iq4_nl.ts.
// use: weight_group

// The levels as signed bytes, four to a word: -127 -104 -83 -65, -49 -35 -22 -10, 1 13 25 38, 53 69 89 113.
const LEVELS = vec4u(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

// The levels of the four nibbles that lie in the low halves of a word's bytes.
fn levels_of(word: u32) -> vec4f {
  let q = unpack4xU8(word);
  let below8 = select(vec4u(LEVELS.x), vec4u(LEVELS.y), (q & vec4u(4u)) != vec4u(0u));
  let from8 = select(vec4u(LEVELS.z), vec4u(LEVELS.w), (q & vec4u(4u)) != vec4u(0u));
  let four = select(below8, from8, (q & vec4u(8u)) != vec4u(0u));
  return vec4f(bitcast<vec4i>(four << (vec4u(24u) - 8u * (q & vec4u(3u)))) >> vec4u(24u));
}

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let d = weight_half(8u * p.groups + block);
  let qs = weight_quad(block);
  let low = qs & vec4u(0x0f0f0f0fu);
  let high = (qs >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  let q = array(
    levels_of(low.x), levels_of(low.y), levels_of(low.z), levels_of(low.w),
    levels_of(high.x), levels_of(high.y), levels_of(high.z), levels_of(high.w),
  );
  return Group(q, vec2f(d), vec2f(0.0));
}
