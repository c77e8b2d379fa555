// Q8_0: x = q · d, q a signed byte. Planes: qs (32 bytes), d. See src/gguf/blocks/q8_0.ts.
// use: weight_group

fn signed_bytes_of(word: u32) -> vec4f {
  return vec4f(unpack4xI8(word));
}

fn weight_group(row: u32, group: u32) -> Group {
  let block = block_index(row, group, p.row_groups);
  let a = weight_quad(2u * block);
  let b = weight_quad(2u * block + 1u);
  let d = weight_half(16u * p.groups + block);
  let q = array(
    signed_bytes_of(a.x), signed_bytes_of(a.y), signed_bytes_of(a.z), signed_bytes_of(a.w),
    signed_bytes_of(b.x), signed_bytes_of(b.y), signed_bytes_of(b.z), signed_bytes_of(b.w),
  );
  return Group(q, vec2f(d), vec2f(0.0));
}
