// quotient: a / b rounded to the nearest f32, ties to even, for finite a and b above 0 that are no denormals; infinite where
// it is too large, 0 where it would be denormal.
//
// WGSL's own division may be off by 2.5 units in the last place. Where the quotient is rounded once more, to a half or
// a whole number, that would now and then give another one than on the host.
// use: shifted_to_nearest

fn quotient(a: f32, b: f32) -> f32 {
  let divisor = (bitcast<u32>(b) & 0x7fffffu) | 0x800000u;
  var rest = (bitcast<u32>(a) & 0x7fffffu) | 0x800000u;
  var exponent = 127i + i32(bitcast<u32>(a) >> 23u) - i32(bitcast<u32>(b) >> 23u);
  if (rest < divisor) {
    rest <<= 1u;
    exponent -= 1i;
  }
  // One bit at a time: 24 of the mantissa, one below them, and whether anything is left.
  var bits = 0u;
  for (var i = 0u; i < 25u; i++) {
    let fits = rest >= divisor;
    bits = (bits << 1u) | u32(fits);
    rest = (rest - select(0u, divisor, fits)) << 1u;
  }
  let mantissa = shifted_to_nearest((bits << 1u) | u32(rest != 0u), 2u) - 0x800000u;
  if (exponent < 1i) {
    return 0.0;
  }
  return bitcast<f32>(select((u32(exponent) << 23u) + mantissa, 0x7f800000u, exponent > 254i));
}
