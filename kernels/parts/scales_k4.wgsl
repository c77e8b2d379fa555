// scales_k4: the 6-bit scale and minimum of one group of 32, from the twelve bytes of Q4_K and Q5_K at word `at`.
// Groups 0 … 3 take the low six bits of bytes 0 … 3 (scale) and 4 … 7 (minimum); groups 4 … 7 take the nibbles of bytes
// 8 … 11 and the two bits left over above. Source: get_scale_min_k4 of ggml; see src/gguf/blocks/scales_k4.ts.

fn scales_k4(at: u32, part: u32) -> vec2f {
  let shift = 8u * (part & 3u);
  let scale = weight_word(at) >> shift;
  let minimum = weight_word(at + 1u) >> shift;
  let nibbles = weight_word(at + 2u) >> shift;
  let early = vec2u(scale & 63u, minimum & 63u);
  let late = vec2u(
    (nibbles & 15u) | (((scale >> 6u) & 3u) << 4u),
    ((nibbles >> 4u) & 15u) | (((minimum >> 6u) & 3u) << 4u),
  );
  return vec2f(vec2i(select(early, late, part >= 4u)));
}
