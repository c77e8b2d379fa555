/** Errors as bars and colours: one scale for every view that shows how far apart two tensors are. */
import type { JSX } from 'preact';
import { errorText } from '../../../compare/report/tensor_table.ts';

/** Decades that the scale is over: what is less reads as nothing, what is more as all. */
const [LEAST, MOST] = [-8, 0];

/** Where on the scale, 0 to 1, a relative error lies; what is no number is at its end. */
export function onScale(error: number): number {
  if (error === 0) return 0;
  if (!Number.isFinite(error)) return 1;
  return Math.min(1, Math.max(0.02, (Math.log10(error) - LEAST) / (MOST - LEAST)));
}

/** A bar on a scale of decades, with a mark at what is allowed. */
export function ErrorBar({
  error,
  allowed = null,
}: {
  readonly error: number | null;
  readonly allowed?: number | null;
}): JSX.Element {
  const isBeyond = error !== null && allowed !== null && !(error <= allowed);
  return (
    <span class="error-bar" data-beyond={isBeyond} aria-hidden="true">
      <span class="filled" style={{ width: `${100 * onScale(error ?? 0)}%` }} />
      {allowed !== null && allowed > 0 && <span class="allowed" style={{ left: `${100 * onScale(allowed)}%` }} />}
    </span>
  );
}

/** `3.1e-4`; of tensors without values a dash. */
export const errorSaid = (error: number | null): string => (error === null ? '–' : errorText(error));
