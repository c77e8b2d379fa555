// log1p_f32: ln(1 + x) for x ≥ 0, with a small relative error even where x is tiny.
//
// WGSL has no such function, and its log promises an absolute error of 2⁻²¹ near 1. Here 1 + x = m · 2ⁿ with m from √½ to √2,
// s = (m - 1) / (m + 1) and ln m = 2 (s + s³/3 + s⁵/5 + …): with |s| ≤ 0.172 the first term left out, 2 s¹¹/11, is below
// 1e-9 (Abramowitz and Stegun 4.1.27). For small x, m - 1 is x itself. ln 2 in two parts as in exp.wgsl.
// use: exp

fn log1p_f32(x: f32) -> f32 {
  if (x < 0.4142135) {
    return log_from(x / (2.0 + x), 0.0);
  }
  let bits = bitcast<u32>(1.0 + x);
  // 0x3f3504f3 is √½: the distance from it in bits, rounded down to whole exponents, is n.
  let n = (i32(bits) - 0x3f3504f3) >> 23u;
  let m = bitcast<f32>(bits - (bitcast<u32>(n) << 23u));
  return log_from((m - 1.0) / (m + 1.0), f32(n));
}

// n ln 2 + ln m, from s = (m - 1) / (m + 1).
fn log_from(s: f32, n: f32) -> f32 {
  let z = s * s;
  let tail = z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
  return n * LN2_HIGH + (2.0 * s + (2.0 * s * tail + n * LN2_LOW));
}
