// statistics: what src/trace/statistics.ts defines, for chunks of many tensors at once
//
//   page     [word]   u32  the bits of f32 tensors that lie side by side in one buffer
//   chunks   [chunk]  (start: first word in the page, count: 1 … 4096, first: index of that word in its tensor,
//                     slot: which record is the chunk's)
//   records  [slot]   two vec4u:
//                     (exponent | zeros << 16, sum, sum of squares, key of the least element)
//                     (key of the greatest element, NaNs | Infs << 16, hash low, hash high)
//
// One workgroup per chunk. The host adds the records of a tensor up in f64 (src/engine/webgpu/statistics.ts).
//
// Arithmetic here may drop NaN and Inf and flush denormals, so everything but the two sums is done on bits. The sums
// are of x · 2^(127 - exponent), scaled on bits too: the largest element comes to 1 … 2, squares cannot overflow, and
// denormals count. They are added as a tree of 13 levels: |error| <= 13 · 2^-24 · Σ|x| = 7.8e-7 · Σ|x|.

const LANES = 64u;

@group(0) @binding(0) var<storage, read> page: array<u32>;
@group(0) @binding(1) var<storage, read> chunks: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> records: array<vec4u>;

// Zero at the start, as workgroup memory is. `least` holds the complement of the least key, so that zero is neutral.
var<workgroup> least: atomic<u32>;
var<workgroup> greatest: atomic<u32>;
var<workgroup> largest: atomic<u32>;
var<workgroup> zeros: atomic<u32>;
var<workgroup> broken: atomic<u32>;
var<workgroup> hash_low: atomic<u32>;
var<workgroup> hash_high: atomic<u32>;
var<workgroup> parts: array<vec2f, LANES>;

// Constants as in src/trace/statistics.ts.
fn mix_low(bits: u32, i: u32) -> u32 {
  var h = bits ^ ((i + 1u) * 0x9e3779b1u);
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}

fn mix_high(bits: u32, i: u32) -> u32 {
  var h = bits + (i + 1u) * 0x85ebca77u;
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}

// Orders the bits of finite floats as the floats are ordered.
fn order_key(bits: u32) -> u32 {
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// x · 2^(127 - exponent), for finite x no larger than 2^(exponent - 126); 0 where the result is below 2^-126.
fn scaled(bits: u32, exponent: u32) -> f32 {
  let own = (bits >> 23u) & 0xffu;
  let normal = select(0u, bits + ((127u - exponent) << 23u), own + 127u > exponent);
  // A denormal is mantissa · 2^-149: its integer mantissa becomes a float, times 2^(-22 - exponent).
  let step = select(0u, (105u - exponent) << 23u, exponent < 105u);
  let denormal = f32(bits & 0x7fffffu) * bitcast<f32>(step | (bits & 0x80000000u));
  return select(denormal, bitcast<f32>(normal), own > 0u);
}

// (x, x²) of one element, scaled; zeros outside the chunk and where x is not finite.
fn term(chunk: vec4u, at: u32, exponent: u32) -> vec2f {
  if (at >= chunk.y) {
    return vec2f();
  }
  let bits = page[chunk.x + at];
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    return vec2f();
  }
  let x = scaled(bits, exponent);
  return vec2f(x, x * x);
}

fn eight_terms(chunk: vec4u, at: u32, exponent: u32) -> vec2f {
  let a = term(chunk, at, exponent) + term(chunk, at + LANES, exponent);
  let b = term(chunk, at + 2u * LANES, exponent) + term(chunk, at + 3u * LANES, exponent);
  let c = term(chunk, at + 4u * LANES, exponent) + term(chunk, at + 5u * LANES, exponent);
  let d = term(chunk, at + 6u * LANES, exponent) + term(chunk, at + 7u * LANES, exponent);
  return (a + b) + (c + d);
}

fn eight_parts(first: u32, stride: u32) -> vec2f {
  let a = parts[first] + parts[first + stride];
  let b = parts[first + 2u * stride] + parts[first + 3u * stride];
  let c = parts[first + 4u * stride] + parts[first + 5u * stride];
  let d = parts[first + 6u * stride] + parts[first + 7u * stride];
  return (a + b) + (c + d);
}

@compute @workgroup_size(LANES)
fn statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = chunks[group.x];

  var my_least = 0u;
  var my_greatest = 0u;
  var my_largest = 0u;
  var my_zeros = 0u;
  var my_broken = 0u;
  var low = 0u;
  var high = 0u;
  for (var at = lane; at < chunk.y; at += LANES) {
    let bits = page[chunk.x + at];
    let size = bits & 0x7fffffffu;
    let finite = size < 0x7f800000u;
    let key = order_key(bits);
    my_least = max(my_least, select(0u, ~key, finite));
    my_greatest = max(my_greatest, select(0u, key, finite));
    my_largest = max(my_largest, select(0u, size, finite));
    my_zeros += select(0u, 1u, size == 0u);
    my_broken += select(0u, select(1u, 0x10000u, size == 0x7f800000u), !finite);
    low += mix_low(bits, chunk.z + at);
    high += mix_high(bits, chunk.z + at);
  }
  atomicMax(&least, my_least);
  atomicMax(&greatest, my_greatest);
  atomicMax(&largest, my_largest);
  atomicAdd(&zeros, my_zeros);
  atomicAdd(&broken, my_broken);
  atomicAdd(&hash_low, low);
  atomicAdd(&hash_high, high);
  workgroupBarrier();

  // 64 elements a lane: three levels of eight_terms, then four and two of those one after the other.
  let exponent = max(atomicLoad(&largest) >> 23u, 1u);
  var sum = vec2f();
  for (var half = 0u; half < chunk.y; half += 32u * LANES) {
    var of_half = vec2f();
    let end = min(chunk.y, half + 32u * LANES);
    for (var at = half; at < end; at += 8u * LANES) {
      of_half += eight_terms(chunk, at + lane, exponent);
    }
    sum += of_half;
  }
  parts[lane] = sum;
  workgroupBarrier();
  var eighth = vec2f();
  if (lane < 8u) {
    eighth = eight_parts(lane, 8u);
  }
  workgroupBarrier();
  if (lane < 8u) {
    parts[lane] = eighth;
  }
  workgroupBarrier();
  if (lane == 0u) {
    let total = eight_parts(0u, 1u);
    let counts = exponent | (atomicLoad(&zeros) << 16u);
    records[2u * chunk.w] = vec4u(counts, bitcast<u32>(total.x), bitcast<u32>(total.y), ~atomicLoad(&least));
    records[2u * chunk.w + 1u] =
      vec4u(atomicLoad(&greatest), atomicLoad(&broken), atomicLoad(&hash_low), atomicLoad(&hash_high));
  }
}
