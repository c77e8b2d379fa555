// group_dot: the dot product of one group of 32 weights with 32 activations, as four partial sums for each sixteen.
//
// Σ (scale · q + offset) · x = scale · Σ q · x + offset · Σ x, so the packed integers are multiplied as they are; `sums` holds
// Σ x of each sixteen, which all rows share.
// use: weight_group

fn group_dot(group: Group, x: array<vec4f, 8>, sums: vec2f) -> f32 {
  let a = (group.q[0] * x[0] + group.q[1] * x[1]) + (group.q[2] * x[2] + group.q[3] * x[3]);
  let b = (group.q[4] * x[4] + group.q[5] * x[5]) + (group.q[6] * x[6] + group.q[7] * x[7]);
  let dots = vec2f(sum_of_four(a), sum_of_four(b));
  return (group.scale.x * dots.x + group.offset.x * sums.x) + (group.scale.y * dots.y + group.offset.y * sums.y);
}

// Σ x of each sixteen.
fn sums_of(x: array<vec4f, 8>) -> vec2f {
  return vec2f(sum_of_four((x[0] + x[1]) + (x[2] + x[3])), sum_of_four((x[4] + x[5]) + (x[6] + x[7])));
}

fn sum_of_four(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
