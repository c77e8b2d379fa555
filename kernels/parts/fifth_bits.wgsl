// fifth_bits: the four low bits of `bits` at bit 4 of one byte each, to be joined to nibbles (Q5_0, Q5_1).
// Multiplying by 1 + 2^7 + 2^14 + 2^21 puts bit k at bit 8k; no two products meet, so nothing carries.

fn fifth_bits(bits: u32) -> u32 {
  return (((bits & 15u) * 0x00204081u) & 0x01010101u) << 4u;
}

// Nibbles as in nibbles_of, each with its fifth bit from `high`, whose bit j belongs to number j.
fn five_bits_of(qs: vec4u, high: u32) -> array<vec4f, 8> {
  let low_nibbles = qs & vec4u(0x0f0f0f0fu);
  let high_nibbles = (qs >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  let low_bits = vec4u(fifth_bits(high), fifth_bits(high >> 4u), fifth_bits(high >> 8u), fifth_bits(high >> 12u));
  let high_bits = vec4u(fifth_bits(high >> 16u), fifth_bits(high >> 20u), fifth_bits(high >> 24u), fifth_bits(high >> 28u));
  return numbers_of(low_nibbles | low_bits, high_nibbles | high_bits);
}
