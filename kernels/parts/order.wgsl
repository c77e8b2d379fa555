// order: f32 numbers as u32 that compare in the same order, so that NaN is not lost.
//
// WGSL may assume that there is no NaN: on both software adapters max(NaN, -5) is -5. So NaN is found by its bits, and
// stands above infinity here. -0 and +0 are equal. No number has order 0.

fn order_of(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (is_nan(x)) {
    return 0xffffffffu;
  }
  // Below -0: all bits flipped, so that a greater magnitude comes first. The others, -0 with +0, stand above them.
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}

fn value_of(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// False for NaN and for both infinities.
fn is_order_finite(order: u32) -> bool {
  return order > 0x007fffffu && order < 0xff800000u;
}

// NaN, made from the order of what was not finite: WGSL has no literal for it.
fn nan_from(order: u32) -> f32 {
  return bitcast<f32>(order | 0x7fffffffu);
}
