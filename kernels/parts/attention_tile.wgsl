// attention_tile: the sizes that kq and kqv share, and which piece of the output a workgroup computes.
//
// A query row is one head of one token. The rows of a KV head are its group's heads of token 0, then of token 1, … A tile is
// LANES columns (keys in kq, dimensions in kqv) of `rows_each` rows that read one KV head, so that a lane loads a key or a
// value once for all of them. The kernel declares LANES.
// Source: grouped queries, Ainslie et al. 2023, arXiv:2305.13245.
// use: workgroup_index

struct Params {
  tokens: u32,
  heads: u32,
  kv_heads: u32,
  keys: u32,
  dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// 1, 2 or 4: src/ops/attention.ts takes no more than there are. Fixed when the pipeline is made, so that loops unroll.
override rows_each: u32 = 4;
const MAX_ROWS = 4u;
// Heads take turns over the KV heads, 0, 1, …, 0, 1, …, where they ought to share one with their neighbours.
override tiled: bool = false;

struct Tile {
  column: u32,
  first_row: u32,
  kv_head: u32,
}

struct Row {
  head: u32,
  token: u32,
}

fn tile_of(index: u32, columns: u32) -> Tile {
  let column_tiles = (columns + LANES - 1u) / LANES;
  let row_tiles = (row_count() + rows_each - 1u) / rows_each;
  return Tile(
    index % column_tiles * LANES,
    index / column_tiles % row_tiles * rows_each,
    index / (column_tiles * row_tiles),
  );
}

// Rows of one KV head.
fn row_count() -> u32 {
  return p.tokens * (p.heads / p.kv_heads);
}

// Rows past the end repeat the last one; they are computed and not stored.
fn row_at(tile: Tile, r: u32) -> Row {
  let group_heads = p.heads / p.kv_heads;
  let row = min(tile.first_row + r, row_count() - 1u);
  let place = row % group_heads;
  let head = select(tile.kv_head * group_heads + place, place * p.kv_heads + tile.kv_head, tiled);
  return Row(head, row / group_heads);
}

fn is_stored(tile: Tile, r: u32) -> bool {
  return tile.first_row + r < row_count();
}
