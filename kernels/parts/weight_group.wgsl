// weight_group: how 32 neighbouring weights of a row are handed to a kernel, and how a packed weight is read.
//
// A weight lies on the device as planes (src/engine/webgpu/weights.ts): all blocks' first field, then all blocks' second.
// Within a plane, blocks of eight rows take turns: block b of rows 0 … 7, then block b + 1 of rows 0 … 7, and so on, so
// that neighbouring lanes, which hold neighbouring rows, read neighbouring bytes, and a pass over the rows is one stream.
//
// The call links weight_buffer or weight_texture, which read the packed weight; the kernel declares in `p`
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

fn weight_half(index: u32) -> f32 {
  let pair = unpack2x16float(weight_word(index >> 1u));
  return select(pair.x, pair.y, (index & 1u) != 0u);
}

// The four bytes of a word as numbers 0 … 255.
fn bytes_of(word: u32) -> vec4f {
  return vec4f(vec4i(unpack4xU8(word)));
}

// The low nibbles of sixteen bytes are numbers 0 … 15 of the group, the high ones 16 … 31, as in Q4_0; each less `zero`.
fn nibbles_of(qs: vec4u, zero: f32) -> array<vec4f, 8> {
  return array(
    low_nibbles_of(qs.x, zero), low_nibbles_of(qs.y, zero), low_nibbles_of(qs.z, zero), low_nibbles_of(qs.w, zero),
    high_nibbles_of(qs.x, zero), high_nibbles_of(qs.y, zero), high_nibbles_of(qs.z, zero), high_nibbles_of(qs.w, zero),
  );
}

// A nibble at bit i of a word under the exponent of 2^(23 - i) is the number 2^(23 - i) + nibble: no shift and no conversion.
fn low_nibbles_of(word: u32, zero: f32) -> vec4f {
  let pairs = vec4u(word, word, word >> 16u, word >> 16u);
  let numbers = (pairs & vec4u(0xfu, 0xf00u, 0xfu, 0xf00u)) | vec4u(0x4b000000u, 0x47000000u, 0x4b000000u, 0x47000000u);
  return bitcast<vec4f>(numbers) - (vec4f(8388608.0, 32768.0, 8388608.0, 32768.0) + vec4f(zero));
}

fn high_nibbles_of(word: u32, zero: f32) -> vec4f {
  let pairs = vec4u(word, word, word >> 16u, word >> 16u);
  let numbers = (pairs & vec4u(0xf0u, 0xf000u, 0xf0u, 0xf000u)) | vec4u(0x49000000u, 0x45000000u, 0x49000000u, 0x45000000u);
  return bitcast<vec4f>(numbers) - (vec4f(524288.0, 2048.0, 524288.0, 2048.0) + vec4f(zero));
}

// Thirty-two bytes as numbers 0 … 255.
fn numbers_of(a: vec4u, b: vec4u) -> array<vec4f, 8> {
  return array(
    bytes_of(a.x), bytes_of(a.y), bytes_of(a.z), bytes_of(a.w),
    bytes_of(b.x), bytes_of(b.y), bytes_of(b.z), bytes_of(b.w),
  );
}
