// sum_of_lanes: the sum of one f32 from each lane of the workgroup, given to every lane.
//
// A pairwise tree in workgroup memory: log2(LANES) roundings instead of LANES. The kernel declares LANES, a power of two, as
// a const or an override. Every lane must call it, and may call it again.

var<workgroup> sum_parts: array<f32, LANES>;

fn sum_of_lanes(value: f32, lane: u32) -> f32 {
  sum_parts[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sum_parts[lane] += sum_parts[lane + half];
    }
  }
  return workgroupUniformLoad(&sum_parts[0]);
}
