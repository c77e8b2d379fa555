// log_f32: the natural logarithm of a normal positive x.
//
// WGSL's own log promises an absolute error of 2⁻²¹ near 1. Here x = m · 2ⁿ with m from √½ to √2, s = (m - 1) / (m + 1)
// and ln m = 2 (s + s³/3 + s⁵/5 + …): with |s| ≤ 0.172 the term left out, 2 s¹¹/11, is below 1e-9 (Abramowitz and
// Stegun 4.1.27). ln 2 in two parts as in exp.wgsl.
// use: exp

fn log_f32(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  // 0x3f3504f3 is √½: its distance in bits, rounded down to whole exponents, is n.
  let n = (i32(bits) - 0x3f3504f3) >> 23u;
  let m = bitcast<f32>(bits - (bitcast<u32>(n) << 23u));
  let s = (m - 1.0) / (m + 1.0);
  let z = s * s;
  let tail = z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
  return f32(n) * LN2_HIGH + (2.0 * s + (2.0 * s * tail + f32(n) * LN2_LOW));
}
