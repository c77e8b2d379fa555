/**
 * How far an f32 kernel may be from the f64 reference on identical inputs, as relative RMS error: ‖y − ŷ‖ / ‖ŷ‖.
 *
 * u = 2⁻²⁴ is the unit roundoff of f32. WGSL adds and multiplies within 1 u, divides within 5 u and takes square roots
 * within about 5 u (WGSL, "Accuracy of concrete operations").
 */

/** f32's unit roundoff. */
const U = 2 ** -24;

/** For elementwise ops and norms: about 16 u, which leaves room for a division, a square root and an exp in a row. */
export const elementwiseTolerance = 1e-6;

/**
 * For a sum of `terms` products. Rounding errors behave like a random walk, so they grow with √terms (Higham 2002,
 * Accuracy and Stability of Numerical Algorithms, §2.6); 4 is the margin for results that cancel. Splitting the sum over
 * at least 8 partial sums, as the kernels do, stays well below it.
 */
export function dotTolerance(terms: number): number {
  return Math.max(elementwiseTolerance, 4 * U * Math.sqrt(terms));
}
