// group_dot: the dot product of one group of 32 weights with 32 activations: a chain of dots of four for each sixteen, so that
// two are under way at a time.
//
// Σ (scale · q + offset) · x = scale · Σ q · x + offset · Σ x, so the packed integers are multiplied as they are; `sums` holds
// Σ x of each sixteen, which all rows share.
// use: weight_group

fn group_dot(group: Group, x: array<vec4f, 8>, sums: vec2f) -> f32 {
  var first = dot(group.q[0], x[0]);
  var second = dot(group.q[4], x[4]);
  first += dot(group.q[1], x[1]);
  second += dot(group.q[5], x[5]);
  first += dot(group.q[2], x[2]);
  second += dot(group.q[6], x[6]);
  first += dot(group.q[3], x[3]);
  second += dot(group.q[7], x[7]);
  return scaled(group, first, second, sums);
}

// From Σ q · x of the first sixteen and of the second.
fn scaled(group: Group, first: f32, second: f32, sums: vec2f) -> f32 {
  return (group.scale.x * first + group.offset.x * sums.x) + (group.scale.y * second + group.offset.y * sums.y);
}
