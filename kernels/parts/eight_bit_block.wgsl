// eight_bit_block: a block of x as q · d, see src/ops/eight_bit_blocks.ts.
//
// The kernel declares `x` and `y` and gives
//   fn scale_of(m: f32, per_step: f32) -> f32    d of a block whose largest |x| is m, where per_step is 127 / m
// Numbers are told from NaN and infinity by their bits. A d below 2^-126 counts as 0.
// use: quotient

const INFINITY_BITS = 0x7f800000u;

fn round_block(start: u32, size: u32) {
  var largest = 0u;
  for (var i = start; i < start + size; i++) {
    largest = max(largest, bitcast<u32>(x[i]) & 0x7fffffffu);
  }
  if (largest < 0x800000u) {
    fill_block(start, size, 0u);
    return;
  }
  if (largest >= INFINITY_BITS) {
    fill_block(start, size, largest | 0x400000u); // NaN
    return;
  }
  let m = bitcast<f32>(largest);
  let per_step = quotient(127.0, m);
  let d = scale_of(m, per_step);
  let d_bits = bitcast<u32>(d);
  if (d_bits == 0u || d_bits == INFINITY_BITS) {
    fill_block(start, size, select(0u, d_bits | 0x400000u, d_bits != 0u));
    return;
  }
  for (var i = start; i < start + size; i++) {
    y[i] = round(x[i] * per_step) * d;
  }
}

fn fill_block(start: u32, size: u32, bits: u32) {
  for (var i = start; i < start + size; i++) {
    y[i] = bitcast<f32>(bits);
  }
}
