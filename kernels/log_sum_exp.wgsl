// log_sum_exp: y[t] = ln Σ over i of exp(x[t,i]), so that exp(x[t,i] - y[t]) is a token's probability
//
//   x  [token, vocab]  f32  logits
//   y  [token, 1]      f32
//
// One workgroup per row; the maximum is taken out first: ln Σ exp(x) = max + ln(1 + rest), where rest is the sum of
// exp(x - max) without the one that is 1.
// A row whose greatest logit is NaN or infinite gives NaN.
// use: workgroup_index
// use: sum_of_lanes
// use: max_of_lanes
// use: order
// use: exp
// use: log

struct Params {
  rows: u32,
  vocab: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 256u;

@compute @workgroup_size(LANES)
fn log_sum_exp(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  if (row >= p.rows) {
    return;
  }
  let start = row * p.vocab;
  var greatest = 0u;
  for (var i = lane; i < p.vocab; i += LANES) {
    greatest = max(greatest, order_of(x[start + i]));
  }
  let max_order = max_of_lanes(greatest, lane);
  let max_logit = value_of(max_order);
  var equals_of_lane = 0.0;
  var rest_of_lane = 0.0;
  for (var i = lane; i < p.vocab; i += LANES) {
    if (order_of(x[start + i]) == max_order) {
      equals_of_lane += 1.0;
    } else {
      rest_of_lane += exp_f32(x[start + i] - max_logit);
    }
  }
  let equals = sum_of_lanes(equals_of_lane, lane);
  let rest = equals - 1.0 + sum_of_lanes(rest_of_lane, lane);
  if (lane != 0u) {
    return;
  }
  if (is_order_finite(max_order)) {
    y[row] = max_logit + log1p_f32(rest);
  } else {
    y[row] = nan_from(max_order);
  }
}
