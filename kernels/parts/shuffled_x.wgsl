// shuffled_x: 32 activations, of which lanes 0 … 7 of the subgroup hold four each, given to every lane, with the sum of
// each sixteen. Every lane must call it; lanes 8 and up hold the same as lanes 0 … 7.

struct ShuffledX {
  x: array<vec4f, 8>,
  sums: vec2f,
}

fn shuffled_x(mine: vec4f) -> ShuffledX {
  let x = array(
    subgroupShuffle(mine, 0u), subgroupShuffle(mine, 1u), subgroupShuffle(mine, 2u), subgroupShuffle(mine, 3u),
    subgroupShuffle(mine, 4u), subgroupShuffle(mine, 5u), subgroupShuffle(mine, 6u), subgroupShuffle(mine, 7u),
  );
  return ShuffledX(x, sums_of(mine));
}

fn sums_of(mine: vec4f) -> vec2f {
  var sum = dot(vec4f(1.0), mine);
  sum += subgroupShuffleXor(sum, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  return vec2f(subgroupShuffle(sum, 0u), subgroupShuffle(sum, 4u));
}
