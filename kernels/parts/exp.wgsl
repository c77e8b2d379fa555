// exp_f32: eˣ to about 1 unit in the last place, for any x; 0 below -104, infinity above 89, NaN for NaN.
//
// WGSL's own exp promises only 3 + 2|x| units in the last place: on lavapipe and SwiftShader it is off by 1.3e-6 RMS from
// -87 to 87 and by 4e-6 at worst, this one by 4e-8 and 1.2e-7. Here x = n · ln 2 + r with |r| ≤ ½ ln 2 (Cody and Waite
// 1980: ln 2 in two parts, of which the first times n is exact), eʳ by its Taylor polynomial (the term left out, r⁸/8!,
// is below 6e-9), and 2ⁿ built from its exponent bits, in two factors so that n may leave the range of normal numbers.
// use: order

const LOG2_E = 1.44269504;
const LN2_HIGH = 0.693359375; // 355 / 512: 9 bits
const LN2_LOW = -2.12194440e-4; // ln 2 - 355 / 512

fn exp_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  let inside = clamp(x, -104.0, 89.0);
  let n = round(inside * LOG2_E);
  let r = (inside - n * LN2_HIGH) - n * LN2_LOW;
  let tail = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0))));
  let e_to_r = 1.0 + (r + r * r * (0.5 + r * tail));
  let half = i32(n) >> 1u;
  return e_to_r * power_of_two(half) * power_of_two(i32(n) - half);
}

// 2ⁿ for n from -126 to 127.
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}
