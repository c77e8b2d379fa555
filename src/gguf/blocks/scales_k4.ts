/**
 * The 12 bytes in which Q4_K and Q5_K pack eight 6-bit scales and eight 6-bit minima, one pair per group of 32 numbers.
 * Groups 0..3 take the low six bits of bytes 0..3 (scale) and 4..7 (min); groups 4..7 take the nibbles of bytes 8..11
 * and the two bits left over in the bytes of groups 0..3. Source: get_scale_min_k4 of ggml.
 */

export function scaleK4(bytes: Uint8Array, scales: number, group: number): number {
  if (group < 4) return bytes[scales + group]! & 63;
  return (bytes[scales + group + 4]! & 15) | ((bytes[scales + group - 4]! >> 6) << 4);
}

export function minK4(bytes: Uint8Array, scales: number, group: number): number {
  if (group < 4) return bytes[scales + group + 4]! & 63;
  return (bytes[scales + group + 4]! >> 4) | ((bytes[scales + group]! >> 6) << 4);
}
