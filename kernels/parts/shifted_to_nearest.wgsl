// shifted_to_nearest: bits / 2^dropped as a whole number, the nearest, ties to even. `dropped` is 1 … 24, bits below 2^31.

fn shifted_to_nearest(bits: u32, dropped: u32) -> u32 {
  return (bits + (1u << (dropped - 1u)) - 1u + ((bits >> dropped) & 1u)) >> dropped;
}
