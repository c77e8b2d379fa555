// workgroup_index: this workgroup's place in the list that src/ops/workgroups.ts laid out in two dimensions.
// The grid may be longer than the list: the kernel leaves where the index is past the end.

fn workgroup_index(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}
