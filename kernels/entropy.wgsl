// entropy: y[t] = -Σ over i of p[i] ln p[i] with p = softmax(x[t]), in nats: 0 when certain, ln(vocab) when all are alike
//
//   x  [token, vocab]  f32  logits
//   y  [token, 1]      f32
//
// One workgroup per row. With d = x - max and Σ exp(d) = 1 + rest: y = ln(1 + rest) + (Σ -d · exp(d)) / (1 + rest). No term is
// negative and the 1 is left out of the sum, so a nearly certain row keeps its digits. A logit of -inf counts nothing. A row whose greatest logit is NaN or infinite gives NaN.
// Source: Shannon 1948.
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
fn entropy(
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
  var surprise_of_lane = 0.0;
  for (var i = lane; i < p.vocab; i += LANES) {
    let d = x[start + i] - max_logit;
    let e = exp_f32(d);
    if (order_of(x[start + i]) == max_order) {
      equals_of_lane += 1.0;
    } else if (e > 0.0) {
      rest_of_lane += e;
      surprise_of_lane -= d * e;
    }
  }
  let equals = sum_of_lanes(equals_of_lane, lane);
  let rest = equals - 1.0 + sum_of_lanes(rest_of_lane, lane);
  let surprise = sum_of_lanes(surprise_of_lane, lane);
  if (lane != 0u) {
    return;
  }
  if (is_order_finite(max_order)) {
    y[row] = log1p_f32(rest) + surprise / (1.0 + rest);
  } else {
    y[row] = nan_from(max_order);
  }
}
