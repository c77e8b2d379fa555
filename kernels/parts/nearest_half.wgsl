// nearest_half: the half (IEEE 754 binary16) nearest to x, ties to even, as f32.
//
// On bits, because unpack2x16float(pack2x16float(x)) may round either way, and lavapipe leaves x as it is.
// use: shifted_to_nearest

fn nearest_half(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let sign = bits & 0x80000000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {
    return x; // NaN
  }
  if (size < 0x38800000u) {
    // Below 2^-14 halves are multiples of 2^-24. 24 bits of x, times 2^(exponent - 150): 126 - exponent are dropped.
    let exponent = size >> 23u;
    if (exponent < 102u) {
      return bitcast<f32>(sign);
    }
    let steps = shifted_to_nearest((size & 0x7fffffu) | 0x800000u, 126u - exponent);
    return bitcast<f32>(sign | bitcast<u32>(f32(steps) * 0x1p-24));
  }
  let half = shifted_to_nearest(size, 13u) << 13u;
  return bitcast<f32>(sign | select(half, 0x7f800000u, half >= 0x47800000u)); // 2^16 and above: infinity
}
