// max_of_lanes: the greatest u32 of all lanes of the workgroup, given to every lane. Floats go in as `order_of(x)`.
// The kernel declares LANES, a power of two, as a const or an override. Every lane must call it, and may call it again.

var<workgroup> max_parts: array<u32, LANES>;

fn max_of_lanes(value: u32, lane: u32) -> u32 {
  max_parts[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      max_parts[lane] = max(max_parts[lane], max_parts[lane + half]);
    }
  }
  return workgroupUniformLoad(&max_parts[0]);
}
