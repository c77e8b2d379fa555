// weight_group: how 32 neighbouring weights of a row are handed to a kernel, and how a packed weight is read.
//
// A weight lies on the device as planes (src/engine/webgpu/weights.ts): all blocks' first field, then all blocks' second.
// Within a plane, blocks of eight rows take turns: block b of rows 0 … 7, then block b + 1 of rows 0 … 7, and so on, so
// that neighbouring lanes, which hold neighbouring rows, read neighbouring bytes, and a pass over the rows is one stream.
//
// The kernel declares `weight: array<vec4u>` and in `p`
//   row_groups  groups of 32 weights in a row
//   groups      groups of 32 weights in the whole buffer; planes start at multiples of it
// and kernels/blocks/<type>.wgsl gives
//   fn weight_group(row: u32, group: u32) -> Group

// Weight i of the group is scale · q[i] + offset; x is for the first sixteen, y for the others.
struct Group {
  q: array<vec4f, 8>,
  scale: vec2f,
  offset: vec2f,
}

// Where a block stands in its planes.
fn block_index(row: u32, block: u32, row_blocks: u32) -> u32 {
  return (row >> 3u) * row_blocks * 8u + block * 8u + (row & 7u);
}

fn weight_word(index: u32) -> u32 {
  return weight[index >> 2u][index & 3u];
}

fn weight_half(index: u32) -> f32 {
  let pair = unpack2x16float(weight_word(index >> 1u));
  return select(pair.x, pair.y, (index & 1u) != 0u);
}

// The four bytes of a word as numbers 0 … 255.
fn bytes_of(word: u32) -> vec4f {
  return vec4f(vec4i(unpack4xU8(word)));
}

// The low nibbles of sixteen bytes are numbers 0 … 15 of the group, the high ones 16 … 31, as in Q4_0.
fn nibbles_of(qs: vec4u) -> array<vec4f, 8> {
  let low = qs & vec4u(0x0f0f0f0fu);
  let high = (qs >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  return array(
    bytes_of(low.x), bytes_of(low.y), bytes_of(low.z), bytes_of(low.w),
    bytes_of(high.x), bytes_of(high.y), bytes_of(high.z), bytes_of(high.w),
  );
}

// Thirty-two bytes as numbers 0 … 255.
fn numbers_of(a: vec4u, b: vec4u) -> array<vec4f, 8> {
  return array(
    bytes_of(a.x), bytes_of(a.y), bytes_of(a.z), bytes_of(a.w),
    bytes_of(b.x), bytes_of(b.y), bytes_of(b.z), bytes_of(b.w),
  );
}
