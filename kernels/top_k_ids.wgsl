// top_k_ids: the ids of the k greatest of each row, greatest first; of equal ones the lower id comes first
//
//   x  [token, vocab]  f32  logits
//   y  [token, k]      f32  ids as whole numbers, exact up to 2²⁴
//
// One workgroup per row, which looks k times for the greatest that comes after the one found before.
// A candidate is (order, id); NaN counts as the greatest of all, so that it is seen.
// use: workgroup_index
// use: order

struct Params {
  rows: u32,
  vocab: u32,
  k: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 256u;
const NOTHING = vec2u(0u, 0xffffffffu);

var<workgroup> best: array<vec2u, LANES>;

@compute @workgroup_size(LANES)
fn top_k_ids(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  var found = vec2u(0xffffffffu, 0u);
  for (var rank = 0u; rank < p.k; rank++) {
    var candidate = NOTHING;
    for (var i = lane; i < p.vocab; i += LANES) {
      let here = vec2u(order_of(x[row * p.vocab + i]), i);
      if (comes_before(here, candidate) && (rank == 0u || comes_before(found, here))) {
        candidate = here;
      }
    }
    found = first_of_lanes(candidate, lane);
    if (lane == 0u) {
      y[row * p.k + rank] = f32(found.y);
    }
  }
}

fn comes_before(a: vec2u, b: vec2u) -> bool {
  return a.x > b.x || (a.x == b.x && a.y < b.y);
}

fn first_of_lanes(candidate: vec2u, lane: u32) -> vec2u {
  best[lane] = candidate;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half && comes_before(best[lane + half], best[lane])) {
      best[lane] = best[lane + half];
    }
  }
  return workgroupUniformLoad(&best[0]);
}
